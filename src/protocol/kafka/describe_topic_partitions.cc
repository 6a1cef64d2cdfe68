#include "protocol/kafka/describe_topic_partitions.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse);

}  // namespace pyralog::protocol
