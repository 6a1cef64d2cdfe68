#include "protocol/kafka/produce.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(ProduceRequest, ProduceResponse);

}  // namespace pyralog::protocol
