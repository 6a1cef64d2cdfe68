#include "storage/checkpointer.h"

#include <algorithm>

#include "storage/planted.h"

namespace pyralog::storage {
namespace {

constexpr Duration kFirstDelay = std::chrono::seconds(1);

}  // namespace

Checkpointer::Capture Checkpointer::capture(RoundSequence shown, bool clean_stop) const {
  CheckpointWriter writer(context_.options);
  std::vector<Incarnation> order;
  order.reserve(context_.partitions.size());
  for (const auto& [incarnation, partition] : context_.partitions) order.push_back(incarnation);
  std::sort(order.begin(), order.end());
  std::vector<std::byte> state;
  for (const Incarnation incarnation : order) {
    PartitionFiles& partition = *context_.partitions.at(incarnation);
    const PartitionLedger ledger = context_.ledger(partition);
    PartitionEntry entry = PartitionEntry::of(partition);
    entry.redo = ledger.redo().value_or(PartitionEntry::kNoRedo);
    if (const auto* cached = ledger.cached(); cached != nullptr && cached->mark.has_value()) {
      entry.cached = cached->mark;
      entry.state = cached->state;
    } else {
      state.clear();
      partition.state().encode(state);
      entry.state = state;
    }
    writer.add(entry);
  }
  for (const auto& [key, value] : context_.states) writer.add(key, value.view());
  const RoundSequence redo_from = writer.redo_from(shown);
  return {writer.finish(files_.next_sequence(), shown, clean_stop), shown, redo_from};
}

io::Task<Result<>> Checkpointer::store(Capture captured) {
  StoreCounters& counters = context_.counters;
  ++counters.checkpoints;
  counters.checkpoint_bytes += captured.file.size();
  const RoundSequence redo_from = captured.redo_from;
  if (planted(Bug::kRecycleBeforeCheckpoint)) journal_.recycle(redo_from);
  PYRALOG_CO_TRY(co_await files_.store(std::move(captured.file)));
  durable_redo_ = redo_from;
  journal_.recycle(redo_from);
  context_.progress.notify_all();
  co_return Result<>();
}

io::Task<Result<>> Checkpointer::store_now(bool clean_stop) {
  Capture captured = capture(committer_.synced(), clean_stop);
  co_return co_await store(std::move(captured));
}

io::Task<Result<>> Checkpointer::store_next() {
  context_.changed_since.reset();
  appended_bytes_shown_ = context_.counters.appended_bytes;
  committer_.capture_when_sealed([this](RoundSequence shown) {
    capture_ = capture(shown, false);
    captured_.notify_all();
  });
  while (!capture_.has_value() && !context_.failure.has_value()) co_await captured_.wait();
  if (context_.failure.has_value()) co_return context_.failed_error();
  Capture captured = std::move(*capture_);
  capture_.reset();
  // It may show synced rounds only.
  PYRALOG_CO_TRY(co_await committer_.wait_synced(captured.shown));
  co_return co_await store(std::move(captured));
}

bool Checkpointer::wants_checkpoint() const {
  // Bodies take no room in the journal, but recovery walks over them.
  const std::uint64_t appended = context_.counters.appended_bytes - appended_bytes_shown_;
  return journal_.wants_file() || appended >= context_.geometry().journal_bytes_max;
}

io::Task<Result<>> Checkpointer::provide_file() {
  // Beyond the bound the journal is not to grow: the cleaner is at work, and a file becomes free with a later checkpoint.
  const std::uint64_t files_max = context_.geometry().journal_bytes_max / context_.geometry().journal_file_bytes;
  if (!journal_.wants_file() || journal_.file_count() >= files_max) co_return Result<>();
  co_return co_await journal_.add_file();
}

io::Task<> Checkpointer::run(io::TaskScope& scope) {
  const StoreGeometry& geometry = context_.geometry();
  while (!scope.closing() && !context_.failure.has_value()) {
    Result<> result = co_await provide_file();
    if (result.ok() && context_.changed_since.has_value()) {
      // Until a checkpoint knows of a round, the loss of the first journal file looks like a store that was never used.
      const bool is_first = durable_redo_ <= RoundSequence(1);
      const Duration delay = is_first ? std::min(kFirstDelay, geometry.checkpoint_delay_max) : geometry.checkpoint_delay_max;
      const MonotonicTime due = *context_.changed_since + delay;
      const bool pressed = wants_checkpoint() && cleaner_.redo().value_or(RoundSequence(UINT64_MAX)) > durable_redo_;
      if (pressed || context_.reactor.now() >= due) {
        result = co_await store_next();
      } else {
        (void)co_await context_.progress.wait_until(due, scope.abort());
      }
    } else if (result.ok()) {
      (void)co_await context_.progress.wait(scope.abort());
    }
    if (!result.ok() && result.error().code() == ErrorCode::kNoSpace) {
      (void)co_await io::sleep_for(std::chrono::seconds(1), scope.abort());
    } else if (!result.ok() && !scope.closing()) {
      context_.fail(result.error());
    }
  }
}

}  // namespace pyralog::storage
