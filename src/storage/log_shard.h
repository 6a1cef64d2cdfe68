#pragma once

#include <cstdint>
#include <vector>

#include "record/compression.h"
#include "storage/file_cache.h"
#include "storage/partition_files.h"
#include "storage/shard_store.h"

namespace pyralog::storage {

/// Counts of all logs of a shard since its start.
struct LogCounters {
  std::uint64_t batches_appended = 0, records_appended = 0, bytes_appended = 0;
  std::uint64_t duplicates = 0;              ///< retries answered from the producers' windows
  std::uint64_t reads = 0;
  std::uint64_t bytes_read_memory = 0, bytes_read_file = 0;
  std::uint64_t rolls = 0;
  std::uint64_t indexes_rebuilt = 0;         ///< sealed segments whose index files were missing or bad
  std::uint64_t producers_rebuilt = 0;
  std::uint64_t segments_deleted = 0, bytes_deleted = 0;
};

/// What the logs of one shard share. Outlives them.
struct LogShard {
  ShardStore& store;
  FileCache& files;
  record::Decompressor& decompressor;
  LogCounters counters;
  std::vector<StoredPart> parts;  ///< scratch between suspensions
};

}  // namespace pyralog::storage
