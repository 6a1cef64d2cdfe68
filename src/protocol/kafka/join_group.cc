#include "protocol/kafka/join_group.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(JoinGroupRequest, JoinGroupResponse);

}  // namespace pyralog::protocol
