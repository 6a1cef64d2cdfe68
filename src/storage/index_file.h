#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"
#include "io/disk.h"
#include "io/task.h"
#include "storage/log_format.h"
#include "storage/log_state.h"
#include "storage/sparse_index.h"
#include "storage/time_index.h"

/// The file format that `.index` and `.timeindex` share (log_format.md). `Entry` is SparseEntry or TimeEntry. Index files are
/// caches of what `.log` says: they are written without syncs, and whoever meets a bad block rebuilds the file.
namespace pyralog::storage {

using IndexBlock = std::array<std::byte, log_format::index::kBlockBytes>;

/// What a sealed segment's index files say about it.
struct SegmentSummary {
  Offset base;
  Offset end;                       ///< exclusive
  std::uint64_t end_position = 0;   ///< bytes of batches
  TimestampPeak peak;
  WallTime appended_at;             ///< of its last batch, by this node's clock
  friend bool operator==(const SegmentSummary&, const SegmentSummary&) = default;
};

template <class Entry>
inline constexpr std::size_t kEntriesPerBlock =
    (log_format::index::kBlockBytes - log_format::index::kEntriesAt) / Entry::kBytes;

/// Writes up to kEntriesPerBlock entries as a block.
template <class Entry>
void encode_index_block(std::span<const Entry> entries, Offset segment_base, IndexBlock& block);

/// A checked block, in place.
template <class Entry>
class IndexBlockView {
 public:
  /// kCorrupt: not a block of such entries of this segment, or damaged, or its entries do not rise.
  static Result<IndexBlockView> parse(ByteView block, Offset segment_base);

  std::size_t count() const noexcept { return count_; }
  Entry at(std::size_t index) const noexcept { return Entry::load(entries_ + index * Entry::kBytes); }
  /// The last entry within `bound`.
  std::optional<Entry> find(const typename Entry::Bound& bound) const noexcept;

 private:
  IndexBlockView(const std::byte* entries, std::size_t count) : entries_(entries), count_(count) {}
  const std::byte* entries_;
  std::size_t count_;
};

template <class Entry>
void encode_index_header(const SegmentSummary& summary, std::uint32_t entry_count, IndexBlock& block);

struct IndexHeader {
  SegmentSummary summary;
  std::uint32_t entry_count = 0;
};
/// kTruncated, kCorrupt (damaged, another file's, or never sealed), kUnsupportedVersion.
template <class Entry>
Result<IndexHeader> decode_index_header(ByteView block, Offset segment_base);

/// Reads the header block of an index file; it outlives the call.
template <class Entry>
io::Task<Result<IndexHeader>> read_index_header(io::File& file, Offset segment_base);

/// Reads entry block `index` (from 0) into `block`; both outlive the call. kCorrupt if it is cut off or bad.
template <class Entry>
io::Task<Result<>> read_index_block(io::File& file, Offset segment_base, std::uint32_t index, IndexBlock& block);

/// Binary search over the first `entry_count` entries of a file: the last one within `bound`. The file outlives the call.
/// kCorrupt: rebuild.
template <class Entry>
io::Task<Result<std::optional<Entry>>> find_in_index(io::File& file, Offset segment_base, std::uint32_t entry_count,
                                                     typename Entry::Bound bound);

/// Writes `entries` (whole blocks, and perhaps a last partial one) as blocks from `first_block` on, in line.
template <class Entry>
Result<> write_index_blocks(io::File& file, Offset segment_base, std::uint32_t first_block, std::span<const Entry> entries);

}  // namespace pyralog::storage
