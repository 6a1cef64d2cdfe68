#include "server/request_dispatch.h"

#include <algorithm>
#include <array>

#include "server/handlers/handlers.h"
#include "server/handlers/typed_handler.h"
#include "server/shard.h"

namespace pyralog::server {
namespace {

using namespace protocol;

template <auto kHandler>
struct Wrap;
template <class RequestMessage, class ResponseMessage,
          io::Task<Result<ResponseMessage>> (*kHandler)(Request&, const RequestMessage&)>
struct Wrap<kHandler> {
  static constexpr ServedApi row{&RequestMessage::kApi, &run_typed<RequestMessage, ResponseMessage, kHandler>};
};

constexpr auto kServed = std::to_array<ServedApi>({
    Wrap<&handle_produce>::row,
    Wrap<&handle_fetch>::row,
    Wrap<&handle_list_offsets>::row,
    Wrap<&handle_metadata>::row,
    Wrap<&handle_offset_commit>::row,
    Wrap<&handle_offset_fetch>::row,
    Wrap<&handle_find_coordinator>::row,
    Wrap<&handle_join_group>::row,
    Wrap<&handle_heartbeat>::row,
    Wrap<&handle_leave_group>::row,
    Wrap<&handle_sync_group>::row,
    Wrap<&handle_describe_groups>::row,
    Wrap<&handle_list_groups>::row,
    Wrap<&handle_api_versions>::row,
    Wrap<&handle_create_topics>::row,
    Wrap<&handle_delete_topics>::row,
    Wrap<&handle_delete_records>::row,
    Wrap<&handle_init_producer_id>::row,
    Wrap<&handle_offset_for_leader_epoch>::row,
    Wrap<&handle_describe_configs>::row,
    Wrap<&handle_alter_configs>::row,
    Wrap<&handle_describe_log_dirs>::row,
    Wrap<&handle_create_partitions>::row,
    Wrap<&handle_delete_groups>::row,
    Wrap<&handle_incremental_alter_configs>::row,
    Wrap<&handle_offset_delete>::row,
    Wrap<&handle_describe_cluster>::row,
    Wrap<&handle_list_config_resources>::row,
    Wrap<&handle_describe_topic_partitions>::row,
});

const ServedApi* find_served(ApiKey key) noexcept {
  const auto* row = std::ranges::lower_bound(kServed, key, {}, [](const ServedApi& api) { return api.api->key; });
  return row != kServed.end() && row->api->key == key ? row : nullptr;
}

/// A client newer than this server asks in its own version first, and learns ours from the oldest form of the answer.
Result<Answer> answer_unknown_version(Request& request) {
  const ApiVersionsResponse::Range ours{.api_key = ApiKey::kApiVersions,
                                        .min_version = kApiVersionsApi.advertised.first,
                                        .max_version = kApiVersionsApi.advertised.last};
  ApiVersionsResponse response;
  response.error_code = KafkaError::kUnsupportedVersion;
  response.api_keys = std::span(&ours, 1);
  PYRALOG_ASSIGN(OutgoingFrame frame,
                 encode_response(response, ApiVersion(0), request.head.header.correlation_id, &allocate_answer));
  return answer_of(request, std::move(frame));
}

}  // namespace

std::span<const ServedApi> served_apis() noexcept { return kServed; }

bool may_run_beside_others(ByteView frame) noexcept {
  return frame.size() >= 2 && load_big<std::int16_t>(frame.data()) == static_cast<std::int16_t>(ApiKey::kProduce);
}

io::Task<Result<Answer>> dispatch(Request& request) {
  PYRALOG_CO_ASSIGN(request.head, parse_request(request.frame.view()));
  const RequestHeader& header = request.head.header;
  ShardMetrics& metrics = request.shard.metrics();
  const auto key = static_cast<std::size_t>(header.api_key);
  if (key < ShardMetrics::kApiKeysMax) ++metrics.requests[key];
  const ServedApi* served = find_served(header.api_key);
  if (served == nullptr) {
    co_return Error(ErrorCode::kUnsupportedVersion, "API " + std::to_string(static_cast<int>(header.api_key)));
  }
  if (!served->api->accepted.contains(header.api_version)) {
    if (header.api_key == ApiKey::kApiVersions) co_return answer_unknown_version(request);
    co_return Error(ErrorCode::kUnsupportedVersion,
                    std::string(served->api->name) + " version " + std::to_string(header.api_version.value));
  }
  Result<Answer> answer = co_await served->run(request);
  if (!answer.ok() && key < ShardMetrics::kApiKeysMax) ++metrics.request_errors[key];
  co_return answer;
}

Answer answer_of(Request& request, OutgoingFrame frame) {
  Answer answer;
  answer.pieces.reserve(1 + frame.tail.size());
  answer.pieces.emplace_back(std::move(frame.head));
  for (Piece& piece : frame.tail) {
    if (auto* slice = std::get_if<Slice>(&piece)) {
      answer.pieces.emplace_back(std::move(*slice));
    } else {
      answer.pieces.emplace_back(std::move(request.files[std::get<ExternalRange>(piece).id]));
    }
  }
  return answer;
}

}  // namespace pyralog::server
