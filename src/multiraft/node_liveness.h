#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/time.h"
#include "multiraft/heartbeats.h"

namespace pyralog::multiraft {

struct LivenessOptions {
  Duration interval = std::chrono::milliseconds(25);           ///< between ticks, and between heartbeats
  Duration suspicion = std::chrono::milliseconds(125);         ///< of who has not been heard for so long
  Duration reset_suspicion = std::chrono::milliseconds(25);    ///< and this long after its connection was reset
  Duration shard_stall = std::chrono::milliseconds(500);       ///< of a shard whose counter stands still
  Duration lateness_max = std::chrono::seconds(1);             ///< of this node's own that is allowed for
};

struct LivenessChange {
  raft::ReplicaId peer;
  std::optional<ShardId> shard;  ///< nothing: all of the node
  bool is_alive = false;
  friend bool operator==(const LivenessChange&, const LivenessChange&) = default;
};

/// Which other nodes live, judged by what is heard of them: one suspicion for a node, not one for each of its thousands of
/// groups. Pure: `tick` every `interval`; what changed is in `take_changes`, to be told to the groups concerned
/// (`Group::suspect`, `Group::trust`). A node that restarted is suspected and trusted at once: it leads nothing any more.
///
/// A node that is late itself has not read what others sent: its own lateness, as `tick` sees it, is added to the time
/// it gives others.
class NodeLiveness {
 public:
  explicit NodeLiveness(LivenessOptions options = {}) : options_(options) {}

  /// A node to watch, as if just heard. Known ones stay as they are.
  void add(const raft::ReplicaId& peer, MonotonicTime now);
  void remove(const raft::ReplicaId& peer) { peers_.erase(peer); }

  /// A batch that `check_batch` has passed. Those of a node that is not watched, or from an earlier life of it, say nothing.
  void heard(const raft::ReplicaId& peer, const HeartbeatBatch& batch, MonotonicTime now);
  /// Any other frame tells that the node lives, too; not that it is the same process: `heard` does.
  void heard_frame(const raft::ReplicaId& peer, MonotonicTime now);
  void connection_reset(const raft::ReplicaId& peer, MonotonicTime now);
  void tick(MonotonicTime now);

  /// Fills in what `to` is to know of how it is heard.
  void fill(HeartbeatBatch& batch, const raft::ReplicaId& to) const;

  std::vector<LivenessChange> take_changes() { return std::exchange(changes_, {}); }
  /// Nothing is known of a node that is not watched: suspected.
  bool is_suspected(const raft::ReplicaId& peer) const;
  bool is_suspected(const raft::ReplicaId& peer, ShardId shard) const;

 private:
  struct Shard {
    std::uint32_t counter = 0;
    MonotonicTime moved_at;
    bool is_suspected = false;
  };
  struct Peer {
    BootId boot;
    BootId boot_before;
    std::uint64_t sequence = 0;
    std::uint32_t suspicions = 0;
    MonotonicTime suspect_at;  // unless heard; `lateness_` is added
    bool is_suspected = false;
    std::vector<Shard> shards;
  };

  void suspect(const raft::ReplicaId& id, Peer& peer);
  void change(const raft::ReplicaId& id, std::optional<ShardId> shard, bool& is_suspected, bool suspect);
  void lives(const raft::ReplicaId& id, Peer& peer, MonotonicTime now);
  void watch_shards(const raft::ReplicaId& id, Peer& peer, const HeartbeatBatch& batch, MonotonicTime now);

  LivenessOptions options_;
  std::map<raft::ReplicaId, Peer> peers_;
  std::vector<LivenessChange> changes_;
  std::optional<MonotonicTime> ticked_at_;
  Duration lateness_{};
};

}  // namespace pyralog::multiraft
