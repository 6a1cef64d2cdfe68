#include "protocol/kafka/incremental_alter_configs.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse);

}  // namespace pyralog::protocol
