#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "core/slice.h"
#include "core/time.h"
#include "io/sync.h"
#include "io/task_scope.h"
#include "storage/appended.h"
#include "storage/compaction.h"
#include "storage/gate.h"
#include "storage/log_read.h"
#include "storage/log_settings.h"
#include "storage/log_shard.h"
#include "storage/retention.h"
#include "storage/segment_index.h"
#include "storage/shard_store.h"

namespace pyralog::storage {

/// Who moves a log's high watermark.
enum class CommitRule : std::uint8_t {
  kLocal,     ///< this copy is the only one: what it has acknowledged is committed
  kExternal,  ///< replication, by `advance_high_watermark`
};

/// One partition's log as Kafka's clients see it, on top of its shard's store: offsets, epochs, idempotence, high watermark,
/// reads by offset and time, truncation, retention. On the shard's thread; does not move. Files: log_format.md.
///
/// `append` is for the record path. Coroutines return kAborted-like errors of the store as they are; kCorrupt means that the
/// log's bytes are damaged, never an index.
class PartitionLog {
 public:
  PartitionLog(LogShard& shard, PartitionFiles& files, std::shared_ptr<const LogSettings> settings,
               CommitRule rule = CommitRule::kLocal);
  PartitionLog(const PartitionLog&) = delete;
  ~PartitionLog();

  /// Ends background work; nothing else may be under way. Before destruction.
  io::Task<> close();

  Offset start() const noexcept { return files_.start(); }
  Offset log_end() const noexcept { return files_.log_end(); }
  Offset high_watermark() const noexcept { return high_watermark_; }
  const PartitionFiles& files() const noexcept { return files_; }
  const LogSettings& settings() const noexcept { return *settings_; }
  /// Bytes of all segments.
  std::uint64_t bytes() const noexcept;

  /// The epoch this node leads in; none while it does not.
  LeaderEpoch leader_epoch() const noexcept { return epoch_; }
  /// Leads in `epoch`, newer than that of every record; or (kNoLeaderEpoch) stops leading.
  void lead(LeaderEpoch epoch);
  /// An epoch that no record has, for a node that alone decides.
  LeaderEpoch next_epoch() const noexcept;
  /// KIP-320; see LeaderEpochs::end_of.
  std::optional<EpochEnd> epoch_end(LeaderEpoch asked) const;

  /// Appends a client's batch, which has passed `verify_crc` and `check_structure`; stamps it in place, so nobody else may
  /// have its bytes yet. A retry appends nothing. Errors: kNotLeader; kTooLarge; kOutOfOrderSequence, kProducerFenced,
  /// kInvalidRecord; kNoSpace; kUnavailable: only `append_in_turn` will do; those of the store. The log is then unchanged.
  Result<Appended> append(Slice batch);
  /// The same, after what `prepare` waits for. Those who wait go on in the order of their calls, and nobody overtakes them.
  io::Task<Result<Appended>> append_in_turn(Slice batch);
  /// Waits until changes under way have ended, producers are known, and what the next append continues is not damaged.
  io::Task<Result<>> prepare();

  /// Records below `offset` are committed (kExternal). Never moves back, nor beyond the log's end.
  void advance_high_watermark(Offset offset);
  /// Called whenever the high watermark has moved, before those who wait for it go on; it must not call back into the log.
  void set_on_advance(std::move_only_function<void()> callback) { on_advance_ = std::move(callback); }
  /// Waits until the high watermark has reached `offset`.
  io::Task<io::WaitOutcome> wait_high_watermark(Offset offset, MonotonicTime deadline, io::AbortSource& abort);

  /// kOutOfRange: below the log's start or beyond its end. Between limit and end: nothing, and no error.
  io::Task<Result<ReadResult>> read(ReadOptions options);
  /// The first readable record below `limit` that is not older than `timestamp`.
  io::Task<Result<std::optional<TimestampedOffset>>> offset_for_time(WallTime timestamp, ReadLimit limit);
  /// The record with the newest timestamp, if it is below `limit`; the first one if there are several.
  io::Task<Result<std::optional<TimestampedOffset>>> newest_timestamp(ReadLimit limit);

  /// Goes on in a new segment. No-op while the active one is empty.
  void roll();
  /// Removes the records from `end` on, and the whole batch if `end` lies within one; returns where the log ends now.
  /// kOutOfRange: below start or high watermark, which nothing may undo.
  io::Task<Result<Offset>> truncate(Offset end);
  /// Removes the records below `before`, for good; returns the new start. kOutOfRange: beyond the high watermark.
  io::Task<Result<Offset>> delete_records(Offset before);
  /// One retention pass: deletes old segments, after rolling an active one that is older than segment.ms. Returns how many.
  /// `now`: from a ClockGuard.
  io::Task<Result<std::size_t>> retain(std::optional<WallTime> now);
  /// What compaction could work on now, after rolling an active segment that is older than it may get. kAborted: ask again.
  io::Task<Result<CompactionBacklog>> compaction_backlog(WallTime now);
  std::size_t expire_producers(WallTime now);
  /// Changed settings, a changed durability class included. The old ones count until then.
  io::Task<Result<>> apply_settings(std::shared_ptr<const LogSettings> settings);

  /// Gives back memory that only an active log needs. For logs without traffic.
  io::Task<> rest();
  /// Bytes of this log's indexes in memory.
  std::size_t index_bytes_resident() const noexcept;

 private:
  friend class LogCompaction;

  /// With more producers than the checkpoint stores itself: how much log may have to be read again after a restart.
  static constexpr std::uint64_t kSnapshotBytesApart = 64u << 20;

  struct Sealed {
    SegmentSummary summary;
    std::uint32_t sparse_count = 0;
    std::uint32_t time_count = 0;
  };
  /// A segment that is no longer appended to and whose index files are not final yet.
  struct Sealing {
    std::shared_ptr<SegmentIndex> index;
    SegmentSummary summary;
    RoundSequence round;
    bool peak_known = true;
    bool is_cancelled = false;
  };
  /// Where a reader stopped, which is where it will go on.
  struct ReadHint {
    Offset offset{-1};
    LogPosition at;
  };
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    Offset end_offset;
  };
  struct IndexFiles {
    SharedFile sparse;
    SharedFile times;
  };

  // partition_log.cc, partition_tail.cc: appending
  void on_synced();
  bool must_roll(std::size_t batch_bytes, WallTime now) const noexcept;
  io::Task<Result<>> get_ready();
  bool tail_is_unchecked() const;
  io::Task<Result<>> check_tail();
  io::Task<Result<>> verify_tail(LogPosition end, std::uint64_t begin);
  Result<Appended> append_now(Slice bytes);
  SegmentIndex& growing_index();
  SegmentSource source(Offset base) const { return {files_, shard_.files, directory_path(), base}; }
  std::string directory_path() const;

  // partition_index.cc: finding
  Segment segment_at(Offset offset) const noexcept;
  Offset segment_end(Offset base) const noexcept;
  std::shared_ptr<SegmentIndex> index_in_memory(Offset base);
  io::Task<Result<SharedFile>> open_index_file(Offset base, FileKind kind, io::Existence existence);
  io::Task<Result<IndexFiles>> open_index_files(Offset base, io::Existence existence);
  io::Task<Result<>> complete_index(std::shared_ptr<SegmentIndex> index);
  io::Task<Result<Sealed>> sealed(Offset base);
  io::Task<Result<Sealed>> rebuild_sealed(Offset base);
  const Sealed* find_sealed(Offset base) const noexcept;
  void remember_sealed(const Sealed& segment);
  void forget_sealed(Offset base);
  io::Task<Result<SegmentSummary>> summary_of(Offset base);
  io::Task<Result<SegmentMark>> find_mark(Offset base, SparseEntry::Bound bound);
  io::Task<Result<SegmentMark>> find_mark_once(Offset base, SparseEntry::Bound bound);
  io::Task<Result<std::optional<TimeEntry>>> find_time(Offset base, WallTime before);
  io::Task<Result<std::optional<TimeEntry>>> find_time_once(Offset base, WallTime before);
  io::Task<Result<>> renew_index(Offset base);
  io::Task<> spill();
  io::Task<> seal(std::shared_ptr<Sealing> sealing);
  io::Task<Result<>> seal_now(Sealing& sealing);

  // partition_read.cc: reading
  Offset limit_of(ReadLimit limit) const noexcept {
    return limit == ReadLimit::kHighWatermark ? high_watermark_ : log_end();
  }
  io::Task<Result<ReadResult>> read_once(ReadOptions options);
  io::Task<Result<Range>> find_range(Segment segment, ReadOptions options, Offset limit);
  io::Task<Result<>> collect(Offset base, Range range, ReadResult& result);
  io::Task<Result<SegmentMark>> find_batch(Offset base, Offset offset);
  void remember_end(Offset offset, LogPosition at) noexcept;
  void forget_moved_hints() noexcept;

  // partition_times.cc: reading by time
  io::Task<Result<std::optional<TimestampedOffset>>> search(WallTime timestamp, Offset limit);
  io::Task<Result<std::optional<TimestampedOffset>>> search_newest(Offset limit);
  io::Task<Result<std::optional<TimestampedOffset>>> search_segment(Offset base, WallTime timestamp, Offset limit);
  Result<std::optional<TimestampedOffset>> search_batch(const Slice& batch, WallTime timestamp) const;
  io::Task<Result<WallTime>> segment_peak(Offset base);

  // partition_change.cc: changing
  io::Task<Result<>> remove_file(Offset offset, FileKind kind, Edition edition = 0);
  io::Task<Result<>> remove_index_files(SegmentName segment);
  void forget_file(SegmentName segment);
  io::Task<Result<>> cut(Offset end, LogPosition at);
  io::Task<Result<>> move_start(Offset start, Offset first_segment);
  io::Task<Result<std::size_t>> segments_due(std::optional<WallTime> now);

  // partition_compaction.cc
  io::Task<Result<WallTime>> first_written(Offset base, WallTime fallback, WallTime now);

  // partition_producers.cc: producer snapshots
  bool snapshot_due() const noexcept;
  void start_snapshot();
  io::Task<> take_snapshot(ProducerSnapshot snapshot, RoundSequence round, std::uint64_t bytes_covered);
  io::Task<Result<>> write_snapshot(ProducerSnapshot snapshot);
  io::Task<Result<>> wait_durable(RoundSequence round);
  io::Task<Result<>> rebuild_producers();
  io::Task<Result<std::optional<ProducerSnapshot>>> usable_snapshot();
  io::Task<Result<std::vector<Offset>>> list_snapshots();
  io::Task<Result<>> replay_producers(ProducerTable& table, Offset from);

  LogShard& shard_;
  PartitionFiles& files_;
  std::shared_ptr<const LogSettings> settings_;
  Offset high_watermark_;
  RoundSequence newest_round_;
  LeaderEpoch epoch_ = kNoLeaderEpoch;
  CommitRule rule_;
  std::uint32_t cuts_ = 0;   ///< truncations so far: positions found before one mean nothing after it
  std::size_t appends_waiting_ = 0;
  bool is_cutting_ = false;  ///< a truncation is under way
  bool is_spilling_ = false;
  bool is_taking_snapshot_ = false;

  std::uint64_t snapshot_bytes_next_ = kSnapshotBytesApart;
  LogPosition tail_checked_;   // the last block was found undamaged when the log ended here
  SegmentMark inherited_;  // end of the active segment's bytes that `index_` was not told of
  std::shared_ptr<SegmentIndex> index_;  // of the active segment; null until needed
  std::vector<std::shared_ptr<Sealing>> sealing_;
  std::vector<Sealed> sealed_;  // those that were asked for, by base
  std::array<ReadHint, 4> hints_;
  std::size_t hint_next_ = 0;
  std::uint64_t hints_replacements_ = 0;  // of the log, when the hints were right

  io::WaitList high_watermark_reached_;
  std::move_only_function<void()> on_advance_;
  Gate changes_;    // truncation, deletion, retention, settings, rebuilding of producers
  Gate index_work_;  // completing and rebuilding indexes
  io::TaskScope tasks_;
};

}  // namespace pyralog::storage
