#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "storage/checkpoint.h"
#include "storage/journal_format.h"

namespace pyralog::storage {

/// Where a valid round lies.
struct RoundPlace {
  RoundSequence sequence;
  std::size_t file = 0;        ///< index into recovery's files
  std::uint64_t position = 0;
  std::uint64_t length = 0;
};

/// Part of a log that the journal holds, or vouches for.
struct ReplayRange {
  LogPosition at;
  std::uint64_t bytes = 0;
  bool is_body = false;        ///< the bytes lie in the segment
  std::size_t round = 0;       ///< index into Replay::rounds()
  std::uint32_t place = 0;     ///< of the first byte, from the round's start
};

/// The outcome for one partition.
struct ReplayedPartition {
  CheckpointPartition base;     ///< identity, start, segments, and the state up to `state_at`
  LogPosition state_at;         ///< batches from here on are not in the state yet
  LogPosition clean;            ///< the segments hold everything below
  std::vector<ReplayRange> ranges;  ///< everything from `clean` to the end, in order, without a hole
  std::vector<std::pair<RoundSequence, LogPosition>> journaled;
};

/// Applies valid rounds to a checkpoint (storage.md §3, step 6): a map of ranges, no bytes. Pure.
class Replay {
 public:
  Replay(Checkpoint checkpoint, std::uint64_t block_bytes);

  /// The next round in sequence. kCorrupt: it contradicts what is known.
  Result<> apply(const RoundPlace& place, std::span<const Descriptor> descriptors, ByteView round);

  const std::vector<RoundPlace>& rounds() const noexcept { return rounds_; }
  std::map<StateKey, Slice>& states() noexcept { return states_; }

  /// Whether the segments below `at` hold this body anyway, so that its round need not prove it.
  bool body_is_clean(const Descriptor& body) const;
  /// Relative to the data directory; nothing for an unknown partition.
  std::optional<std::string> directory_of(Incarnation incarnation) const;

  /// Call once, at the end. kCorrupt: bytes are missing.
  Result<std::vector<ReplayedPartition>> finish();

 private:
  struct Range {
    std::uint64_t end = 0;  // position
    bool is_body = false;
    std::size_t round = 0;
    std::uint32_t place = 0;  // of the range's begin
  };
  struct Partition {
    CheckpointPartition base;
    LogPosition state_at;
    std::map<LogPosition, Range> ranges;  // by begin, disjoint
    std::vector<std::pair<RoundSequence, LogPosition>> journaled;

    LogPosition end() const { return {base.segments.back().base, base.segments.back().end}; }
  };

  Result<> apply_one(const Descriptor& descriptor, ByteView payload);
  Result<> apply_data(Partition& partition, const Descriptor& descriptor);
  void put_range(Partition& partition, const Descriptor& descriptor);
  void cut_ranges(Partition& partition, LogPosition at);
  Result<> apply_truncate(Partition& partition, const Descriptor& descriptor);
  Result<> apply_start(Partition& partition, const Descriptor& descriptor, ByteView payload);
  Result<> apply_create(const Descriptor& descriptor, ByteView payload);
  Result<> apply_partition(const Descriptor& descriptor, ByteView payload);
  Result<> apply_compact(Partition& partition, const Descriptor& descriptor, ByteView payload);
  void lower_clean(Partition& partition, LogPosition at);
  Result<ReplayedPartition> finish_one(Partition partition);

  std::uint64_t block_bytes_;
  RoundSequence shown_;
  std::unordered_map<Incarnation, Partition> partitions_;
  std::map<StateKey, Slice> states_;
  std::vector<RoundPlace> rounds_;
};

/// The payload of a CREATE: durability class, cached bounds, directory.
std::vector<std::byte> encode_create(const std::string& directory, DurabilityClass durability, const CachedBounds& bounds);

/// The payload of a START: the log's state behind it. The batches that the start removes may be nowhere else by the time of
/// a recovery, and what they say of producers and epochs outlives them.
std::vector<std::byte> encode_start(LogState state, Offset start, Offset first_segment);

/// The payload of a COMPACT: the new segments, and the log's state, for the same reason.
std::vector<std::byte> encode_compact(LogState state, std::span<const Segment> replacements);

}  // namespace pyralog::storage
