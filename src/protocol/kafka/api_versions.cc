#include "protocol/kafka/api_versions.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(ApiVersionsRequest, ApiVersionsResponse);

}  // namespace pyralog::protocol
