#include "protocol/kafka/offset_commit.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(OffsetCommitRequest, OffsetCommitResponse);

}  // namespace pyralog::protocol
