#include "protocol/kafka/offset_for_leader_epoch.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse);

}  // namespace pyralog::protocol
