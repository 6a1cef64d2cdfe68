#pragma once

#include "protocol/kafka/api_versions.h"
#include "protocol/kafka/create_topics.h"
#include "protocol/kafka/fetch.h"
#include "protocol/kafka/list_offsets.h"
#include "protocol/kafka/metadata.h"
#include "protocol/kafka/produce.h"

namespace pyralog::protocol {

/// Calls `visit.template operator()<Request, Response>(name)` for every API, by ascending key. The one list of all
/// messages: the API table and the tests walk it.
template <class Visit>
constexpr void for_each_api(Visit&& visit) {
  visit.template operator()<ProduceRequest, ProduceResponse>();
  visit.template operator()<FetchRequest, FetchResponse>();
  visit.template operator()<ListOffsetsRequest, ListOffsetsResponse>();
  visit.template operator()<MetadataRequest, MetadataResponse>();
  visit.template operator()<ApiVersionsRequest, ApiVersionsResponse>();
  visit.template operator()<CreateTopicsRequest, CreateTopicsResponse>();
}

}  // namespace pyralog::protocol
