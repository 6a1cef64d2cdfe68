#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/result.h"
#include "io/task.h"
#include "record/batch_view.h"
#include "storage/file_cache.h"

namespace pyralog::storage {

/// Reads all batches of a clean segment from its file in order, much at a time, each with its checksum verified.
class SegmentScan {
 public:
  /// The segment's bytes are [0, end) of the file.
  SegmentScan(SharedFile file, Offset base, std::uint64_t end) : file_(std::move(file)), next_offset_(base), end_(end) {}

  enum class Step : std::uint8_t { kBatch, kNeedsBytes, kEnd };
  /// Moves on to the next batch; with kNeedsBytes, await `fill` and ask again. kCorrupt: no batch of the log, or damaged.
  Result<Step> step();
  io::Task<Result<>> fill();

  /// After kBatch, valid until the next `fill`.
  const record::BatchView& batch() const noexcept { return *batch_; }
  std::uint64_t position() const noexcept { return position_; }
  io::File& file() noexcept { return *file_; }

 private:
  static constexpr std::size_t kReadBytes = 1u << 20;

  SharedFile file_;
  Offset next_offset_;
  std::uint64_t end_;
  std::vector<std::byte> buffer_;
  std::uint64_t buffer_at_ = 0;           // position of its first byte
  std::uint64_t position_ = 0, next_ = 0;  // of the batch, and behind it
  std::size_t wanted_bytes_ = record::format::kHeaderBytes;
  std::optional<record::BatchView> batch_;
};

}  // namespace pyralog::storage
