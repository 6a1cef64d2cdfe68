#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "replication/quorum.h"

namespace pyralog::replication {

/// An epoch of a partition: who numbers records from `start` on, and who must have them. Decided once committed in the
/// partition's Raft log; never changes afterwards (replication.md §1).
struct EpochRow {
  LeaderEpoch epoch;
  Offset start;
  ReplicaId leader;
  DataConfiguration data;
  friend bool operator==(const EpochRow&, const EpochRow&) = default;
};

/// Records of one epoch, up to where the next run starts.
struct EpochRun {
  LeaderEpoch epoch;
  Offset start;
  friend bool operator==(const EpochRun&, const EpochRun&) = default;
};

/// What a replica's log is made of, without its bytes: dense from `start` to `end`.
struct LogShape {
  Offset start;
  Offset end;
  std::vector<EpochRun> runs;  ///< by offset; the first one begins at `start`; none if the log is empty

  /// The epoch of the record at `offset`; kNoLeaderEpoch outside.
  LeaderEpoch epoch_at(Offset offset) const noexcept;
  /// The newest epoch not above `asked` that has records, and where they end; the log's start if there is none.
  struct Tail {
    LeaderEpoch epoch = kNoLeaderEpoch;
    Offset end;
    friend bool operator==(const Tail&, const Tail&) = default;
  };
  Tail tail_of(LeaderEpoch asked) const noexcept;
  /// Forgets what lies at or above `new_end`.
  void truncate(Offset new_end);
  /// Records of `epoch` now reach up to `new_end`.
  void extend(LeaderEpoch epoch, Offset new_end);

  friend bool operator==(const LogShape&, const LogShape&) = default;
};

/// A log from outside must be dense, with rising epochs. kCorrupt.
Result<> check_log_shape(const LogShape& shape);

enum class Standing : std::uint8_t {
  kValid,
  kGarbage,       ///< of another epoch than the row that covers it
  kUndetermined,  ///< of an epoch newer than all rows known here: fetch the row
};

/// The rows of a partition, oldest first, as far as they are known. Epochs rise strictly, starts never fall; a row ends
/// where the next one starts, and the last is open. A value.
class EpochTable {
 public:
  /// kCorrupt: the row does not follow the last one. kInvalidArgument: check_replica_set. A row that is known already
  /// changes nothing, if it is the same.
  Result<> add(EpochRow row);
  /// Forgets rows that end at or below `start`: records below it are gone.
  void trim(Offset start);

  std::span<const EpochRow> rows() const noexcept { return rows_; }
  /// Null: none.
  const EpochRow* open_row() const noexcept { return rows_.empty() ? nullptr : &rows_.back(); }
  const EpochRow* row_of(LeaderEpoch epoch) const noexcept;
  /// Where a row's records end; none while it is open.
  std::optional<Offset> end_of(const EpochRow& row) const noexcept;
  /// The newest epoch not above `asked`, and its decided end (EPOCH_END). Nothing: that one is open, or there is none.
  std::optional<LogShape::Tail> decided_end(LeaderEpoch asked) const noexcept;

  /// Of a batch with these offsets [base, end) and epoch.
  Standing judge(LeaderEpoch epoch, Offset base, Offset end) const noexcept;

  /// How far a log is valid by these rows, and what it is there: kValid if that is its end.
  struct ValidEnd {
    Offset end;
    Standing beyond = Standing::kValid;
    friend bool operator==(const ValidEnd&, const ValidEnd&) = default;
  };
  ValidEnd valid_end(const LogShape& log) const;

 private:
  std::vector<EpochRow> rows_;
};

}  // namespace pyralog::replication
