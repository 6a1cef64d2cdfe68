#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "io/task.h"
#include "record/batch_view.h"
#include "storage/index_file.h"
#include "storage/segment_source.h"

namespace pyralog::storage {

/// A batch boundary in a segment.
struct SegmentMark {
  Offset offset;
  std::uint64_t position = 0;
};

/// Index entries as they come up along a segment, behind those that are in a file already.
struct IndexTail {
  std::vector<SparseEntry> sparse;
  std::vector<TimeEntry> times;
  TimestampPeak peak;
  std::optional<SparseEntry> last_sparse;  ///< here or in the file
  std::optional<TimeEntry> last_time;
  std::uint64_t last_time_position = 0;
  std::uint32_t sparse_in_file = 0;  ///< entries in whole blocks
  std::uint32_t times_in_file = 0;

  /// The batch at `position` follows all that were noted. Allocates only as the vectors grow.
  void note(const record::BatchHeader& batch, std::uint64_t position);
};

/// The index of a segment that grows: its newest entries in memory, whole blocks of older ones in its index files, which
/// are written without syncs and checked when read back.
///
/// Of a segment that had bytes before this process came, only what was appended since is known at first; `complete` reads
/// the rest from the index files, as far as they are good, and from the segment.
///
/// Entries may go to a file only once their batches are durable, and a truncation removes the files first: so what a file
/// says of a segment was never taken back.
class SegmentIndex {
 public:
  /// `inherited` is where the segment's bytes of an earlier life end; {base, 0} for a new segment.
  SegmentIndex(Offset base, SegmentMark inherited)
      : base_(base), inherited_(inherited), is_complete_(inherited.position == 0) {}

  Offset base() const noexcept { return base_; }
  bool is_complete() const noexcept { return is_complete_; }
  /// Of all batches if complete; its base is that of a batch not before the one with the newest timestamp.
  const TimestampPeak& peak() const noexcept { return tail_.peak; }
  /// Entries in memory.
  std::size_t resident_count() const noexcept { return tail_.sparse.size() + tail_.times.size(); }
  /// All entries.
  std::uint32_t sparse_count() const noexcept {
    return tail_.sparse_in_file + static_cast<std::uint32_t>(tail_.sparse.size());
  }
  std::uint32_t time_count() const noexcept { return tail_.times_in_file + static_cast<std::uint32_t>(tail_.times.size()); }

  /// Notes the batch that was appended at `position`.
  void note(const record::BatchHeader& batch, std::uint64_t position) { tail_.note(batch, position); }

  /// True if a block of entries below `durable_end` waits to be written.
  bool block_waits(Offset durable_end) const noexcept;

  /// A batch boundary at or before what `bound` asks for, if memory knows one.
  std::optional<SegmentMark> find_resident(const SparseEntry::Bound& bound) const noexcept;
  /// The same with the help of `index`, the segment's file, or null if it has none. The index is complete.
  io::Task<Result<SegmentMark>> find(SparseEntry::Bound bound, SharedFile index) const;
  /// The last entry older than `before`: all batches up to its offset are. Nothing: look from the start. The index is
  /// complete; `times` is the segment's file, or null.
  io::Task<Result<std::optional<TimeEntry>>> find_time(WallTime before, SharedFile times) const;

  /// Learns what the index files and the segment say about the inherited bytes. Either file may be null. Batches may be
  /// noted meanwhile. kCorrupt if the segment is not a run of batches with rising offsets.
  io::Task<Result<>> complete(SegmentSource source, SharedFile index, SharedFile times);

  enum class Spill : std::uint8_t { kWholeBlocks, kAll };
  /// Writes entries below `durable_end` to the files. A block that is not full stays in memory too. The index is complete.
  Result<> spill(io::File& index, io::File& times, Offset durable_end, Spill what);
  /// Writes everything and marks the files as final. All is durable, and nothing is noted any more.
  Result<> seal(io::File& index, io::File& times, const SegmentSummary& summary);

 private:
  io::Task<Result<>> adopt(SharedFile index, SharedFile times, IndexTail& found) const;
  io::Task<Result<>> scan_rest(SegmentSource source, SharedFile index, IndexTail& found) const;
  void merge(IndexTail found);

  Offset base_;
  SegmentMark inherited_;
  IndexTail tail_;
  bool is_complete_;
};

}  // namespace pyralog::storage
