#include "server/handlers/group_answers.h"
#include "server/handlers/handlers.h"

namespace pyralog::server {
namespace {

using namespace protocol;

coordinator::SyncRequest read_sync(const SyncGroupRequest& message) {
  coordinator::SyncRequest sync{.group_id = std::string(message.group_id),
                                .member = {.member_id = std::string(message.member_id),
                                           .instance_id = owned(message.group_instance_id),
                                           .generation = coordinator::Generation(message.generation_id)},
                                .protocol_type = owned(message.protocol_type),
                                .protocol_name = owned(message.protocol_name)};
  for (const auto& assigned : message.assignments) {
    sync.assignments.push_back({.member_id = std::string(assigned.member_id), .assignment = owned(assigned.assignment)});
  }
  return sync;
}

}  // namespace

io::Task<Result<SyncGroupResponse>> handle_sync_group(Request& request, const SyncGroupRequest& message) {
  // From version 5 on the client says what it believes was agreed on.
  if (request.version() >= ApiVersion(5) && (!message.protocol_type || !message.protocol_name)) {
    co_return SyncGroupResponse{.error_code = KafkaError::kInconsistentGroupProtocol};
  }
  auto sync = [owned = read_sync(message)](GroupHost& host) mutable {
    auto ask = [owned = std::move(owned)](auto& coordinator, auto waiter, auto now) mutable {
      coordinator.sync(std::move(owned), waiter, now);
    };
    return host.ask<coordinator::SyncAnswer>(std::move(ask));
  };
  auto answer = co_await with_group<coordinator::SyncAnswer>(request.shard, message.group_id, std::move(sync));
  SyncGroupResponse response;
  if (!answer) {
    response.error_code = answer.error();
    co_return response;
  }
  response.error_code = answer->error;
  response.protocol_type = lent_optional(request, answer->protocol_type);
  response.protocol_name = lent_optional(request, answer->protocol_name);
  response.assignment = lent_bytes(request, answer->assignment);
  co_return response;
}

}  // namespace pyralog::server
