#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "io/task_scope.h"
#include "storage/cleaner.h"
#include "storage/round.h"
#include "storage/segment_files.h"
#include "storage/store_context.h"

namespace pyralog::storage {

/// The way past the journal for a partition with many bytes in one round (storage.md §5): whole blocks go to the segment
/// directly, the round names them, and both syncs must return before the round counts.
class Bypass {
 public:
  /// What goes to a segment itself: whole blocks, none of which holds an older byte.
  struct Body {
    PartitionFiles* partition = nullptr;
    Offset segment;
    std::uint64_t begin = 0, end = 0;
    Slice bytes;
    SharedFile file;
  };

  Bypass(StoreContext& context, SegmentFiles& segments, Cleaner& cleaner, io::TaskScope& scope)
      : context_(context), segments_(segments), cleaner_(cleaner), scope_(scope) {}
  Bypass(const Bypass&) = delete;

  /// Replaces large runs of DATA in the round by BODY, and DATA for what is left of the blocks at both ends.
  std::vector<Body> take(Round& round);
  /// Writes and syncs one body.
  io::Task<Result<>> write(const Body& body) const;

  /// Files of the partition are about to be removed; others may get their names.
  void forget(Incarnation incarnation);
  void close() { files_.clear(); }

 private:
  /// An open file of a segment that was written around the page cache lately.
  struct Open {
    FileKey key;
    SharedFile file;
  };

  SharedFile file_of(PartitionFiles& partition, Offset segment);
  io::Task<> open(Incarnation incarnation, Offset segment);
  bool plan(const Round::Touched& touched, Body& body);
  void rewrite(Round& round, Body& body, std::uint64_t data_begin, std::uint64_t data_end);

  StoreContext& context_;
  SegmentFiles& segments_;
  Cleaner& cleaner_;
  io::TaskScope& scope_;
  std::vector<Open> files_;  // most recently used last
  std::vector<FileKey> opening_;
  std::uint64_t forgotten_count_ = 0;
  bool refused_ = false;  // the file system has no direct writes: the journal is cheaper then
};

}  // namespace pyralog::storage
