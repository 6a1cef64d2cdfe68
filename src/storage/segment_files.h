#pragma once

#include <set>
#include <span>
#include <string>

#include "core/result.h"
#include "io/task.h"
#include "storage/directory_syncs.h"
#include "storage/store_context.h"

namespace pyralog::storage {

/// Creates and removes the segments' files of one shard. A file's name is durable before the first write to it.
class SegmentFiles {
 public:
  explicit SegmentFiles(StoreContext& context) : context_(context), syncs_(context.reactor.disk()) {}

  std::string path(const PartitionFiles& partition, Offset base) const;
  /// A partition's directory, created when missing, its name and those above it durable.
  io::Task<Result<>> make_directory(std::string directory);
  /// The segment's file, created when missing, its name and those of the directories durable. kNotFound: the segment was
  /// dropped meanwhile.
  io::Task<Result<>> make_file(PartitionFiles& partition, Offset base);
  /// The same, opened.
  io::Task<Result<SharedFile>> open(PartitionFiles& partition, Offset base);

  /// Writes what a pass is to write, without a sync, in line.
  Result<> write(io::File& file, const PartitionLedger::DirtyRun& run) const;
  /// Makes names and removals of the partition's files durable; fine without a directory. A failure ends the store.
  io::Task<Result<>> sync_directory(const PartitionFiles& partition);

  /// Removes dropped segments with their indexes, and what compaction left of one that it did not finish.
  io::Task<Result<>> remove(const PartitionFiles& partition, std::vector<SegmentName> segments);
  /// Durably removes a partition's directory with everything in it, and that of its log if it was the last one there. Fine
  /// without one, too.
  io::Task<Result<>> remove_directory(std::string directory);

 private:
  io::Task<Result<>> sync_names(std::string path);

  StoreContext& context_;
  DirectorySyncs syncs_;
  std::set<std::string> durable_directories_;  // with the data directory before them
};

}  // namespace pyralog::storage
