#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/slice.h"
#include "core/time.h"
#include "storage/file_names.h"
#include "storage/log_state.h"

namespace pyralog::storage {

/// Number of a journal round: rises by one for ever, from 1. 0: none, which counts as synced.
using RoundSequence = StrongId<struct RoundSequenceTag, std::uint64_t>;

/// What an acknowledged batch has behind it (storage.md §1): a synced journal round, or this process's memory.
enum class DurabilityClass : std::uint8_t { kDurable = 0, kCached = 1 };

/// Whether an append is refused when little free space is left, or belongs to what has to go on then.
enum class SpaceUse : std::uint8_t { kLeavesSome, kMayTakeLast };

/// When bytes of the cached class leave memory, and when they are synced. The first bound reached counts.
struct CachedBounds {
  std::uint64_t write_bytes_max = 1u << 20;
  std::uint64_t write_records_max = 100'000;
  Duration write_delay_max = std::chrono::milliseconds(10);
  std::uint64_t flush_bytes_max = UINT64_MAX;  ///< log setting flush.bytes
  std::uint64_t flush_records_max = UINT64_MAX;  ///< log setting flush.messages; not stored
  Duration flush_delay_max = std::chrono::seconds(5);  ///< log setting flush.ms
};

/// A place in a partition's bytes: `position` in the segment that starts at offset `segment`. Ordered as the log is.
struct LogPosition {
  Offset segment;
  std::uint64_t position = 0;
  friend constexpr auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

/// How far a cached partition's files can be trusted (storage.md §3): recovery scans batches from `scan_from`, where the
/// log's state is the stored one; what is bad below `solid_end` is corruption.
struct CachedMark {
  LogPosition scan_from;
  LogPosition solid_end;
  friend bool operator==(const CachedMark&, const CachedMark&) = default;
};

/// One segment file, `<base>.log`. [0, end) are the log's bytes, wherever they are; the file's own length means nothing.
struct Segment {
  Offset base;
  std::uint64_t end = 0;        ///< bytes, those only in memory included
  std::uint64_t clean_end = 0;  ///< [0, clean_end) may be read from the file
  bool named = false;           ///< the file exists and its name is durable
  Edition edition = 0;          ///< not 0: compaction wrote it; nothing is appended to it, and nothing cuts it

  SegmentName name() const noexcept { return {base, edition}; }
};

/// A run of a log's bytes: in memory (`slice`), or in its segment's file (`slice` is empty).
struct StoredPart {
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;
  Slice slice;
};

/// One partition as its shard's store keeps it: identity, segments, the bytes that are in memory, and what the journal
/// must still hold for it. Owned by the `ShardStore`, changed only through it; lives until its removal.
class PartitionFiles {
 public:
  Incarnation incarnation() const noexcept { return incarnation_; }
  /// Relative to the data directory.
  const std::string& directory() const noexcept { return directory_; }
  DurabilityClass durability() const noexcept { return durability_; }
  const CachedBounds& cached_bounds() const noexcept { return cached_bounds_; }

  /// First offset that may be read; lies in the first segment or at its base.
  Offset start() const noexcept { return start_; }
  /// Oldest first, never empty; the last one is appended to.
  std::span<const Segment> segments() const noexcept { return segments_; }
  const Segment& active() const noexcept { return segments_.back(); }

  /// What follows from the batches, up to the newest append. Owners may change what is theirs (producers, snapshots).
  LogState& state() noexcept { return state_; }
  const LogState& state() const noexcept { return state_; }
  Offset log_end() const noexcept { return state_.log_end(); }
  /// Records below survive a crash of this node. Durable class: they are in a synced round. Cached class: they are synced
  /// in their segment, in blocks that nothing will be written to again.
  Offset durable_end() const noexcept { return durable_end_; }

  /// Bytes of the log in memory; of these, what is not yet in a segment.
  std::uint64_t memory_bytes() const noexcept { return memory_bytes_; }
  std::uint64_t dirty_bytes() const noexcept { return dirty_bytes_; }

  /// Called whenever `durable_end` may have moved by a synced round, before those who wait for the round go on. It must not
  /// call back into the store except for `append`. Empty: nobody.
  void set_on_synced(std::move_only_function<void()> callback) { on_synced_ = std::move(callback); }

  /// Replaces `parts` by where [position, position + bytes_max) of a segment can be read now, in order and without a hole:
  /// up to the segment's end or the first bytes that are nowhere yet. Valid until the next suspension; slices keep theirs.
  void locate(Offset segment, std::uint64_t position, std::uint64_t bytes_max, std::vector<StoredPart>& parts) const;

  /// Whether the bytes from `begin` to the end of its segment can all be had without the file.
  bool in_memory(LogPosition begin) const;

  const Segment* find_segment(Offset base) const noexcept;
  /// How often compaction has put other segments in place of some: positions found before mean nothing after it.
  std::uint64_t replacements() const noexcept { return replacements_; }

 private:
  friend class PartitionLedger;

  /// Bytes of the log in memory, or (slice empty) a body that is in its file above `clean_`.
  struct Resident {
    LogPosition at;
    std::uint64_t bytes = 0;
    Slice slice;
    bool in_file = false;  ///< a synced body: not for the cleaner

    std::uint64_t end() const noexcept { return at.position + bytes; }
  };
  /// A place that recovery could scan from: `state` is the log's, encoded, as of `at`.
  struct ScanStart {
    LogPosition at;
    std::vector<std::byte> state;
  };
  /// The batch that ends at `end` is followed by offset `log_end`.
  struct BatchEnd {
    LogPosition end;
    Offset log_end;
  };
  /// What only a cached partition has.
  struct Cached {
    std::optional<CachedMark> mark;    ///< none: the log ends where its segments say, and nothing is to be scanned
    std::vector<std::byte> state;      ///< at mark->scan_from
    std::optional<ScanStart> next;     ///< takes the mark's place once all below it is solid
    std::vector<BatchEnd> ends;        ///< above the solid end; the last one of each block
    LogPosition synced;                ///< end of what is synced
    std::uint64_t unwritten_records = 0;
    std::uint64_t unsynced_bytes = 0, unsynced_records = 0;
    MonotonicTime unwritten_since{};   ///< while there are dirty bytes
    MonotonicTime unsynced_since{};    ///< while there are unsynced bytes
    MonotonicTime due{};               ///< what the flusher's queue has it under
    bool is_queued = false;
    bool is_passing = false;           ///< the flusher has taken it from its queue
  };
  /// The journal holds the log up to `end` in `round` and those before it.
  struct Journaled {
    RoundSequence round;
    LogPosition end;
  };

  Incarnation incarnation_;
  std::string directory_;
  DurabilityClass durability_ = DurabilityClass::kDurable;
  CachedBounds cached_bounds_;
  Offset start_;
  Offset durable_end_;
  std::vector<Segment> segments_;
  LogState state_;
  std::move_only_function<void()> on_synced_;

  // Ascending. From `clean_` to the log's end without a hole; before it, what is kept for readers.
  std::vector<Resident> residents_;
  std::size_t residents_begin_ = 0;   // those before it are gone
  std::vector<Journaled> journaled_;  // ascending: what recovery would need; empty when all is clean
  LogPosition synced_;                // end of what synced rounds hold; cached class: the log's end
  LogPosition clean_;                 // end of what the segments hold
  std::uint64_t dirty_bytes_ = 0;     // in memory, not in a segment
  std::uint64_t memory_bytes_ = 0;    // in memory
  RoundSequence queued_redo_;         // what the cleaner's queue has it under; none: not queued
  std::uint64_t round_index_ = 0;     // its row in the round that is being collected
  RoundSequence round_;               // that round
  std::uint32_t freezes_ = 0;         // truncations and removals that keep passes away
  bool cleaning_ = false;             // a pass is under way
  std::uint64_t replacements_ = 0;
  std::unique_ptr<Cached> cached_;    // of the cached class only
};

}  // namespace pyralog::storage
