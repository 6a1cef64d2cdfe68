#include "protocol/kafka/offset_fetch.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(OffsetFetchRequest, OffsetFetchResponse);

}  // namespace pyralog::protocol
