#include "server/connection.h"
#include "server/handlers/group_answers.h"
#include "server/handlers/handlers.h"

namespace pyralog::server {
namespace {

io::Task<protocol::KafkaError> beat(GroupHost& host, coordinator::HeartbeatRequest request) {
  co_return host.coordinator().heartbeat(request, host.now());
}

}  // namespace

io::Task<Result<protocol::HeartbeatResponse>> handle_heartbeat(Request& request, const protocol::HeartbeatRequest& message) {
  coordinator::HeartbeatRequest heartbeat{.group_id = std::string(message.group_id),
                                          .member = {.member_id = std::string(message.member_id),
                                                     .instance_id = owned(message.group_instance_id),
                                                     .generation = coordinator::Generation(message.generation_id)},
                                          .connection = request.connection.members().connection()};
  auto there = [heartbeat = std::move(heartbeat)](GroupHost& host) { return beat(host, heartbeat); };
  const auto error = co_await with_group<protocol::KafkaError>(request.shard, message.group_id, std::move(there));
  const auto answer = error ? *error : error.error();
  const bool lives = answer == protocol::KafkaError::kNone || answer == protocol::KafkaError::kRebalanceInProgress;
  if (lives) request.connection.members().remember(message.group_id, message.member_id);
  co_return protocol::HeartbeatResponse{.error_code = answer};
}

}  // namespace pyralog::server
