// Compaction of a shard's logs: which ones, in which order, and what is told of it. See shard.h.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "server/node.h"
#include "server/partition_use.h"
#include "server/shard.h"
#include "storage/log_compaction.h"

namespace pyralog::server {
namespace {

/// How long a log is left alone after its compaction failed, unless its settings change. Never for good: what was wrong
/// (a full disk, a file that could not be read) may pass, and a log that is not compacted grows for ever.
constexpr Duration kFailureDelay = std::chrono::minutes(5);

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

struct Shard::DueLog {
  Incarnation incarnation;
  storage::CompactionBacklog backlog;
  storage::CompactionCause cause{};
};

io::Task<> Shard::compaction_loop() {
  while (co_await io::sleep_for(info().compaction_interval, scope_.abort()) == io::WaitOutcome::kTimedOut) {
    // A clock that jumped ahead would let deletion marks go before their time.
    const auto now = clock_guard_.observe(reactor_.wall_now(), reactor_.now());
    if (!now.has_value()) continue;
    const std::vector<DueLog> due = co_await find_due_logs(*now);
    for (const DueLog& log : due) {
      if (scope_.closing()) co_return;
      co_await compact(log, *now);
      --metrics_.compaction_logs_waiting;
    }
  }
}

/// Those with most to do first.
io::Task<std::vector<Shard::DueLog>> Shard::find_due_logs(WallTime now) {
  std::vector<Incarnation> incarnations;
  for (const auto& [incarnation, partition] : partitions_) {
    if (partition->rules->storage->compacts) incarnations.push_back(incarnation);
  }
  std::ranges::sort(incarnations);  // so that a run can be repeated
  std::vector<DueLog> due;
  std::uint64_t backlog_bytes = 0;
  double ratio_max = 0;
  for (const Incarnation incarnation : incarnations) {
    if (scope_.closing()) break;
    PartitionUse partition(*this, incarnation);
    if (!partition) continue;
    const auto backlog = co_await partition->data->compaction_backlog(now);
    if (!backlog.ok()) {
      if (backlog.error() == ErrorCode::kAborted) continue;
      spdlog::error("compaction: {}: {}", partition->data->files().directory(), backlog.error().to_string());
      continue;
    }
    backlog_bytes += backlog->dirty_bytes;
    ratio_max = std::max(ratio_max, backlog->dirty_ratio());
    const auto failed = compaction_failed_.find(incarnation);
    if (failed != compaction_failed_.end() && reactor_.now() < failed->second) continue;
    const auto cause = storage::compaction_cause(*backlog, partition->data->settings(), now);
    if (cause != storage::CompactionCause::kNone) due.push_back({incarnation, *backlog, cause});
  }
  std::ranges::sort(due, {}, [](const DueLog& log) { return std::pair(-log.backlog.dirty_ratio(), log.incarnation); });
  metrics_.compaction_backlog_bytes = backlog_bytes;
  metrics_.compaction_dirty_ratio_max = ratio_max;
  metrics_.compaction_logs_waiting = due.size();
  co_return due;
}

io::Task<> Shard::compact(DueLog due, WallTime now) {
  PartitionUse partition(*this, due.incarnation);
  if (!partition) co_return;
  const Partition* wanted = &*partition;
  storage::LogCompaction::Options options{.map_bytes_max = info().compaction_memory_bytes_max,
                                          .bytes_per_second = info().compaction_bytes_per_second_max,
                                          .cancelled = [wanted] { return wanted->removed; }};
  storage::LogCompaction compaction(*partition->data, std::move(options), scope_.abort());
  const MonotonicTime started = reactor_.now();
  const Result<> done = co_await compaction.run(now);
  const Duration took = reactor_.now() - started;
  const storage::CompactionReport& report = compaction.report();
  metrics_.compaction_bytes_read += report.bytes_read;
  metrics_.compaction_bytes_written += report.bytes_written;
  metrics_.compaction_records_removed += report.counts.superseded + report.counts.tombstones + report.counts.without_key;
  const std::string& directory = partition->data->files().directory();
  if (!done.ok()) {
    if (done.error() == ErrorCode::kAborted) co_return;  // the log changed, goes, or the node stops
    ++metrics_.compactions_failed;
    metrics_.compactions_without_room += done.error() == ErrorCode::kNoSpace;
    compaction_failed_[due.incarnation] = reactor_.now() + kFailureDelay;
    spdlog::error("compaction: {}: {}; next try in {} s or when its settings change", directory, done.error().to_string(),
                  seconds_of(kFailureDelay));
    co_return;
  }
  compaction_failed_.erase(due.incarnation);
  ++metrics_.compactions;
  metrics_.compaction_seconds_last = seconds_of(took);
  spdlog::info(
      "compaction: {}: cause={} dirty_ratio={:.2f} end={} seconds={:.3f} passes={} read_bytes={} written_bytes={} "
      "log_bytes={}->{} segments={}->{} superseded={} tombstones={} without_key={} unreadable_batches={}",
      directory, storage::compaction_cause_text(due.cause), due.backlog.dirty_ratio(), report.end.value, seconds_of(took),
      report.passes, report.bytes_read, report.bytes_written, report.bytes_before, report.bytes_after,
      report.segments_before, report.segments_after, report.counts.superseded, report.counts.tombstones,
      report.counts.without_key, report.counts.batches_unreadable);
}

}  // namespace pyralog::server
