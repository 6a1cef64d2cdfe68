#include "protocol/kafka/find_coordinator.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(FindCoordinatorRequest, FindCoordinatorResponse);

}  // namespace pyralog::protocol
