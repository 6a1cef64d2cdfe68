#include "protocol/kafka/create_topics.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(CreateTopicsRequest, CreateTopicsResponse);

}  // namespace pyralog::protocol
