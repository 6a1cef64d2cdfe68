#include "protocol/kafka/delete_groups.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(DeleteGroupsRequest, DeleteGroupsResponse);

}  // namespace pyralog::protocol
