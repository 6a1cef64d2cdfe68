#include "protocol/kafka/list_offsets.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(ListOffsetsRequest, ListOffsetsResponse);

}  // namespace pyralog::protocol
