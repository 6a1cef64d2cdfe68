#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "storage/segment_files.h"
#include "storage/store_context.h"

namespace pyralog::storage {

/// Finds out where a log of the cached class ends (storage.md §3): its appends are in no journal, so batches are read from
/// the files, from the checkpoint's mark on, until one is bad. What was synced in whole blocks must be good; above that a bad
/// batch is where the power went, or the process, and the log ends there. Nothing above the first bad batch counts.
class CachedRecovery {
 public:
  CachedRecovery(StoreContext& context, SegmentFiles& segments) : context_(context), segments_(segments) {}

  /// `partition` has the segments, start and state of its mark. Afterwards it has those of its end, everything clean, and
  /// its files hold nothing else that could be taken for part of it. kCorrupt says what is missing.
  io::Task<Result<>> run(PartitionFiles& partition, CachedMark mark);
  /// Begins the class's life in a new segment. Everything is clean. kCorrupt: what was found contradicts itself.
  Result<> begin(PartitionFiles& partition);
  /// Removes files that no segment names, durably: their names may be used again.
  io::Task<Result<>> remove_unnamed(PartitionFiles& partition);
  /// A checkpoint of what was found is durable: removes what only the mark before it wanted.
  io::Task<Result<>> finish();

 private:
  io::Task<Result<std::map<SegmentName, std::uint64_t>>> list(const PartitionFiles& partition) const;
  /// Reads batches from `from` on, at most up to `end`; returns where the last good one ends.
  io::Task<Result<std::uint64_t>> scan(PartitionFiles& partition, LogPosition from, std::uint64_t end,
                                       std::uint64_t solid_end) const;
  bool continues(const PartitionFiles& partition, ByteView batch) const;
  std::string directory(const PartitionFiles& partition) const {
    return context_.options.data_directory + "/" + partition.directory();
  }

  StoreContext& context_;
  SegmentFiles& segments_;
  std::vector<PartitionFiles*> outdated_;  // those with files that only the mark wants
};

}  // namespace pyralog::storage
