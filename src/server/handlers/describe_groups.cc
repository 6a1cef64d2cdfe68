#include "server/handlers/group_answers.h"
#include "server/handlers/handlers.h"

namespace pyralog::server {
namespace {

using namespace protocol;
using coordinator::DescribedGroup;

constexpr ApiVersion kTellsMissingGroups(6);

io::Task<std::optional<DescribedGroup>> look_at(GroupHost& host, std::string group_id) {
  const auto* group = host.coordinator().find_group(group_id);
  co_return group != nullptr ? std::optional(group->describe()) : std::nullopt;
}

void write_group(Request& request, const DescribedGroup& from, DescribeGroupsResponse::Group& to) {
  to.group_state = coordinator::group_state_name(from.state);
  to.protocol_type = lent(request, from.protocol_type);
  to.protocol_data = lent(request, from.protocol_name);
  auto members = request.arena.make<DescribeGroupsResponse::Member>(from.members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i] = {.member_id = lent(request, from.members[i].member_id),
                  .group_instance_id = lent_optional(request, from.members[i].instance_id),
                  .client_id = lent(request, from.members[i].client_id),
                  .client_host = lent(request, from.members[i].client_host),
                  .member_metadata = lent_bytes(request, from.members[i].metadata),
                  .member_assignment = lent_bytes(request, from.members[i].assignment)};
  }
  to.members = members;
}

io::Task<> describe_one(Request& request, DescribeGroupsResponse::Group& answer) {
  auto there = [group_id = std::string(answer.group_id)](GroupHost& host) { return look_at(host, group_id); };
  auto found = co_await with_group<std::optional<DescribedGroup>>(request.shard, answer.group_id, std::move(there));
  answer.error_message = std::nullopt;
  if (!found) {
    answer.error_code = found.error();
  } else if (found->has_value()) {
    write_group(request, **found, answer);
  } else {
    answer.group_state = coordinator::group_state_name(coordinator::GroupState::kDead);
    if (request.version() < kTellsMissingGroups) co_return;
    answer.error_code = KafkaError::kGroupIdNotFound;
    answer.error_message = lent(request, "Group " + std::string(answer.group_id) + " not found.");
  }
}

}  // namespace

io::Task<Result<DescribeGroupsResponse>> handle_describe_groups(Request& request, const DescribeGroupsRequest& message) {
  DescribeGroupsResponse response;
  auto groups = request.arena.make<DescribeGroupsResponse::Group>(message.groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].group_id = message.groups[i];
    co_await describe_one(request, groups[i]);
  }
  response.groups = groups;
  co_return response;
}

}  // namespace pyralog::server
