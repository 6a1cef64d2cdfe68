#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "storage/partition_files.h"

namespace pyralog::storage {

/// The bookkeeping rules of storage.md §3 and §4 on one partition: what is synced, clean and dirty, and which rounds
/// recovery would need. Changes memory only; the store does what follows from it.
class PartitionLedger {
 public:
  /// What a cleaner pass writes: bytes of one segment. Bodies between them are in the file already.
  struct DirtyRun {
    Offset segment;
    std::uint64_t end = 0;  ///< the segment is clean up to here afterwards
    std::uint64_t bytes = 0;
    std::vector<StoredPart> parts;
  };

  PartitionLedger(PartitionFiles& partition, std::uint64_t block_bytes) : p_(partition), block_bytes_(block_bytes) {}

  /// A partition with an empty log.
  static void create(PartitionFiles& partition, Incarnation incarnation, std::string directory, DurabilityClass durability,
                     Offset start);

  LogPosition end() const noexcept { return {p_.segments_.back().base, p_.segments_.back().end}; }
  LogPosition clean() const noexcept { return p_.clean_; }
  LogPosition synced() const noexcept { return p_.synced_; }
  bool dirty() const noexcept { return !p_.journaled_.empty(); }
  /// The first byte that an IMAGE must hold if the next append is to go into a round now: the log's last block is partly
  /// written and no round in the journal has its start. Nothing when no IMAGE is needed.
  std::optional<LogPosition> image_begin() const noexcept;

  /// The round brings `bytes` at the log's end.
  void append(Slice bytes, RoundSequence round);
  /// Recovery found [at, at + bytes) in the journal, or, without a slice, as a body in the segment.
  void restore(LogPosition at, std::uint64_t bytes, Slice slice);
  void restore_journaled(RoundSequence round, LogPosition end) { note_journaled(round, end); }
  /// Recovery has restored everything: the log is synced to its end, clean up to `clean`.
  void restored(LogPosition clean);

  void roll(Offset base);
  /// A round that ends at `end`, `log_end` is durable. True if the durable end moved.
  bool synced(LogPosition end, Offset log_end);
  /// [begin, end) of the segment was written there by the bypass.
  void mark_body(Offset segment, std::uint64_t begin, std::uint64_t end);

  /// First round that recovery needs for this partition; nothing when the segments have everything.
  std::optional<RoundSequence> redo() const noexcept;

  /// The next dirty bytes of synced rounds, at most `bytes_max` of one segment; bytes 0: there are none.
  DirtyRun dirty_run(std::uint64_t bytes_max) const;
  /// The run is durable in its segment. Also moves on over bodies and finished segments.
  void advance_clean(const DirtyRun& run);

  /// The log ends at `at`. Returns the segments that are gone.
  std::vector<SegmentName> truncate(LogPosition at);
  /// Segments below `first` are gone; if that is none of theirs, all are, and the log begins there.
  std::vector<SegmentName> drop_front(Offset first);
  /// The segments from the one at `first` up to the one at `end`, all clean, give way to `replacements`, which lie in files
  /// of their own. Returns those that are gone.
  std::vector<SegmentName> replace(Offset first, Offset end, std::span<const Segment> replacements);

  // The cached class. Its bytes go to the segments without a round, and are synced there later.
  using Cached = PartitionFiles::Cached;
  /// Null for the durable class.
  Cached* cached() const noexcept { return p_.cached_.get(); }
  /// From its end on, the log is of the cached class: everything below is solid, and the active segment is empty.
  void begin_cached();
  /// Everything is solid, and the active segment is empty: from here on it is of the durable class.
  void end_cached();
  /// A batch after which the log ends at `log_end`.
  void append_cached(Slice bytes, Offset log_end);
  /// The log as it ends now may become what recovery scans from, once it is solid; unless another place waits for that.
  void offer_scan_start();
  /// The same for the start of the active segment, which has just begun.
  void offer_segment_start();
  /// All below `end` is synced. True if the durable end moved.
  bool cached_synced(LogPosition end);
  /// All is synced, and nothing will be appended any more.
  void settle_cached();
  /// The log was cut: until `begin_cached`, it ends where its segments say.
  void forget_mark();

  /// Lets go of everything in memory: the partition is gone.
  void drop_memory();
  /// Lets go of bytes in memory below `below` that are in their segment.
  void evict(LogPosition below);

  // Fields that belong to other parts of the store.
  RoundSequence& queued_redo() noexcept { return p_.queued_redo_; }
  std::uint64_t& round_index() noexcept { return p_.round_index_; }
  RoundSequence& round() noexcept { return p_.round_; }
  std::uint32_t& freezes() noexcept { return p_.freezes_; }
  bool& cleaning() noexcept { return p_.cleaning_; }
  Segment* segment(Offset base) noexcept;
  std::vector<Segment>& segments() noexcept { return p_.segments_; }
  void set_start(Offset start) noexcept { p_.start_ = start; }
  void set_durability(DurabilityClass durability) noexcept { p_.durability_ = durability; }
  void set_cached_bounds(const CachedBounds& bounds) noexcept { p_.cached_bounds_ = bounds; }
  void call_on_synced() {
    if (p_.on_synced_) p_.on_synced_();
  }
  void set_durable_end(Offset end) noexcept { p_.durable_end_ = end; }

 private:
  using Resident = PartitionFiles::Resident;

  void note_journaled(RoundSequence round, LogPosition end);
  void forget_journaled();
  void pass_over_clean();
  std::size_t first_resident_behind(LogPosition at) const noexcept;
  std::uint64_t dirty_part(const Resident& resident) const noexcept;
  void compact_residents();
  void push_resident(Slice bytes);

  PartitionFiles& p_;
  std::uint64_t block_bytes_;
};

}  // namespace pyralog::storage
