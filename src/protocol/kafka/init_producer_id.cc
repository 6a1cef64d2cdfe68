#include "protocol/kafka/init_producer_id.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(InitProducerIdRequest, InitProducerIdResponse);

}  // namespace pyralog::protocol
