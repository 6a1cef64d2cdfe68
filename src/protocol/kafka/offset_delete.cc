#include "protocol/kafka/offset_delete.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(OffsetDeleteRequest, OffsetDeleteResponse);

}  // namespace pyralog::protocol
