#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core/time.h"
#include "replication/quorum.h"

namespace pyralog::replication {

/// A leader's view of who has what in its epoch, and so of what is committed (replication.md §4). Every copy counts alike,
/// its own too. On one shard; time is an argument.
class CommitTracker {
 public:
  /// `start`: where the epoch starts; everything below it is committed, everything from it on is not.
  CommitTracker(DataConfiguration data, Offset start, MonotonicTime now);

  const DataConfiguration& data() const noexcept { return data_; }
  Offset high_watermark() const noexcept { return high_watermark_; }
  /// The end of what the leader has numbered.
  Offset log_end() const noexcept { return log_end_; }

  /// The leader has numbered records up to `end`. That is no copy yet.
  void sequenced(Offset end, MonotonicTime now);
  /// `replica` has verified under this ballot that its log is the leader's up to `end`, which is synced there if the log is
  /// durable. Ignored from anybody who is not in the configuration, beyond what was numbered, and of another life than the
  /// one last heard of: an answer may arrive when its process, with what was in its memory, is gone.
  void stored(const ReplicaId& replica, BootId life, Offset end, MonotonicTime now);
  /// The replica's process is in this life, as a connection's handshake says (which, unlike answers, cannot come late). If
  /// that is news, what it said before does not count any more, but what is committed stays so.
  void restarted(const ReplicaId& replica, BootId life);
  /// No acknowledgement counts from now on, for good.
  void freeze() noexcept { is_frozen_ = true; }
  bool is_frozen() const noexcept { return is_frozen_; }

  /// Records that come later need the copies of the new configuration; the high watermark stays.
  void change(DataConfiguration data, MonotonicTime now);
  /// Whether a write quorum of `set` has everything below `end`. The high watermark alone, perhaps raised by the old set,
  /// says nothing about the new one.
  bool has_quorum(const ReplicaSet& set, Offset end) const;

  /// So many replicas of the configuration have everything below `end`.
  std::size_t copies(Offset end) const;
  /// The end of what at least `copies` replicas have, of committed records: what an acknowledgement to several waits for.
  Offset end_with_copies(std::size_t copies) const;
  Offset matched(const ReplicaId& replica) const;

  /// In-sync replicas: those that reached the leader's end within `lag_max`. A report and a gate; nothing else depends on it.
  std::vector<ReplicaId> in_sync(MonotonicTime now, Duration lag_max) const;

 private:
  struct Copy {
    std::optional<BootId> life;
    Offset matched;
    // The newest moment of which is known that the replica had then, or has since, everything that there was.
    MonotonicTime caught_up_at;
    Offset mark;  ///< the leader's end at `mark_at`: reaching it moves `caught_up_at` there
    MonotonicTime mark_at;
    bool is_in_sync_candidate = false;  ///< has reached the high watermark since it became a member or started
  };
  void add_copies(MonotonicTime now, bool are_new);
  void advance();

  DataConfiguration data_;
  std::map<ReplicaId, Copy> copies_;
  Offset start_;
  Offset log_end_;
  Offset high_watermark_;
  bool is_frozen_ = false;
};

}  // namespace pyralog::replication
