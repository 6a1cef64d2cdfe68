#include <algorithm>

#include "server/connection.h"
#include "server/handlers/group_answers.h"
#include "server/handlers/handlers.h"

namespace pyralog::server {
namespace {

using namespace protocol;

constexpr ApiVersion kSeveralKeys(4);

/// Fills host and error of `answer`, which is a response or one of its coordinators.
void answer_key(Request& request, KafkaError error, std::string_view why, auto& answer) {
  answer.error_code = error;
  answer.error_message = std::nullopt;
  answer.node_id = NodeId(-1);
  answer.port = -1;
  if (error != KafkaError::kNone) {
    answer.error_message = why;
    return;
  }
  const io::Endpoint& advertised = request.connection.listener().advertised;
  answer.node_id = request.shard.info().id;
  answer.host = advertised.host;
  answer.port = advertised.port;
}

}  // namespace

io::Task<Result<FindCoordinatorResponse>> handle_find_coordinator(Request& request, const FindCoordinatorRequest& message) {
  KafkaError error = KafkaError::kNone;
  std::string_view why;
  if (message.key_type != CoordinatorType::kGroup) {
    error = KafkaError::kInvalidRequest;
    why = "Only groups have coordinators here: there are no transactions and no share groups";
  } else if (auto made = co_await ensure_group_log(request.shard); !made.ok()) {
    error = KafkaError::kCoordinatorNotAvailable;
    why = lent(request, made.error().to_string());
  }
  FindCoordinatorResponse response;
  if (request.version() < kSeveralKeys) {
    answer_key(request, error, why, response);
    co_return response;
  }
  auto coordinators = request.arena.make<FindCoordinatorResponse::Coordinator>(message.coordinator_keys.size());
  for (std::size_t i = 0; i < coordinators.size(); ++i) {
    coordinators[i].key = message.coordinator_keys[i];
    answer_key(request, error, why, coordinators[i]);
  }
  response.coordinators = coordinators;
  co_return response;
}

}  // namespace pyralog::server
