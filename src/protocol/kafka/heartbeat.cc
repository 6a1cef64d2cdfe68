#include "protocol/kafka/heartbeat.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(HeartbeatRequest, HeartbeatResponse);

}  // namespace pyralog::protocol
