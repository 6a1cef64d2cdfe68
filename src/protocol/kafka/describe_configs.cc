#include "protocol/kafka/describe_configs.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(DescribeConfigsRequest, DescribeConfigsResponse);

}  // namespace pyralog::protocol
