#include "protocol/kafka/describe_log_dirs.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(DescribeLogDirsRequest, DescribeLogDirsResponse);

}  // namespace pyralog::protocol
