#pragma once

#include <optional>
#include <set>
#include <utility>

#include "core/result.h"
#include "io/sync.h"
#include "io/task_scope.h"
#include "record/batch_view.h"
#include "storage/cleaner.h"
#include "storage/round.h"
#include "storage/segment_files.h"
#include "storage/store_context.h"

namespace pyralog::storage {

/// The write path of the cached class (storage.md §1): batches gather in memory, already acknowledged, and are appended to
/// their segment in large writes, within the bounds of CachedBounds; syncs follow at bounds of their own. One pass of a
/// partition at a time: what comes while it syncs stays in memory.
class Flusher {
 public:
  static constexpr std::size_t kPassesMax = 4;  ///< at once; each may wait for a sync

  Flusher(StoreContext& context, SegmentFiles& segments, Cleaner& cleaner)
      : context_(context), segments_(segments), cleaner_(cleaner),
        arena_(context.reactor.chunks(), context.options.geometry.sector_bytes,
               context.options.geometry.round_bytes_max) {}
  Flusher(const Flusher&) = delete;

  /// The loop; ends when `scope` closes or the store fails.
  io::Task<> run(io::TaskScope& scope);

  /// Puts a batch, whose header is `header`, at the partition's end.
  void append(PartitionFiles& partition, Slice batch, const record::BatchHeader& header);

  /// Writes and syncs what the partition has as of the call.
  io::Task<Result<>> sync(PartitionFiles& partition);
  /// The same for every partition; nothing is appended meanwhile, or ever again. After the loop has ended.
  io::Task<Result<>> settle_all();

  /// The partition goes away, or leaves the class.
  void forget(PartitionFiles& partition);
  /// Its bounds changed.
  void update(PartitionFiles& partition) { schedule(partition); }
  void wake() { work_.notify_all(); }

 private:
  using Cached = PartitionLedger::Cached;
  enum class Wanted : std::uint8_t { kWrite, kSync };

  std::optional<MonotonicTime> due(const PartitionFiles& partition, const Cached& cached) const;
  bool sync_due(const PartitionFiles& partition, const Cached& cached) const;
  void schedule(PartitionFiles& partition);
  bool pressed() const noexcept;
  PartitionFiles* pick();
  io::Task<> pass_in_scope(Incarnation incarnation);
  io::Task<Result<>> pass(PartitionFiles& partition, Wanted wanted);
  io::Task<Result<>> write(PartitionFiles& partition, LogPosition until);
  io::Task<Result<>> sync_written(PartitionFiles& partition);

  StoreContext& context_;
  SegmentFiles& segments_;
  Cleaner& cleaner_;
  CopyArena arena_;
  std::set<std::pair<MonotonicTime, Incarnation>> queue_;  // partitions with something to do, by when
  io::WaitList work_;
  std::size_t passes_ = 0;
  std::optional<MonotonicTime> retry_at_;  // the disk is full
};

}  // namespace pyralog::storage
