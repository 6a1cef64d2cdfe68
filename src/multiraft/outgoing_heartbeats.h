#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "multiraft/heartbeats.h"

namespace pyralog::multiraft {

/// What is still to be told to one other node about the groups that it shares with this one. A group is in every batch from
/// its change on (in turn, if there are more than a batch holds) until the other has acknowledged one of them; an idle
/// group costs nothing on the wire.
class OutgoingHeartbeats {
 public:
  /// A group that both are members of; it is to be told.
  void add(GroupId group);
  void remove(GroupId group);
  /// `Output::heartbeat_changed` of the group.
  void changed(GroupId group);
  /// What the other says in its own batches, to this node's boot `self`. If it has restarted or suspected this node, it
  /// has forgotten what it was told. Nothing is told to who does not hear.
  void heard(BootId self, const HeartbeatBatch& batch);

  /// Nothing is left to be told.
  bool is_empty() const noexcept { return pending_.empty(); }
  /// Fills in `sequence` and `groups`; `say(GroupId)` is what there is to say now.
  template <class Say>
  void fill(HeartbeatBatch& batch, Say say) {
    batch.sequence = ++sequence_;
    for (const GroupId group : next_groups()) batch.groups.push_back({.group = group, .heartbeat = say(group)});
  }

 private:
  /// Batches whose acknowledgement is awaited; of older ones nothing is known any more, which does no harm.
  static constexpr std::size_t kUnacknowledgedMax = 64;

  using Version = std::uint64_t;
  struct Sent {
    std::uint64_t sequence;
    std::vector<std::pair<GroupId, Version>> groups;
  };

  void repeat_all();
  void acknowledged(std::uint64_t sequence);
  std::vector<GroupId> next_groups();

  std::set<GroupId> groups_;
  std::map<GroupId, Version> pending_;  // as of which change
  std::deque<Sent> sent_;
  Version version_ = 0;
  std::uint64_t sequence_ = 0;
  GroupId turn_;                        // where the next batch goes on, if one does not hold all
  bool is_heard_ = false;
  BootId other_boot_;
  std::uint32_t other_suspicions_ = 0;
};

}  // namespace pyralog::multiraft
