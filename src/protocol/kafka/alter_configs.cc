#include "protocol/kafka/alter_configs.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(AlterConfigsRequest, AlterConfigsResponse);

}  // namespace pyralog::protocol
