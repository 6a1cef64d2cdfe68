#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "raft/cluster_checks.h"
#include "raft/durable_state.h"
#include "raft/group.h"

namespace pyralog::raft {

/// A node of the model simulation: a replica with its disk, and what it knows of who lives.
struct SimulatedReplica {
  struct Heard {
    MonotonicTime at;
    std::uint64_t boot = 0;
    bool is_suspected = false;
  };
  struct Writing {
    Persist persist;
    MonotonicTime done_at;
  };

  ReplicaId id;
  std::uint64_t boot = 0;
  std::unique_ptr<Group> group;  ///< null: down
  Restored durable;
  std::deque<Writing> writing;   ///< in order; not durable yet
  ClusterChecks::State state;
  std::map<ReplicaId, Heard> heard;
  std::optional<MonotonicTime> tick_at;
  std::optional<MonotonicTime> disk_stalls_until;

  bool is_up() const noexcept { return group != nullptr; }
  RaftIndex durable_last() const noexcept {
    return durable.snapshot.index + static_cast<std::int64_t>(durable.entries.size());
  }
};

/// What is to happen, in the order of virtual time.
class EventQueue {
 public:
  void at(MonotonicTime when, std::function<void()> what) { events_.emplace(when, std::move(what)); }
  /// The next event, if it is due until `end`; otherwise it is `end` now.
  bool run_next(MonotonicTime end) {
    if (events_.empty() || events_.begin()->first > end) return now_ = end, false;
    const auto event = events_.extract(events_.begin());
    now_ = event.key();
    event.mapped()();
    return true;
  }

 protected:
  MonotonicTime now_{};

 private:
  std::multimap<MonotonicTime, std::function<void()>> events_;
};

/// What happened in a simulation, so that a campaign can tell that everything did.
enum class Happened : std::uint8_t {
  kDropped,
  kDuplicated,
  kDelayed,
  kCut,
  kOneWayCut,
  kCrashed,
  kRestartedAtOnce,
  kLostUnsynced,
  kKeptUnsynced,
  kDiskStalled,
  kWiped,
  kElected,
  kCaretaker,
  kTransferred,
  kTransferFailed,
  kStoodAgain,
  kStoodUnasked,
  kSteppedDown,
  kChangedMembers,
  kLeftJoint,
  kWentBack,
  kChangedLearnersOnly,
  kCompacted,
  kInstalledSnapshot,
  kTruncated,
  kRead,
  kReadFailed,
  kSoftDelayed,
  kCount
};

}  // namespace pyralog::raft
