#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "replication/commit_tracker.h"
#include "replication/epoch_table.h"

namespace pyralog::replication {

/// Records that a replica had and cannot read any more.
struct DamagedRange {
  Offset begin;
  Offset end;  ///< exclusive
};

/// What a replica says of its log when it votes or is sealed (TailInfo, replication.md §5).
struct TailInfo {
  BootId life;
  Offset committed_hint;  ///< a lower bound of what is committed
  LogShape log;           ///< everything appended, synced or not
  /// Cached class, after its system stopped uncleanly: what it has counts, what it lacks from here on is unknown.
  std::optional<Offset> suspect_from;
  /// Where its copy is damaged, by offset: what was there is unknown.
  std::vector<DamagedRange> damaged;
  bool is_rebuilding = false;  ///< it lacks anything
};

/// kCorrupt: what a peer says of its log cannot be true, or not of a voter of `term`.
Result<> check_tail_info(const TailInfo& tail, LeaderEpoch term);

/// The winner of an election on its way to leading: finds where the log ends, sees to it that enough copies say so, and has
/// that decided (replication.md §5, mode 1). Pure: told what happens, it says what is to be done next. Nothing of epoch t is
/// written before `is_open`.
class Activation {
 public:
  struct Setup {
    ReplicaId self;
    LeaderEpoch term;       ///< t: the election's, which becomes the epoch
    DataConfiguration data; ///< the newest in t's Raft log, committed or not
    /// t's Raft log, undecided rows included: by it records are judged. Its last row is the open one.
    EpochTable table;
    /// The rows known to be committed: only by these may anything be truncated before the decision.
    EpochTable decided;
  };
  Activation(Setup setup, TailInfo own, MonotonicTime now);
  /// The graceful path, of a leader that won a new term for itself in the same life: nobody else can have raised what is
  /// committed, so the epoch ends at `committed` and nobody is asked. Once open, the leader stamps what it has beyond anew and
  /// sends it again. Requires that its CommitTracker was frozen, at `committed`, before it asked for the first vote, and
  /// `may_be_graceful`.
  static Activation graceful(Setup setup, Offset committed, MonotonicTime now);
  /// Whether the epoch that it led is the open row of its Raft log, or only rows of its own that were not committed follow.
  static bool may_be_graceful(const Setup& setup, LeaderEpoch led);

  enum class Need : std::uint8_t {
    kSeals,         ///< seal `unsealed()`; no answer may ever come, then §8 or a hand-over
    kUnwitnessed,   ///< all have answered, and too few can know what they lack (§7, power lost by most): an operator's case
    kRepair,        ///< the leader's own copy is damaged from `from()` on: repair it from its peers, or hand over
    kPriorRows,     ///< have the rows before t committed, by an entry of t: garbage in the leader's log can then be truncated
    kTruncateSelf,  ///< the leader's own log to `own_valid_end()`
    kFetch,         ///< what the leader lacks below `end()`, from `source()`
    kLevel,         ///< store [`from()`, `end()`) on the members, as recovery under t's ballot
    kDecide,        ///< commit the row `row()` in the Raft log
    kOpen,          ///< lead
    kLost,          ///< committed records are on none of a seal quorum: never by itself; an operator's or §7's case
  };
  Need need() const noexcept { return need_; }

  /// A vote or the answer to a seal of t. The last one of a replica counts; one of another life than its handshake named is
  /// late, and ignored. kCorrupt, and nothing changes: see check_tail_info.
  Result<> sealed(const ReplicaId& replica, TailInfo tail, MonotonicTime now);
  /// As CommitTracker::restarted. Until the leader has all that was found, what was said in another life has to be said again.
  void restarted(const ReplicaId& replica, BootId life, MonotonicTime now);
  /// All rows before t are committed.
  void prior_rows_decided();
  /// The leader's own log was truncated or repaired, or has grown by what it fetched.
  void own_log_is(LogShape log, MonotonicTime now, std::vector<DamagedRange> damaged = {});
  /// A copy of everything below `end` under t's ballot, verified and, if durable, synced; the leader's own too.
  void stored(const ReplicaId& replica, BootId life, Offset end, MonotonicTime now);
  /// t's row is committed.
  void decided();

  const Setup& setup() const noexcept { return setup_; }
  /// Members that have not answered, or not in their present life.
  std::vector<ReplicaId> unsealed() const;
  /// Everything below is committed already.
  Offset from() const noexcept { return from_; }
  /// E: the end of every batch that was seen and is valid. Requires a need beyond kSeals.
  Offset end() const noexcept { return end_; }
  Offset own_valid_end() const { return setup_.table.valid_end(tails_.at(setup_.self).log).end; }
  /// Who has valid records up to `end()`. Requires kFetch.
  ReplicaId source() const;
  EpochRow row() const;
  /// Who has what under t's ballot, to go on with when open. Requires a need from kLevel on.
  CommitTracker& copies() { return *copies_; }

 private:
  explicit Activation(Setup setup) : setup_(std::move(setup)) {}
  bool is_finding_end() const noexcept {
    return need_ == Need::kSeals || need_ == Need::kUnwitnessed || need_ == Need::kLost;
  }
  bool knows_what_it_lacks(const ReplicaId& replica) const;
  bool is_damaged_beyond_committed(const TailInfo& tail) const;
  Offset valid_end_of(const ReplicaId& replica) const;
  void find_end(MonotonicTime now);
  void step(MonotonicTime now);
  Need own_log_need() const;

  Setup setup_;
  std::map<ReplicaId, TailInfo> tails_;
  std::map<ReplicaId, BootId> lives_;  // as handshakes said
  std::optional<CommitTracker> copies_;
  Need need_ = Need::kSeals;
  Offset from_;
  Offset end_;
  bool prior_rows_decided_ = false;
};

}  // namespace pyralog::replication
