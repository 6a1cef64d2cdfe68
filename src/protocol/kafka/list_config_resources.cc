#include "protocol/kafka/list_config_resources.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(ListConfigResourcesRequest, ListConfigResourcesResponse);

}  // namespace pyralog::protocol
