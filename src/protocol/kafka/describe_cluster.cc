#include "protocol/kafka/describe_cluster.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(DescribeClusterRequest, DescribeClusterResponse);

}  // namespace pyralog::protocol
