#include "protocol/kafka/list_groups.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(ListGroupsRequest, ListGroupsResponse);

}  // namespace pyralog::protocol
