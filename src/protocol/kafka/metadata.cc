#include "protocol/kafka/metadata.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(MetadataRequest, MetadataResponse);

}  // namespace pyralog::protocol
