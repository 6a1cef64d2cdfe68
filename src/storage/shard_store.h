#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/latency_histogram.h"
#include "core/limits.h"
#include "core/result.h"
#include "core/slice.h"
#include "io/disk.h"
#include "io/sync.h"
#include "record/batch_view.h"
#include "storage/partition_files.h"

namespace pyralog::storage {

class FileCache;

/// Sizes and times of a store. The defaults are the product's; tests shrink them.
struct StoreGeometry {
  std::uint64_t sector_bytes = limits::kSectorBytes;
  std::uint64_t block_bytes = limits::kBlockBytes;
  std::uint64_t journal_file_bytes = limits::kJournalFileBytes;
  std::uint64_t journal_first_file_bytes = limits::kJournalFirstFileBytes;  ///< of a new shard; at most the one above
  std::uint64_t journal_bytes_max = limits::kJournalBytesMax;
  std::uint64_t round_bytes_max = limits::kRoundBytesMax;
  std::uint64_t dirty_bytes_max = limits::kDirtyBytesMax;
  std::uint64_t write_cache_bytes_max = limits::kWriteCacheBytesMax;
  std::uint64_t pass_bytes_max = limits::kCleanerPassBytesMax;
  std::uint64_t direct_pass_bytes_min = limits::kDirectPassBytesMin;  ///< written past the page cache
  std::uint64_t write_bytes_max = limits::kWriteBytesMax;
  std::uint64_t batch_copied_bytes_below = limits::kBatchCopiedBytesBelow;
  std::uint64_t bypass_bytes_min = limits::kBypassBytesMin;
  std::uint64_t bypass_partitions_max = limits::kBypassPartitionsPerRoundMax;
  std::uint64_t clean_journal_bytes_min = 64u << 20;  ///< retained journal that starts the cleaner
  std::uint64_t tail_cache_bytes_max = 32u << 20;     ///< clean bytes kept in memory
  Duration prove_delay = std::chrono::milliseconds(100);  ///< without traffic, until an EMPTY round proves the last one
  Duration clean_delay_max = std::chrono::seconds(5);
  Duration checkpoint_delay_max = std::chrono::seconds(5);
  Duration tail_cache_delay_max = std::chrono::seconds(10);  ///< until unread clean bytes leave memory
};

struct StoreOptions {
  std::string data_directory;
  Uuid disk_uuid;
  ShardId shard;
  std::uint64_t generation = 1;         ///< of the division into shards (data_directory.h)
  std::uint64_t free_bytes_min = 0;     ///< setting storage.free_bytes_min
  std::uint64_t scrub_bytes_per_second = 0;  ///< of sealed segments, checked in the background; 0: none are
  StoreGeometry geometry;
};

/// A small durable value beside the logs (votes, promises, Raft entries): `slot` is its owner's own numbering, below
/// kSlotOfStore.
struct StateKey {
  static constexpr std::uint64_t kSlotOfStore = INT64_MAX;  ///< of a deleted partition: the directory that has to go

  Incarnation owner;
  std::uint64_t slot = 0;
  friend constexpr auto operator<=>(const StateKey&, const StateKey&) = default;
};

struct PartitionSpec {
  Incarnation incarnation;
  std::string directory;  ///< relative to the data directory
  DurabilityClass durability = DurabilityClass::kDurable;
  CachedBounds cached_bounds;
  Offset start;  ///< where the log begins
};

/// Counts since the start, and gauges of now.
struct StoreCounters {
  std::uint64_t rounds = 0, rounds_empty = 0;
  std::uint64_t journal_bytes = 0;          ///< written, padding included
  std::uint64_t appended_batches = 0, appended_bytes = 0;
  std::uint64_t bypassed_bytes = 0;
  std::uint64_t images = 0;
  std::uint64_t cleaner_passes = 0, cleaned_bytes = 0;
  std::uint64_t checkpoints = 0, checkpoint_bytes = 0;
  std::uint64_t refused_for_space = 0;
  std::uint64_t dirty_bytes = 0;            ///< gauge: in memory, not yet in a segment
  std::uint64_t cached_bytes = 0;           ///< gauge: clean, still in memory
  std::uint64_t write_cache_bytes = 0;      ///< gauge: of the cached class, acknowledged and in memory only
  std::uint64_t flushes = 0, flushed_bytes = 0;  ///< of the cached class: syncs, bytes written
  std::uint64_t journal_retained_bytes = 0;  ///< gauge
  std::uint64_t scrub_passes = 0, scrubbed_bytes = 0;
  std::uint64_t segment_damage = 0;         ///< damaged segments found; by the background check once a pass
  std::uint64_t scrub_pass_bytes = 0, scrub_pass_done_bytes = 0;  ///< gauges: of this pass, and what is done of it
  LatencyHistogram round_latency;           ///< seal to synced
  LatencyHistogram cleaner_latency;         ///< one pass
};

/// A segment's file that is not what it was.
struct SegmentDamage {
  std::string path;
  std::uint64_t position = 0;  ///< up to here all is well; what lies behind is not looked at
  std::string what;
};

/// A shard's durable bytes: journal, segments, checkpoints (storage.md §1–5, format.md). All on the shard's thread. Knows
/// batches by their header only; offsets and epochs are stamped by the caller before `append`.
///
/// A failed write or sync ends the store: every later call fails with kIo, and the process must stop (reliability.md §2).
class ShardStore {
 public:
  /// Recovers what the directory holds (storage.md §3) and starts to serve. `files` outlives the store. kCorrupt, kForeign,
  /// kUnsupportedVersion, kIo: nothing was changed, the detail says what and where.
  static io::Task<Result<std::unique_ptr<ShardStore>>> open(StoreOptions options, FileCache& files);

  ShardStore(const ShardStore&) = delete;
  ~ShardStore();

  /// Clean stop: everything into the segments, a last checkpoint. Appends must have ended. The store can then be destroyed.
  io::Task<Result<>> close();

  /// Every partition, in no particular order; pointers stay valid until `remove`.
  std::vector<PartitionFiles*> partitions();
  PartitionFiles* find(Incarnation incarnation) noexcept;

  /// Durable on return, and so are the names of its directory and of its first segment. kAlreadyExists.
  io::Task<Result<PartitionFiles*>> create(PartitionSpec spec);
  /// Durably forgets the partition, then removes its files and its directory for good: what a crash leaves of them, or brings
  /// back, goes at the next start. No call on it may be under way.
  io::Task<Result<>> remove(Incarnation incarnation);

  /// Whether `bytes` more may be written without taking what the node keeps free.
  io::Task<Result<bool>> has_room(std::uint64_t bytes);

  /// Makes the partition's directory, its name durable, for files of its owner beside the segments.
  io::Task<Result<>> make_directory(const PartitionFiles& partition);
  /// Makes the names of the files in it durable, and that removed ones are gone; fine without a directory.
  io::Task<Result<>> sync_directory(const PartitionFiles& partition);

  /// Adds one whole batch at the log's end, in the active segment (the caller has rolled if it should not go there).
  /// Durable class: returns the round to wait for. Cached class: round 0, as memory is all there is to wait for. `batch`
  /// keeps its chunk until it is in a segment.
  /// kNoSpace, kIo, kClosed; then nothing happened.
  Result<RoundSequence> append(PartitionFiles& partition, Slice batch, const record::BatchHeader& header,
                               SpaceUse space_use = SpaceUse::kLeavesSome);

  /// Returns once the round and all before it are durable. kIo: unknown, and the store has failed.
  io::Task<Result<>> wait_synced(RoundSequence round);
  RoundSequence synced() const noexcept;

  /// Starts a new segment at the log's end. No-op while the active one is empty. Its file is made in the background.
  void roll(PartitionFiles& partition);

  /// Cuts the log at offset `end`, which lies at `at`; durable, and the segments above removed, on return. Between call and
  /// return nobody appends to the partition.
  io::Task<Result<>> truncate(PartitionFiles& partition, Offset end, LogPosition at);

  /// Moves the log's start up to `start` and removes all segments below `first_segment`, which is the base of one, or, if
  /// `start` is at or beyond the log's end, `start` itself: then the log is empty and begins there. Durable on return.
  io::Task<Result<>> set_start(PartitionFiles& partition, Offset start, Offset first_segment);

  /// Puts `replacements` in place of the segments from the one at `first` up to the one at `end`: files that compaction has
  /// written, whole and durable, with the offsets of what they replace, of higher editions. All that is replaced is synced and
  /// clean, and nobody truncates it meanwhile. Readers see the one or the other; durable on return, the old files removed.
  /// Without replacements there is a segment before `first`. kAborted: not clean yet.
  io::Task<Result<>> replace_segments(PartitionFiles& partition, Offset first, Offset end, std::vector<Segment> replacements);

  /// Cleans the partition and goes on in a new segment under the other class. Durable on return; nobody appends meanwhile.
  io::Task<Result<>> change_class(PartitionFiles& partition, DurabilityClass durability);
  void set_cached_bounds(PartitionFiles& partition, const CachedBounds& bounds);
  /// Makes a cached partition's bytes, as of the call, durable.
  io::Task<Result<>> sync_cached(PartitionFiles& partition);

  /// Sets a value; an empty one removes it. Returns the round to wait for. Values are small (at most half a round).
  Result<RoundSequence> put_state(StateKey key, Slice value);
  /// As of the newest `put_state`; empty: none.
  Slice state(StateKey key) const;
  std::vector<StateKey> state_keys(Incarnation owner) const;

  /// False while journal, dirty memory or write cache are at their bounds: stop reading from sockets. Appends still work.
  bool accepting() const noexcept;
  /// Returns when `accepting()`, the store failed, or `abort` fired.
  io::Task<> wait_accepting(io::AbortSource& abort);

  /// Called when damage is found: by the background check, once a pass for each segment, or by `report_damage`. It must not
  /// call back into the store.
  void set_on_damage(std::move_only_function<void(const SegmentDamage&)> callback);
  void report_damage(const SegmentDamage& damage);

  /// Whether the next append would repeat in the journal what only the disk has: the start of the log's last block, under a
  /// new checksum. The caller makes sure before that it is not damaged.
  bool repeats_from_disk(PartitionFiles& partition) const;

  /// Why the store ended, if it did.
  const std::optional<Error>& failure() const noexcept;
  /// Returns when the store has failed or `abort` fired.
  io::Task<> wait_failed(io::AbortSource& abort);

  const StoreCounters& counters() const noexcept;
  const StoreOptions& options() const noexcept;

 private:
  friend class StoreLoader;
  struct Parts;
  explicit ShardStore(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace pyralog::storage
