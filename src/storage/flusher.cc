#include "storage/flusher.h"

#include <algorithm>

#include "storage/planted.h"

namespace pyralog::storage {
namespace {

constexpr Duration kFullDiskDelay = std::chrono::seconds(1);
// Settings may say "never".
constexpr Duration kDelayMax = std::chrono::hours(24 * 365);

MonotonicTime after(MonotonicTime since, Duration delay) { return since + std::min(delay, kDelayMax); }

}  // namespace

void Flusher::append(PartitionFiles& partition, Slice batch, const record::BatchHeader& header) {
  PartitionLedger ledger = context_.ledger(partition);
  Cached& cached = *ledger.cached();
  const std::uint64_t bytes = batch.size();
  const bool first_unwritten = partition.dirty_bytes() == 0;
  if (first_unwritten || cached.unsynced_bytes == 0) {
    const MonotonicTime now = context_.reactor.now();
    if (first_unwritten) cached.unwritten_since = now;
    if (cached.unsynced_bytes == 0) cached.unsynced_since = now;
  }
  // References would pin whole chunks that were received.
  if (bytes < context_.geometry().batch_copied_bytes_below) batch = arena_.copy(batch.view());
  context_.tracked(partition, [&] { ledger.append_cached(std::move(batch), header.end_offset()); });
  cached.unsynced_bytes += bytes;
  const auto records = static_cast<std::uint64_t>(std::max(header.records_count(), 0));
  cached.unwritten_records += records;
  cached.unsynced_records += records;
  schedule(partition);
  if (pressed()) work_.notify_one();
}

bool Flusher::sync_due(const PartitionFiles& partition, const Cached& cached) const {
  const CachedBounds& bounds = partition.cached_bounds();
  return cached.unsynced_bytes > 0 &&
         (cached.unsynced_bytes >= bounds.flush_bytes_max || cached.unsynced_records >= bounds.flush_records_max ||
          after(cached.unsynced_since, bounds.flush_delay_max) <= context_.reactor.now());
}

std::optional<MonotonicTime> Flusher::due(const PartitionFiles& partition, const Cached& cached) const {
  const CachedBounds& bounds = partition.cached_bounds();
  std::optional<MonotonicTime> when;
  if (partition.dirty_bytes() > 0) {
    const bool full = partition.dirty_bytes() >= bounds.write_bytes_max || cached.unwritten_records >= bounds.write_records_max;
    when = full ? cached.unwritten_since : after(cached.unwritten_since, bounds.write_delay_max);
  }
  if (cached.unsynced_bytes > 0) {
    const bool full =
        cached.unsynced_bytes >= bounds.flush_bytes_max || cached.unsynced_records >= bounds.flush_records_max;
    const MonotonicTime sync = full ? cached.unsynced_since : after(cached.unsynced_since, bounds.flush_delay_max);
    when = std::min(when.value_or(sync), sync);
  }
  return when;
}

void Flusher::schedule(PartitionFiles& partition) {
  Cached* cached = context_.ledger(partition).cached();
  if (cached == nullptr || cached->is_passing) return;  // the pass's end looks again
  const std::optional<MonotonicTime> when = due(partition, *cached);
  if (cached->is_queued && when == cached->due) return;
  if (cached->is_queued) queue_.erase({cached->due, partition.incarnation()});
  cached->is_queued = when.has_value();
  if (!when.has_value()) return;
  cached->due = *when;
  queue_.insert({*when, partition.incarnation()});
  // Woken for what comes first only; the loop finds the rest in the queue.
  if (queue_.begin()->second == partition.incarnation()) work_.notify_one();
}

void Flusher::forget(PartitionFiles& partition) {
  Cached* cached = context_.ledger(partition).cached();
  if (cached == nullptr || !cached->is_queued) return;
  queue_.erase({cached->due, partition.incarnation()});
  cached->is_queued = false;
}

bool Flusher::pressed() const noexcept {
  return context_.counters.write_cache_bytes >= context_.geometry().write_cache_bytes_max / 2;
}

PartitionFiles* Flusher::pick() {
  const MonotonicTime now = context_.reactor.now();
  if (retry_at_.has_value() && *retry_at_ > now) return nullptr;
  for (const auto& [when, incarnation] : queue_) {
    PartitionFiles* partition = context_.partitions.at(incarnation).get();
    if (when <= now || (pressed() && partition->dirty_bytes() > 0)) return partition;
    if (!pressed()) return nullptr;
  }
  return nullptr;
}

io::Task<> Flusher::run(io::TaskScope& scope) {
  while (!scope.closing() && !context_.failure.has_value()) {
    if (queue_.empty() || passes_ >= kPassesMax) {
      if (queue_.empty() && context_.counters.write_cache_bytes == 0) arena_.release_idle();
      (void)co_await work_.wait(scope.abort());
      continue;
    }
    PartitionFiles* partition = pick();
    if (partition == nullptr) {
      (void)co_await work_.wait_until(retry_at_.value_or(queue_.begin()->first), scope.abort());
      continue;
    }
    retry_at_.reset();
    forget(*partition);
    context_.ledger(*partition).cached()->is_passing = true;
    ++passes_;
    scope.spawn(pass_in_scope(partition->incarnation()));
  }
}

io::Task<> Flusher::pass_in_scope(Incarnation incarnation) {
  if (PartitionFiles* partition = co_await cleaner_.begin_work(incarnation)) {
    Result<> result;
    if (const Cached* cached = context_.ledger(*partition).cached()) {
      result = co_await pass(*partition, sync_due(*partition, *cached) ? Wanted::kSync : Wanted::kWrite);
    }
    if (Cached* cached = context_.ledger(*partition).cached()) {
      cached->is_passing = false;
      schedule(*partition);
    }
    cleaner_.end_work(*partition);
    if (!result.ok() && result.error().code() == ErrorCode::kNoSpace) {
      retry_at_ = context_.reactor.now() + kFullDiskDelay;
    } else if (!result.ok()) {
      context_.fail(result.error());
    }
  }
  --passes_;
  work_.notify_all();
}

/// The caller has the partition's files to itself.
io::Task<Result<>> Flusher::pass(PartitionFiles& partition, Wanted wanted) {
  PartitionLedger ledger = context_.ledger(partition);
  Cached& cached = *ledger.cached();
  const MonotonicTime started = context_.reactor.now();
  if (wanted == Wanted::kSync) ledger.offer_scan_start();
  cached.unwritten_records = 0;
  PYRALOG_CO_TRY(co_await write(partition, ledger.end()));
  cached.unwritten_since = started;
  if (wanted == Wanted::kWrite) co_return Result<>();
  const std::uint64_t bytes = std::exchange(cached.unsynced_bytes, partition.dirty_bytes());
  const std::uint64_t records = std::exchange(cached.unsynced_records, cached.unwritten_records);
  const MonotonicTime since = std::exchange(cached.unsynced_since, started);
  const Result<> synced = co_await sync_written(partition);
  if (synced.ok()) co_return synced;
  cached.unsynced_bytes += bytes;
  cached.unsynced_records += records;
  cached.unsynced_since = since;
  co_return synced;
}

io::Task<Result<>> Flusher::write(PartitionFiles& partition, LogPosition until) {
  PartitionLedger ledger = context_.ledger(partition);
  (void)arena_.take_runs();  // only the journal writes these
  while (ledger.clean() < until) {
    PartitionLedger::DirtyRun run = ledger.dirty_run(context_.geometry().pass_bytes_max);
    if (run.bytes == 0) break;
    PYRALOG_CO_ASSIGN(const SharedFile file, co_await segments_.open(partition, run.segment));
    PYRALOG_CO_TRY(segments_.write(*file, run));
    context_.tracked(partition, [&] { ledger.advance_clean(run); });
    context_.counters.flushed_bytes += run.bytes;
    cleaner_.keep(partition, {run.segment, run.end});
    run = {};
    context_.progress.notify_all();
    co_await context_.reactor.yield();
  }
  co_return Result<>();
}

io::Task<Result<>> Flusher::sync_written(PartitionFiles& partition) {
  PartitionLedger ledger = context_.ledger(partition);
  const LogPosition end = ledger.clean();
  std::vector<Offset> bases;
  for (const Segment& segment : partition.segments()) {
    const LogPosition first{segment.base, 0}, last{segment.base, segment.clean_end};
    if (last > ledger.cached()->synced && first < end) bases.push_back(segment.base);
  }
  if (planted(Bug::kSolidBeforeSync)) (void)ledger.cached_synced(end);
  for (const Offset base : bases) {
    PYRALOG_CO_ASSIGN(const SharedFile file, co_await segments_.open(partition, base));
    PYRALOG_CO_TRY(co_await file->sync());
  }
  ++context_.counters.flushes;
  const bool moved = ledger.cached_synced(end);
  context_.note_change();
  if (moved) ledger.call_on_synced();
  context_.progress.notify_all();
  co_return Result<>();
}

io::Task<Result<>> Flusher::sync(PartitionFiles& partition) {
  const Incarnation incarnation = partition.incarnation();
  const LogPosition until = context_.ledger(partition).end();
  PartitionFiles* held = co_await cleaner_.begin_work(incarnation);
  if (held == nullptr) co_return context_.failure.has_value() ? Result<>(context_.failed_error()) : Result<>();
  Result<> result;
  const Cached* cached = context_.ledger(*held).cached();
  if (cached != nullptr && cached->synced < until) result = co_await pass(*held, Wanted::kSync);
  cleaner_.end_work(*held);
  schedule(*held);
  if (!result.ok() && result.error().code() != ErrorCode::kNoSpace) context_.fail(result.error());
  co_return result;
}

io::Task<Result<>> Flusher::settle_all() {
  std::vector<Incarnation> order;
  for (const auto& [incarnation, partition] : context_.partitions) order.push_back(incarnation);
  std::sort(order.begin(), order.end());
  for (const Incarnation incarnation : order) {
    PartitionFiles& partition = *context_.partitions.at(incarnation);
    PartitionLedger ledger = context_.ledger(partition);
    if (ledger.cached() == nullptr) continue;
    PYRALOG_CO_TRY(co_await sync(partition));
    ledger.settle_cached();
  }
  co_return Result<>();
}

}  // namespace pyralog::storage
