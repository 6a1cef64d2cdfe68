#include "protocol/kafka/delete_records.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(DeleteRecordsRequest, DeleteRecordsResponse);

}  // namespace pyralog::protocol
