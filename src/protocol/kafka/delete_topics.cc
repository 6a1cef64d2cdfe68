#include "protocol/kafka/delete_topics.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(DeleteTopicsRequest, DeleteTopicsResponse);

}  // namespace pyralog::protocol
