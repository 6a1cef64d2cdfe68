#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"

namespace pyralog::storage {

/// Where an epoch's records begin.
struct EpochStart {
  LeaderEpoch epoch;
  Offset start;
  friend bool operator==(const EpochStart&, const EpochStart&) = default;
};

/// Where an epoch's records end (exclusive).
struct EpochEnd {
  LeaderEpoch epoch;
  Offset end;
  friend bool operator==(const EpochEnd&, const EpochEnd&) = default;
};

/// The epochs of a partition's records, oldest first. Both epochs and starts rise strictly: an epoch without records has
/// no row, and a row ends where the next one starts. A value; knows nothing of files.
class LeaderEpochs {
 public:
  /// Notes a batch at the log's end. A batch of the newest epoch, or of none, changes nothing; an older epoch neither.
  void note(LeaderEpoch epoch, Offset base);

  /// The newest epoch that has records; kNoLeaderEpoch without any.
  LeaderEpoch latest() const noexcept { return rows_.empty() ? kNoLeaderEpoch : rows_.back().epoch; }

  /// The epoch of the record at `offset`, which lies below the log's end. kNoLeaderEpoch before the first row.
  LeaderEpoch epoch_at(Offset offset) const noexcept;

  /// The largest epoch not above `asked`, and its end (KIP-320). `leading` is the epoch in which this node leads, which may
  /// have no records yet; its rows end at `log_end`. Asked for an epoch before the first row, the answer is that epoch
  /// and the first row's start. Nothing if `asked` is newer than all that is known here, or is none.
  std::optional<EpochEnd> end_of(LeaderEpoch asked, LeaderEpoch leading, Offset log_end) const;

  /// Forgets rows without a record below `end`.
  void truncate(Offset end);

  /// Records below `start` are gone: forgets rows that end at or below it. The row that covers `start` begins there.
  void trim(Offset start);

  std::span<const EpochStart> rows() const noexcept { return rows_; }

  /// Appends the table to `out`: count, rows (log_format.md).
  void encode(std::vector<std::byte>& out) const;
  /// Reads what `encode` wrote and moves `bytes` behind it. kTruncated, kCorrupt.
  static Result<LeaderEpochs> decode(ByteView& bytes);

  friend bool operator==(const LeaderEpochs&, const LeaderEpochs&) = default;

 private:
  std::vector<EpochStart> rows_;
};

}  // namespace pyralog::storage
