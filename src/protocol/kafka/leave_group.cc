#include "protocol/kafka/leave_group.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(LeaveGroupRequest, LeaveGroupResponse);

}  // namespace pyralog::protocol
