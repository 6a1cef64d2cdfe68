#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/slice.h"
#include "io/task.h"
#include "record/batch_view.h"
#include "storage/file_cache.h"
#include "storage/partition_files.h"

namespace pyralog::storage {

/// Where one segment's bytes are read from: a live partition (memory and file), or just a file (offline tools). A value; a
/// live partition must outlive its calls.
class SegmentSource {
 public:
  /// A segment of `partition`, whose directory is `directory` (a path that Disk takes).
  SegmentSource(const PartitionFiles& partition, FileCache& cache, std::string directory, Offset base)
      : partition_(&partition), cache_(&cache), directory_(std::move(directory)), base_(base) {}
  SegmentSource(SharedFile file, Offset base) : file_(std::move(file)), base_(base) {}

  Offset base() const noexcept { return base_; }

  /// Reads up to `into.size()` bytes at `position`; fewer only where the segment's readable bytes end. kNotFound, kIo.
  io::Task<Result<std::size_t>> read(std::uint64_t position, MutableBytes into);

  /// The memory that holds the byte at `position`, from there on; empty if that is nowhere in memory.
  Slice resident(std::uint64_t position, std::uint64_t bytes_max);

  /// The segment's file, opened if necessary.
  io::Task<Result<SharedFile>> file();

 private:
  const PartitionFiles* partition_ = nullptr;
  FileCache* cache_ = nullptr;
  std::string directory_;
  SharedFile file_;
  Offset base_;
  std::vector<StoredPart> parts_;  // scratch
};

/// Reads batch headers of one segment, in any order but best ascending. Only headers are looked at; bodies are skipped.
class BatchCursor {
 public:
  /// How much is read from a file at once: little for single look-ups, much for scans.
  enum class Window : std::uint8_t { kLookup, kScan };

  BatchCursor(SegmentSource source, Window window);

  /// True if `header_at(position)` may be called: the header's bytes are at hand.
  bool covers(std::uint64_t position) const noexcept {
    return position >= window_begin_ && position - window_begin_ <= window_.size() &&
           window_.size() - (position - window_begin_) >= record::format::kHeaderBytes;
  }
  /// Gets the bytes at `position`. kTruncated if the segment's readable bytes end within the header.
  io::Task<Result<>> load(std::uint64_t position);
  /// The header at `position`, valid until the next `load`. Errors: those of BatchHeader::parse.
  Result<record::BatchHeader> header_at(std::uint64_t position) const {
    return record::BatchHeader::parse(bytes_at(position));
  }

  /// What has been read from `position` on, which `covers` it.
  ByteView bytes_at(std::uint64_t position) const noexcept { return window_.subspan(position - window_begin_); }

  /// Reads a whole batch into memory of its own; `header` is of this cursor. kTruncated, kCorrupt (checksum).
  io::Task<Result<Slice>> read_batch(std::uint64_t position, std::size_t batch_bytes);

  SegmentSource& source() noexcept { return source_; }

 private:
  SegmentSource source_;
  Slice resident_;                 // keeps window_'s bytes, or
  std::vector<std::byte> buffer_;  // holds them
  ByteView window_;
  std::uint64_t window_begin_ = 0;
  std::size_t read_bytes_;
};

}  // namespace pyralog::storage
