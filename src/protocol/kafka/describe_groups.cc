#include "protocol/kafka/describe_groups.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(DescribeGroupsRequest, DescribeGroupsResponse);

}  // namespace pyralog::protocol
