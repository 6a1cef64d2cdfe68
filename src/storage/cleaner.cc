#include "storage/cleaner.h"

#include <algorithm>

#include "storage/planted.h"
#include "storage/run_writer.h"

namespace pyralog::storage {
namespace {

constexpr Duration kFullDiskDelay = std::chrono::seconds(1);

}  // namespace

void Cleaner::update(PartitionFiles& partition) {
  PartitionLedger ledger = context_.ledger(partition);
  if (ledger.cached() != nullptr) return;  // the flusher's
  const Incarnation incarnation = partition.incarnation();
  const RoundSequence redo = ledger.redo().value_or(RoundSequence(0));
  if (redo != ledger.queued_redo()) {
    if (ledger.queued_redo().value != 0) queue_.erase({ledger.queued_redo(), incarnation});
    if (redo.value != 0) queue_.insert({redo, incarnation});
    ledger.queued_redo() = redo;
    if (!queue_.empty() && !dirty_since_.has_value()) dirty_since_ = context_.reactor.now();
    if (queue_.empty()) dirty_since_.reset();
  }
  if (partition.dirty_bytes() >= context_.geometry().pass_bytes_max) {
    full_.insert(incarnation);
  } else if (!full_.empty()) {
    full_.erase(incarnation);
  }
  if (!queue_.empty() && !work_.empty()) work_.notify_all();
}

void Cleaner::forget(PartitionFiles& partition) {
  PartitionLedger ledger = context_.ledger(partition);
  pass_ended_.notify_all();
  if (ledger.queued_redo().value != 0) queue_.erase({ledger.queued_redo(), partition.incarnation()});
  ledger.queued_redo() = RoundSequence(0);
  full_.erase(partition.incarnation());
}

std::optional<RoundSequence> Cleaner::redo() const noexcept {
  if (queue_.empty()) return std::nullopt;
  return queue_.begin()->first;
}

io::Task<> Cleaner::freeze(PartitionFiles& partition) {
  PartitionLedger ledger = context_.ledger(partition);
  ++ledger.freezes();
  while (ledger.cleaning() && !planted(Bug::kPassOverlapsTruncation)) co_await pass_ended_.wait();
}

void Cleaner::thaw(PartitionFiles& partition) {
  --context_.ledger(partition).freezes();
  pass_ended_.notify_all();
  update(partition);
}

io::Task<PartitionFiles*> Cleaner::begin_work(Incarnation incarnation) {
  for (;;) {
    const auto found = context_.partitions.find(incarnation);
    if (found == context_.partitions.end() || context_.failure.has_value()) co_return nullptr;
    PartitionLedger ledger = context_.ledger(*found->second);
    if (!ledger.cleaning() && ledger.freezes() == 0) {
      ledger.cleaning() = true;
      co_return found->second.get();
    }
    (void)co_await pass_ended_.wait();
  }
}

void Cleaner::end_work(PartitionFiles& partition) {
  context_.ledger(partition).cleaning() = false;
  pass_ended_.notify_all();
  work_.notify_all();
}

bool Cleaner::pressed() {
  const StoreGeometry& geometry = context_.geometry();
  if (queue_.empty()) return false;
  const MonotonicTime now = context_.reactor.now();
  if (retry_at_.has_value() && now < *retry_at_) return false;
  if (!full_.empty() || context_.counters.dirty_bytes >= geometry.dirty_bytes_max / 2) return true;
  if (journal_.bytes_since(queue_.begin()->first) >= geometry.clean_journal_bytes_min) return true;
  if (dirty_since_.has_value() && now - *dirty_since_ >= geometry.clean_delay_max) {
    sweep_to_ = queue_.rbegin()->first;
    dirty_since_ = now;
  }
  return queue_.begin()->first <= sweep_to_;
}

PartitionFiles* Cleaner::pick() {
  const auto ready = [&](Incarnation incarnation) -> PartitionFiles* {
    const auto found = context_.partitions.find(incarnation);
    if (found == context_.partitions.end()) return nullptr;
    PartitionLedger ledger = context_.ledger(*found->second);
    if (ledger.cleaning() || ledger.freezes() > 0) return nullptr;
    return ledger.dirty_run(1).bytes > 0 ? found->second.get() : nullptr;
  };
  const StoreGeometry& geometry = context_.geometry();
  const bool journal_full = journal_.bytes_since(queue_.begin()->first) >= geometry.clean_journal_bytes_min;
  if (!journal_full) {
    // The journal does not press, so large runs come first: they cost least per byte.
    for (const Incarnation incarnation : full_) {
      if (PartitionFiles* partition = ready(incarnation)) return partition;
    }
  }
  for (const auto& [redo, incarnation] : queue_) {
    if (PartitionFiles* partition = ready(incarnation)) return partition;
  }
  return nullptr;
}

io::Task<> Cleaner::run(io::TaskScope& scope) {
  const StoreGeometry& geometry = context_.geometry();
  while (!scope.closing() && !context_.failure.has_value()) {
    const bool journal_half_full =
        !queue_.empty() && journal_.bytes_since(queue_.begin()->first) >= geometry.journal_bytes_max / 2;
    // Many partitions with little each fill the memory long before the journal, and it is the syncs that take the time.
    const bool memory_fills = context_.counters.dirty_bytes >= geometry.dirty_bytes_max / 4 * 3;
    const std::size_t passes_max = journal_half_full || memory_fills ? kPassesMax : 1;
    PartitionFiles* partition = passes_ < passes_max && pressed() ? pick() : nullptr;
    if (partition != nullptr) {
      ++passes_;
      context_.ledger(*partition).cleaning() = true;
      scope.spawn(pass_in_scope(partition));
      continue;
    }
    if (!queue_.empty() && passes_ == 0) {
      const MonotonicTime due = retry_at_.value_or(dirty_since_.value_or(context_.reactor.now()) + geometry.clean_delay_max);
      // Overdue, and yet nothing to pick: it is frozen or not synced yet, and whoever changes that wakes this loop.
      if (due > context_.reactor.now()) {
        (void)co_await work_.wait_until(due, scope.abort());
        continue;
      }
    } else if (queue_.empty() && !kept_.empty()) {
      const MonotonicTime due = kept_.front().since + geometry.tail_cache_delay_max;
      if ((co_await work_.wait_until(due, scope.abort())) == io::WaitOutcome::kTimedOut) {
        shrink_cache(context_.reactor.now() - geometry.tail_cache_delay_max);
      }
      continue;
    }
    (void)co_await work_.wait(scope.abort());
  }
}

io::Task<> Cleaner::pass_in_scope(PartitionFiles* partition) {
  const Result<> result = co_await pass(*partition);
  --passes_;
  if (!result.ok()) {
    if (result.error().code() == ErrorCode::kNoSpace) {
      retry_at_ = context_.reactor.now() + kFullDiskDelay;
    } else {
      context_.fail(result.error());
    }
  } else {
    retry_at_.reset();
  }
  work_.notify_all();
}

io::Task<Result<>> Cleaner::pass(PartitionFiles& partition) {
  PartitionLedger ledger = context_.ledger(partition);
  const MonotonicTime started = context_.reactor.now();
  PartitionLedger::DirtyRun run = ledger.dirty_run(context_.geometry().pass_bytes_max);
  const Result<> result = co_await write(partition, run);
  ledger.cleaning() = false;
  if (result.ok()) {
    context_.tracked(partition, [&] { ledger.advance_clean(run); });
    StoreCounters& counters = context_.counters;
    ++counters.cleaner_passes;
    counters.cleaned_bytes += run.bytes;
    counters.cleaner_latency.record(context_.reactor.now() - started);
    keep(partition, {run.segment, run.end});
    run = {};
    context_.note_change();
    update(partition);
    context_.progress.notify_all();
  }
  pass_ended_.notify_all();
  co_return result;
}

io::Task<Result<>> Cleaner::write(PartitionFiles& partition, PartitionLedger::DirtyRun& run) {
  const StoreGeometry& geometry = context_.geometry();
  PYRALOG_CO_ASSIGN(const SharedFile file, co_await segments_.open(partition, run.segment));
  if (run.bytes >= geometry.direct_pass_bytes_min && !direct_refused_) {
    const io::OpenOptions options{.caching = io::Caching::kDirect};
    std::string path = segments_.path(partition, run.segment);
    PYRALOG_CO_ASSIGN(const auto direct, co_await context_.reactor.disk().open(std::move(path), options));
    direct_refused_ = !direct->is_direct();
    if (!direct_refused_) {
      end_at_block(run, geometry.block_bytes);
      co_return co_await write_past_cache(*file, *direct, run, geometry.block_bytes);
    }
  }
  PYRALOG_CO_TRY(segments_.write(*file, run));
  co_return co_await file->sync();
}

io::Task<Result<>> Cleaner::clean(PartitionFiles& partition) {
  PartitionLedger ledger = context_.ledger(partition);
  for (;;) {
    while (ledger.cleaning()) co_await pass_ended_.wait();
    if (context_.failure.has_value()) co_return context_.failed_error();
    if (ledger.dirty_run(1).bytes == 0) co_return Result<>();
    ledger.cleaning() = true;
    const Result<> result = co_await pass(partition);
    if (!result.ok()) {
      if (result.error().code() != ErrorCode::kNoSpace) context_.fail(result.error());
      co_return result;
    }
  }
}

io::Task<Result<>> Cleaner::clean_all() {
  while (!queue_.empty()) {
    const auto found = context_.partitions.find(queue_.begin()->second);
    if (found == context_.partitions.end()) break;
    const RoundSequence before = queue_.begin()->first;
    PYRALOG_CO_TRY(co_await clean(*found->second));
    if (!queue_.empty() && queue_.begin()->first == before && queue_.begin()->second == found->first) break;
  }
  co_return Result<>();
}

void Cleaner::keep(const PartitionFiles& partition, LogPosition end) {
  kept_.push_back({partition.incarnation(), end, context_.reactor.now()});
  shrink_cache(MonotonicTime::min());
}

void Cleaner::shrink_cache(MonotonicTime until) {
  StoreCounters& counters = context_.counters;
  while (!kept_.empty()) {
    const Kept& oldest = kept_.front();
    if (counters.cached_bytes <= context_.geometry().tail_cache_bytes_max && oldest.since > until) break;
    const auto found = context_.partitions.find(oldest.incarnation);
    if (found != context_.partitions.end()) {
      context_.tracked(*found->second, [&] { context_.ledger(*found->second).evict(oldest.end); });
    }
    kept_.pop_front();
  }
}

}  // namespace pyralog::storage
