#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "coordinator/group_messages.h"
#include "io/task.h"

namespace pyralog::server {

class Shard;

/// The group members whose heartbeats come by a connection. When it ends, their coordinators learn of it. On the
/// connection's shard.
class ConnectionMembers {
 public:
  /// Of more than so many the latest count; a client is a member or two.
  static constexpr std::size_t kMembersMax = 16;

  explicit ConnectionMembers(Shard& shard);

  coordinator::ConnectionId connection() const noexcept { return id_; }
  void remember(std::string_view group_id, std::string_view member_id);
  /// The connection has ended, and not by this node's will.
  io::Task<> lose_connection();

 private:
  struct Membership {
    std::string group_id;
    std::string member_id;
  };

  Shard& shard_;
  const coordinator::ConnectionId id_;
  std::deque<Membership> members_;
};

}  // namespace pyralog::server
