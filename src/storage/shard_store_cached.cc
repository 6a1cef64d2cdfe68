#include "storage/replay.h"
#include "storage/shard_store.h"
#include "storage/store_parts.h"

namespace pyralog::storage {

io::Task<Result<>> ShardStore::change_class(PartitionFiles& partition, DurabilityClass durability) {
  Parts& parts = *parts_;
  PYRALOG_CO_TRY(parts.serving());
  if (partition.durability() == durability) co_return Result<>();
  // A cached append must not rewrite a block with durable bytes: the classes never share a segment.
  PYRALOG_CO_TRY(co_await parts.committer.wait_synced(parts.committer.newest()));
  PYRALOG_CO_TRY(co_await parts.cleaner.clean(partition));
  PYRALOG_CO_TRY(parts.serving());
  const std::vector<std::byte> payload = encode_create(partition.directory(), durability, partition.cached_bounds());
  const Descriptor descriptor{.kind = RoundKind::kCreate, .incarnation = partition.incarnation(),
                              .value = partition.start().value};
  const RoundSequence round = parts.committer.add(descriptor, payload, nullptr);
  roll(partition);
  parts.context.ledger(partition).set_durability(durability);
  co_return co_await parts.committer.wait_synced(round);
}

void ShardStore::set_cached_bounds(PartitionFiles& partition, const CachedBounds& bounds) {
  parts_->context.ledger(partition).set_cached_bounds(bounds);
}

io::Task<Result<>> ShardStore::sync_cached(PartitionFiles& partition) {
  (void)partition;
  co_return co_await parts_->committer.wait_synced(parts_->committer.newest());
}

}  // namespace pyralog::storage
