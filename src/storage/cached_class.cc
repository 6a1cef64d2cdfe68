// The cached durability class (storage.md §1) is refused: logs cannot be created or changed to it, because recovery does
// not scan cached segments yet. The properties that ask for it are refused with INVALID_CONFIG.
#include "storage/shard_store.h"

namespace pyralog::storage {

io::Task<Result<>> ShardStore::change_class(PartitionFiles&, DurabilityClass) {
  co_return Error(ErrorCode::kPolicyViolation, "the cached durability class is not available");
}

void ShardStore::set_cached_bounds(PartitionFiles&, const CachedBounds&) {
  PYRALOG_ASSERT(false, "no partition has the cached class");
}

io::Task<Result<>> ShardStore::sync_cached(PartitionFiles&) {
  co_return Error(ErrorCode::kPolicyViolation, "the cached durability class is not available");
}

}  // namespace pyralog::storage
