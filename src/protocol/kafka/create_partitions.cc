#include "protocol/kafka/create_partitions.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(CreatePartitionsRequest, CreatePartitionsResponse);

}  // namespace pyralog::protocol
