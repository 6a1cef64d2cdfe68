#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"
#include "record/batch_view.h"
#include "storage/leader_epochs.h"
#include "storage/producer_state.h"

namespace pyralog::storage {

/// The newest timestamp of a run of batches, and the batch that has it (the first one, if several do).
struct TimestampPeak {
  WallTime timestamp = record::kNoTimestamp;
  Offset batch_base{-1};

  void note(const record::BatchHeader& batch) noexcept {
    // What compaction left without records has no record with its time either.
    if (batch.max_timestamp() <= timestamp || batch.records_count() == 0) return;
    timestamp = batch.max_timestamp();
    batch_base = batch.base_offset();
  }
  friend bool operator==(const TimestampPeak&, const TimestampPeak&) = default;
};

/// How far compaction has come.
struct CompactionProgress {
  Offset end;             ///< below it, only the last record of each key is left, of those below it
  WallTime horizon{-1};   ///< when the last of the deletion marks that it left may go; negative: it left none
  friend bool operator==(const CompactionProgress&, const CompactionProgress&) = default;
};

/// What must be known of a partition's log besides its bytes: a value that follows from the headers of its batches in
/// order. It is stored in the shard's checkpoint, and recovery applies to it what the journal holds beyond.
///
/// A large producer table is not stored but replaced by the offset of a producer snapshot file; a state decoded from that
/// has no producers (`producers_known()` is false, and `apply` leaves them alone) until the log's owner has rebuilt them.
class LogState {
 public:
  /// Producers beyond this many encoded bytes are stored by reference, once a snapshot file exists.
  static constexpr std::size_t kProducerBytesInlineMax = 512;

  Offset log_end() const noexcept { return log_end_; }
  const LeaderEpochs& epochs() const noexcept { return epochs_; }
  const ProducerTable& producers() const noexcept { return producers_; }
  bool producers_known() const noexcept { return producers_known_; }

  /// Base offset of the segment that the newest batch lies in, and what is known of that segment.
  Offset segment_base() const noexcept { return segment_base_; }
  /// Upper bound only, and without a batch, after a truncation: see `segment_peak_exact`.
  const TimestampPeak& segment_peak() const noexcept { return segment_peak_; }
  bool segment_peak_exact() const noexcept { return segment_peak_exact_; }
  /// When this node last appended, by its clock.
  WallTime appended_at() const noexcept { return appended_at_; }
  /// When this node first appended to that segment; negative: it has not.
  WallTime segment_started_at() const noexcept { return segment_started_at_; }
  /// Bytes of batches since the newest producer snapshot.
  std::uint64_t bytes_since_snapshot() const noexcept { return bytes_since_snapshot_; }
  std::optional<Offset> snapshot() const noexcept { return snapshot_; }
  /// After a crash it may be what it was some time before, which costs another pass and nothing else.
  const CompactionProgress& compaction() const noexcept { return compaction_; }

  /// The batch (with its offsets and epoch stamped) is now the log's last one and lies in the segment that starts at
  /// `segment_base`. `now`: the node's clock; recovery passes its own time. Allocates only for a new epoch or producer.
  void apply(const record::BatchHeader& batch, Offset segment_base, WallTime now);

  /// The log now ends at `end`, in the segment that starts at `segment_base`. Nothing happens at or above the log's end.
  void truncate(Offset end, Offset segment_base);

  /// Records below `start` are gone. A start beyond the log's end moves the end there: the log is empty.
  void trim(Offset start);

  /// The same, and segments below the one at `first_segment` are gone too. A snapshot below that is no longer relied upon:
  /// what producers wrote between them cannot be read again.
  void drop_front(Offset start, Offset first_segment);

  /// A segment begins at the log's end, which nothing has been appended to yet.
  void begin_segment(Offset base);

  /// A snapshot file with all producers below `offset` (at most the log's end) is durable. `bytes_covered`: what
  /// `bytes_since_snapshot` was when the log ended there.
  void set_snapshot(Offset offset, std::uint64_t bytes_covered);
  /// No snapshot file is to be relied upon.
  void drop_snapshot() noexcept { snapshot_.reset(); }

  /// What the log's owner found out: producers rebuilt from snapshot and log, the segment's peak from its time index.
  void set_producers(ProducerTable producers);
  void set_segment_peak(const TimestampPeak& peak);
  void set_compaction(const CompactionProgress& progress) noexcept { compaction_ = progress; }
  /// The owner is to find the producers out again.
  void forget_producers();
  std::size_t expire_producers(WallTime before) { return producers_.expire(before); }

  /// Appends the state to `out` (log_format.md): some 80 bytes, 12 per epoch, up to kProducerBytesInlineMax of producers.
  void encode(std::vector<std::byte>& out) const;
  /// Reads what `encode` wrote and moves `bytes` behind it. kTruncated, kCorrupt, kUnsupportedVersion.
  static Result<LogState> decode(ByteView& bytes);

  friend bool operator==(const LogState&, const LogState&) = default;

 private:
  LeaderEpochs epochs_;
  ProducerTable producers_;
  Offset log_end_;
  Offset segment_base_;
  TimestampPeak segment_peak_;
  WallTime appended_at_;
  WallTime segment_started_at_{-1};
  std::uint64_t bytes_since_snapshot_ = 0;
  std::optional<Offset> snapshot_;
  CompactionProgress compaction_;
  bool producers_known_ = true;
  bool segment_peak_exact_ = true;
};

}  // namespace pyralog::storage
