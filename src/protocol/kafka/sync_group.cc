#include "protocol/kafka/sync_group.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(SyncGroupRequest, SyncGroupResponse);

}  // namespace pyralog::protocol
