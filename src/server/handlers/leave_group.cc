#include "server/handlers/group_answers.h"
#include "server/handlers/handlers.h"

namespace pyralog::server {
namespace {

using namespace protocol;

constexpr ApiVersion kSeveralMembers(3);

coordinator::LeaveRequest read_leave(Request& request, const LeaveGroupRequest& message) {
  coordinator::LeaveRequest leave{.group_id = std::string(message.group_id)};
  if (request.version() < kSeveralMembers) {
    leave.members.push_back({.member_id = std::string(message.member_id)});
    return leave;
  }
  for (const auto& member : message.members) {
    leave.members.push_back({.member_id = std::string(member.member_id), .instance_id = owned(member.group_instance_id)});
  }
  return leave;
}

}  // namespace

io::Task<Result<LeaveGroupResponse>> handle_leave_group(Request& request, const LeaveGroupRequest& message) {
  auto leave = [owned = read_leave(request, message)](GroupHost& host) mutable {
    auto ask = [owned = std::move(owned)](auto& coordinator, auto waiter, auto now) {
      coordinator.leave(owned, waiter, now);
    };
    return host.ask<coordinator::LeaveAnswer>(std::move(ask));
  };
  auto answer = co_await with_group<coordinator::LeaveAnswer>(request.shard, message.group_id, std::move(leave));
  LeaveGroupResponse response;
  response.error_code = answer ? answer->error : answer.error();
  if (response.error_code != KafkaError::kNone) co_return response;
  if (request.version() < kSeveralMembers) {
    response.error_code = answer->members.front();
    co_return response;
  }
  auto members = request.arena.make<LeaveGroupResponse::Member>(message.members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i] = {.member_id = message.members[i].member_id,
                  .group_instance_id = message.members[i].group_instance_id,
                  .error_code = answer->members[i]};
  }
  response.members = members;
  co_return response;
}

}  // namespace pyralog::server
