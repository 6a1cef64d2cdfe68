#include "server/connection.h"
#include "server/handlers/group_answers.h"
#include "server/handlers/handlers.h"

namespace pyralog::server {
namespace {

using namespace protocol;

constexpr ApiVersion kKnowsMemberIdRequired(4);
constexpr ApiVersion kKnowsSkipAssignment(9);
constexpr ApiVersion kProtocolNameNullable(7);

coordinator::JoinRequest read_join(Request& request, const JoinGroupRequest& message) {
  coordinator::JoinRequest join;
  join.group_id = message.group_id;
  join.member_id = message.member_id;
  join.instance_id = owned(message.group_instance_id);
  join.client_id = request.client_id();
  join.client_host = "/" + request.connection.socket().peer().host;
  join.session_timeout = std::chrono::milliseconds(message.session_timeout_ms);
  const bool has_rebalance_timeout = message.rebalance_timeout_ms >= 0;
  join.rebalance_timeout =
      std::chrono::milliseconds(has_rebalance_timeout ? message.rebalance_timeout_ms : message.session_timeout_ms);
  join.protocol_type = message.protocol_type;
  for (const auto& protocol : message.protocols) {
    join.strategies.push_back({.name = std::string(protocol.name), .metadata = owned(protocol.metadata)});
  }
  join.must_know_its_id = request.version() >= kKnowsMemberIdRequired;
  join.may_skip_assignment = request.version() >= kKnowsSkipAssignment;
  join.fresh_id = request.shard.reactor().random().uuid();
  return join;
}

JoinGroupResponse write_join(Request& request, const coordinator::JoinAnswer& answer) {
  JoinGroupResponse response;
  response.error_code = answer.error;
  response.generation_id = answer.generation.value;
  response.protocol_type = lent_optional(request, answer.protocol_type);
  response.protocol_name = lent_optional(request, answer.protocol_name);
  if (!response.protocol_name && request.version() < kProtocolNameNullable) response.protocol_name = "";
  response.leader = lent(request, answer.leader);
  response.skip_assignment = answer.skip_assignment;
  response.member_id = lent(request, answer.member_id);
  auto members = request.arena.make<JoinGroupResponse::Member>(answer.members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].member_id = lent(request, answer.members[i].member_id);
    members[i].group_instance_id = lent_optional(request, answer.members[i].instance_id);
    members[i].metadata = lent_bytes(request, answer.members[i].metadata);
  }
  response.members = members;
  return response;
}

}  // namespace

io::Task<Result<JoinGroupResponse>> handle_join_group(Request& request, const JoinGroupRequest& message) {
  auto join = [owned = read_join(request, message)](GroupHost& host) mutable {
    auto ask = [owned = std::move(owned)](auto& coordinator, auto waiter, auto now) mutable {
      coordinator.join(std::move(owned), waiter, now);
    };
    return host.ask<coordinator::JoinAnswer>(std::move(ask));
  };
  auto answer = co_await with_group<coordinator::JoinAnswer>(request.shard, message.group_id, std::move(join));
  if (answer && answer->error == KafkaError::kPolicyViolation) warn_of_too_many_groups(request, message.group_id);
  if (answer && answer->error == KafkaError::kGroupMaxSizeReached) {
    request.shard.warn_of_client(request.connection.socket().peer(),
                                 "refused in group " + std::string(message.group_id) +
                                     ", which is full: see groups.members_max and groups.member_bytes_max");
  }
  if (answer) co_return write_join(request, *answer);
  co_return write_join(request, {.error = answer.error(), .member_id = std::string(message.member_id)});
}

}  // namespace pyralog::server
