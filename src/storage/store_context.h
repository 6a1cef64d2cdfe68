#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "core/result.h"
#include "io/reactor.h"
#include "io/sync.h"
#include "io/task_scope.h"
#include "storage/file_cache.h"
#include "storage/partition_files.h"
#include "storage/partition_ledger.h"
#include "storage/shard_store.h"

namespace pyralog::storage {

/// What the parts of one shard's store share. Outlives them.
struct StoreContext {
  StoreContext(io::Reactor& the_reactor, StoreOptions the_options, FileCache& the_files)
      : reactor(the_reactor), options(std::move(the_options)), files(the_files) {}

  io::Reactor& reactor;
  StoreOptions options;
  FileCache& files;
  StoreCounters counters;
  std::optional<Error> failure;
  io::WaitList failed;
  std::move_only_function<void()> on_failed;  ///< wakes the parts
  std::move_only_function<void(const SegmentDamage&)> on_damage;
  io::WaitList progress;  ///< bounds may have been left: cleaned, recycled, synced
  std::unordered_map<Incarnation, std::unique_ptr<PartitionFiles>> partitions;
  std::map<StateKey, Slice> states;
  std::optional<MonotonicTime> changed_since;  ///< the newest checkpoint does not show everything

  const StoreGeometry& geometry() const noexcept { return options.geometry; }
  PartitionLedger ledger(PartitionFiles& partition) const { return {partition, options.geometry.block_bytes}; }

  /// A checkpoint would show more than the newest one. Looked at when the store makes progress.
  void note_change() {
    if (!changed_since.has_value()) changed_since = reactor.now();
  }

  void report_damage(const SegmentDamage& damage) {
    ++counters.segment_damage;
    if (on_damage) on_damage(damage);
  }

  /// Ends the store: the first reason counts.
  void fail(const Error& why) {
    if (failure.has_value()) return;
    failure = why;
    failed.notify_all();
    progress.notify_all();
    if (on_failed) on_failed();
  }
  Error failed_error() const { return Error(ErrorCode::kIo, "the store has failed: " + failure->to_string()); }

  /// Runs a change of a partition's bookkeeping and carries its bytes over to the store's gauges.
  template <class Change>
  auto tracked(PartitionFiles& partition, Change change) {
    struct Carry {
      StoreCounters& counters;
      PartitionFiles& partition;
      std::uint64_t dirty = partition.dirty_bytes(), memory = partition.memory_bytes();
      bool cached = partition.durability() == DurabilityClass::kCached;
      ~Carry() {
        counters.dirty_bytes += partition.dirty_bytes() - dirty;
        if (cached) counters.write_cache_bytes += partition.dirty_bytes() - dirty;
        counters.cached_bytes += (partition.memory_bytes() - partition.dirty_bytes()) - (memory - dirty);
      }
    } carry{counters, partition};
    return change();
  }
};

}  // namespace pyralog::storage
