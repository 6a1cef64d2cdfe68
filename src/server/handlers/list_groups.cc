#include <algorithm>

#include "server/handlers/group_answers.h"
#include "server/handlers/handlers.h"

namespace pyralog::server {
namespace {

using namespace protocol;

constexpr std::string_view kClassicType = "classic";

struct ShardGroups {
  KafkaError error{};
  std::vector<coordinator::ListedGroup> groups;
};

io::Task<ShardGroups> list_here(Shard& shard) {
  ShardGroups listed;
  for (const auto& [index, host] : shard.groups().hosts()) {
    if (host->refusal() != KafkaError::kNone) listed.error = host->refusal();
    for (auto& group : host->coordinator().list()) listed.groups.push_back(std::move(group));
  }
  co_return listed;
}

bool same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool passes(ArrayView<std::string_view> filter, std::string_view value) {
  return filter.empty() || std::ranges::any_of(filter, [&](std::string_view wanted) { return same_word(wanted, value); });
}

}  // namespace

io::Task<Result<ListGroupsResponse>> handle_list_groups(Request& request, const ListGroupsRequest& message) {
  ListGroupsResponse response;
  std::vector<coordinator::ListedGroup> all;
  Node& node = request.shard.node();
  for (std::size_t i = 0; i < node.shard_count(); ++i) {
    Shard& shard = node.shard(ShardId(static_cast<std::uint32_t>(i)));
    auto list = [&shard]() { return list_here(shard); };
    ShardGroups listed = co_await io::call_on(shard.reactor(), std::move(list));
    // A list with gaps would look like one without.
    if (listed.error != KafkaError::kNone) {
      response.error_code = listed.error;
      co_return response;
    }
    std::ranges::move(listed.groups, std::back_inserter(all));
  }
  std::erase_if(all, [&](const coordinator::ListedGroup& group) {
    return !passes(message.states_filter, coordinator::group_state_name(group.state)) ||
           !passes(message.types_filter, kClassicType);
  });
  auto groups = request.arena.make<ListGroupsResponse::Group>(all.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i] = {.group_id = lent(request, all[i].group_id),
                 .protocol_type = lent(request, all[i].protocol_type),
                 .group_state = coordinator::group_state_name(all[i].state),
                 .group_type = kClassicType};
  }
  response.groups = groups;
  co_return response;
}

}  // namespace pyralog::server
