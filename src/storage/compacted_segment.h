#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "io/disk.h"
#include "io/task.h"
#include "storage/shard_store.h"

namespace pyralog::storage {

/// A segment's file while compaction writes it: under a name of its own (`.compacting`) until it is whole and durable, so
/// that no `.log` is ever half of one. Ends with `finish` or `discard`.
class CompactedSegment {
 public:
  /// `partition` and `store` outlive it. No file of that name belongs to the log.
  CompactedSegment(ShardStore& store, const PartitionFiles& partition, SegmentName name);

  io::Task<Result<>> begin();
  /// Adds bytes behind the last ones; they are copied, and written some at a time, each time with a sync: one large sync at
  /// the end would keep those of producers waiting.
  io::Task<Result<>> append(ByteView bytes);
  std::uint64_t end() const noexcept { return written_ + buffer_.size(); }

  /// The file and its name are durable: fit for ShardStore::replace_segments.
  io::Task<Result<Segment>> finish();
  /// Removes the file, whatever is there of it.
  io::Task<> discard();

 private:
  static constexpr std::size_t kBufferBytes = 1u << 20;

  std::string path(FileKind kind) const;
  io::Task<Result<>> flush();

  ShardStore& store_;
  const PartitionFiles& partition_;
  SegmentName name_;
  std::unique_ptr<io::File> file_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
};

}  // namespace pyralog::storage
