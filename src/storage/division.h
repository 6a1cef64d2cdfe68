#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "io/disk.h"
#include "storage/checkpoint.h"
#include "storage/file_cache.h"
#include "storage/shard_store.h"

namespace pyralog::storage {

/// How a data directory is divided among shards. Each division has its own generation of journals and checkpoints, so that
/// those of the next one can be made beside it.
struct Division {
  std::uint32_t shards = 0;
  std::uint64_t generation = 1;
  friend bool operator==(const Division&, const Division&) = default;
};

/// Says which shard of how many a partition, or the owner of a state, belongs to.
using ShardOf = std::function<ShardId(Incarnation owner, std::uint32_t shard_count)>;

/// Goes over from one division to another, while no shard of the directory is open (storage.md §3): every journal of the
/// old one is replayed and its bytes cleaned into the segments, then each shard of the new one gets its first checkpoint.
/// The old division stays whole, so a crash at any moment leaves it in force until the caller has recorded the new one.
class DivisionChange {
 public:
  /// `options`: of any shard of the old division. `files` outlives this.
  DivisionChange(StoreOptions options, Division from, Division to, ShardOf shard_of, FileCache& files)
      : options_(std::move(options)), from_(from), to_(to), shard_of_(std::move(shard_of)), files_(files) {}

  /// Takes what one shard of the old division has; returns how many partitions. Call once for each. Errors: those of
  /// ShardStore::open and close.
  io::Task<Result<std::size_t>> collect(ShardId from);
  /// Makes the new division's checkpoints; durable on return. After that, and only then, the new division may be recorded.
  io::Task<Result<>> write();

 private:
  io::Task<Result<>> write_shard(ShardId to);

  StoreOptions options_;
  Division from_, to_;
  ShardOf shard_of_;
  FileCache& files_;
  std::vector<CheckpointPartition> partitions_;
  std::map<StateKey, Slice> states_;
};

/// Removes what other divisions left: journals and checkpoints of any generation but `current`'s, and of shards beyond it.
io::Task<Result<>> remove_other_divisions(io::Disk& disk, std::string data_directory, Division current);

}  // namespace pyralog::storage
