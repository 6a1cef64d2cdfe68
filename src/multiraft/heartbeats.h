#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "raft/messages.h"

namespace pyralog::multiraft {

using GroupId = StrongId<struct GroupIdTag, std::uint64_t>;  ///< the same on all nodes, never used again
using BootId = StrongId<struct BootIdTag, std::uint64_t>;    ///< random at each start of a process; 0: none

inline constexpr std::size_t kShardsPerNodeMax = 1'024;
inline constexpr std::size_t kGroupsPerHeartbeatMax = 4'096;

struct GroupHeartbeat {
  GroupId group;
  raft::Heartbeat heartbeat;  ///< its round is 0: a read barrier has messages of its own
};

/// What one node tells another every heartbeat interval; there is no answer but the other's own (HB_BATCH of
/// replication.md §3).
struct HeartbeatBatch {
  BootId boot;
  std::uint64_t sequence = 0;                  ///< within the boot, from 1, rises by one
  BootId heard_boot;                           ///< the last that came from the receiver: acknowledges it
  std::uint64_t heard_sequence = 0;
  std::uint32_t suspicions = 0;                ///< how often the sender has suspected the receiver in this boot
  std::vector<std::uint32_t> shard_counters;   ///< one for each shard, moves while the shard does; wraps
  std::vector<GroupHeartbeat> groups;          ///< those about which the receiver is not known to know
};

/// kCorrupt: more than a node may say, or a number it cannot have.
Result<> check_batch(const HeartbeatBatch& batch);

}  // namespace pyralog::multiraft
