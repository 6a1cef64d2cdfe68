#include "protocol/kafka/fetch.h"

#include "protocol/kafka/codec_impl.h"

namespace pyralog::protocol {

PYRALOG_KAFKA_CODEC(FetchRequest, FetchResponse);

}  // namespace pyralog::protocol
