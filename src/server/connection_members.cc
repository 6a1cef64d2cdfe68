#include "server/connection_members.h"

#include <algorithm>
#include <utility>

#include "server/group_service.h"
#include "server/shard.h"

namespace pyralog::server {
namespace {

constexpr int kShardBits = 16;  // of a connection's id, the lowest: ids of different shards differ

io::Task<bool> lose(GroupHost& host, std::string group_id, std::string member_id, coordinator::ConnectionId connection) {
  host.coordinator().lose_connection(group_id, member_id, connection, host.now());
  host.pump();
  co_return true;
}

}  // namespace

ConnectionMembers::ConnectionMembers(Shard& shard)
    : shard_(shard), id_((shard.metrics().connections_accepted << kShardBits) | shard.id().value) {}

void ConnectionMembers::remember(std::string_view group_id, std::string_view member_id) {
  const auto is_it = [&](const Membership& known) { return known.group_id == group_id && known.member_id == member_id; };
  if (std::ranges::any_of(members_, is_it)) return;
  if (members_.size() == kMembersMax) members_.pop_front();
  members_.push_back({std::string(group_id), std::string(member_id)});
}

io::Task<> ConnectionMembers::lose_connection() {
  for (Membership& member : std::exchange(members_, {})) {
    const std::string group_id = member.group_id;
    auto there = [member = std::move(member), id = id_](GroupHost& host) {
      return lose(host, member.group_id, member.member_id, id);
    };
    // A coordinator that is loading or gone starts all sessions anew.
    (void)co_await with_group<bool>(shard_, group_id, std::move(there));
  }
}

}  // namespace pyralog::server
