#include "server/fetch_read.h"

#include <algorithm>

#include "io/remote_call.h"
#include "io/when_all.h"
#include "server/data_watch.h"
#include "server/node.h"
#include "server/partition_use.h"

namespace pyralog::server {
namespace {

using protocol::KafkaError;

/// The partitions of a fetch that live on one shard, in the order asked.
struct ShardReads {
  Shard* shard = nullptr;
  std::vector<PartitionRead*> reads;
  // For the shard's own thread, while somebody waits there.
  io::AbortSource* waiting = nullptr;
  bool cancelled = false;
};

KafkaError check_epoch(const PartitionRead& read, LeaderEpoch current) {
  if (read.target.current_epoch == kNoLeaderEpoch || read.target.current_epoch == current) return KafkaError::kNone;
  return read.target.current_epoch < current ? KafkaError::kFencedLeaderEpoch : KafkaError::kUnknownLeaderEpoch;
}

/// True if the reader's log, whose last epoch is given, differs from ours below its offset.
bool diverges(PartitionRead& read, storage::PartitionLog& log) {
  if (read.target.last_fetched_epoch == kNoLeaderEpoch) return false;
  const auto end = log.epoch_end(read.target.last_fetched_epoch);
  if (end.has_value() && end->epoch == read.target.last_fetched_epoch && end->end >= read.target.offset) return false;
  read.diverging_epoch = end.has_value() ? end->epoch : kNoLeaderEpoch;
  read.diverging_end = end.has_value() ? end->end : log.start();
  return true;
}

io::Task<> read_one(Shard& shard, PartitionRead& read, std::size_t bytes_max, bool at_least_one) {
  read.pieces.clear();
  read.bytes = 0;
  read.error = KafkaError::kNone;
  PartitionUse partition(shard, read.incarnation);
  if (!partition) {
    read.error = KafkaError::kUnknownTopicOrPartition;
    co_return;
  }
  storage::PartitionLog& log = *partition->data;
  read.high_watermark = log.high_watermark();
  read.log_start = log.start();
  read.leader_epoch = log.leader_epoch();
  read.error = check_epoch(read, read.leader_epoch);
  if (read.error != KafkaError::kNone || diverges(read, log)) co_return;
  if (read.target.offset < read.log_start || read.target.offset > read.high_watermark) {
    read.error = KafkaError::kOffsetOutOfRange;
    co_return;
  }
  const std::size_t limit = std::min(bytes_max, static_cast<std::size_t>(std::max(read.target.bytes_max, 0)));
  if (read.target.offset == read.high_watermark || (limit == 0 && !at_least_one)) co_return;
  storage::ReadOptions options{.offset = read.target.offset,
                               .bytes_max = limit,
                               .first_batch = at_least_one ? storage::FirstBatch::kAlways : storage::FirstBatch::kIfItFits};
  auto found = co_await log.read(options);
  if (!found.ok()) {
    read.error = found.error() == ErrorCode::kOutOfRange ? KafkaError::kOffsetOutOfRange
                                                         : protocol::to_kafka_error(found.error().code());
    co_return;
  }
  read.bytes = found->bytes;
  read.pieces = std::move(found->pieces);
}

/// On the shard of `group`. `bytes` counts what the fetch has so far.
io::Task<std::size_t> read_group(ShardReads& group, std::size_t bytes, std::size_t bytes_max) {
  for (PartitionRead* read : group.reads) {
    co_await read_one(*group.shard, *read, bytes < bytes_max ? bytes_max - bytes : 0, bytes == 0);
    bytes += read->bytes;
  }
  co_return bytes;
}

/// On the shard of `group`: returns when one of its partitions has more than was read, or the wait is over.
io::Task<> wait_group(ShardReads& group, MonotonicTime deadline) {
  if (group.cancelled) co_return;
  std::vector<PartitionUse> uses;
  uses.reserve(group.reads.size());
  DataWaiter waiter(group.reads.size());
  io::AbortSource abort;
  for (PartitionRead* read : group.reads) {
    PartitionUse& partition = uses.emplace_back(*group.shard, read->incarnation);
    // Whoever is gone, or has moved since it was read, is news already.
    if (!partition || partition->data->high_watermark() != read->high_watermark) co_return;
    waiter.watch(partition->watchers);
  }
  group.waiting = &abort;
  co_await waiter.wait_until(deadline, abort);
  group.waiting = nullptr;
}

io::Task<> cancel_group(ShardReads& group) {
  auto here = [&group]() -> io::Task<> {
    group.cancelled = true;
    if (group.waiting != nullptr) group.waiting->abort();
    co_return;
  };
  co_await io::call_on(group.shard->reactor(), std::move(here));
}

/// Waits on all shards at once; the first to have news ends the others' waits.
class FetchWait {
 public:
  FetchWait(std::vector<ShardReads>& groups, MonotonicTime deadline, io::AbortSource& abort)
      : groups_(groups), deadline_(deadline), abort_(abort) {}

  io::Task<> run() {
    std::vector<io::Task<>> tasks;
    for (ShardReads& group : groups_) tasks.push_back(run_group(group));
    tasks.push_back(end_when_aborted());
    co_await io::when_all(std::move(tasks));
  }

 private:
  io::Task<> run_group(ShardReads& group) {
    auto here = [&group, deadline = deadline_]() { return wait_group(group, deadline); };
    co_await io::call_on(group.shard->reactor(), std::move(here));
    co_await end_all();
  }
  io::Task<> end_when_aborted() {
    if (!ended_) co_await ended_list_.wait(abort_);
    co_await end_all();
  }
  io::Task<> end_all() {
    if (std::exchange(ended_, true)) co_return;
    ended_list_.notify_all();
    for (ShardReads& group : groups_) co_await cancel_group(group);
  }

  std::vector<ShardReads>& groups_;
  MonotonicTime deadline_;
  io::AbortSource& abort_;
  io::WaitList ended_list_;
  bool ended_ = false;
};

std::vector<ShardReads> group_by_shard(Shard& origin, std::span<PartitionRead> reads) {
  std::vector<ShardReads> groups;
  for (PartitionRead& read : reads) {
    if (read.incarnation == Incarnation()) continue;
    Shard* shard = &origin.node().shard_of(read.incarnation);
    auto group = std::ranges::find(groups, shard, &ShardReads::shard);
    if (group == groups.end()) group = groups.insert(groups.end(), ShardReads{.shard = shard});
    group->reads.push_back(&read);
  }
  return groups;
}

}  // namespace

io::Task<> read_partitions(Shard& origin, std::span<PartitionRead> reads, FetchTerms terms, io::AbortSource& abort) {
  std::vector<ShardReads> groups = group_by_shard(origin, reads);
  bool waited = false;
  for (;;) {
    std::size_t bytes = 0;
    for (ShardReads& group : groups) {
      auto here = [&group, bytes, bytes_max = terms.bytes_max]() { return read_group(group, bytes, bytes_max); };
      bytes = co_await io::call_on(group.shard->reactor(), std::move(here));
    }
    const bool told = std::ranges::any_of(reads, [](const PartitionRead& read) {
      return read.error != KafkaError::kNone || read.diverging_end >= Offset(0);
    });
    const bool late = origin.reactor().now() >= terms.deadline;
    if (bytes >= terms.bytes_min || told || late || groups.empty() || abort.aborted()) co_return;
    if (!std::exchange(waited, true)) ++origin.metrics().fetch_waits;
    for (ShardReads& group : groups) group.cancelled = false;
    co_await FetchWait(groups, terms.deadline, abort).run();
  }
}

}  // namespace pyralog::server
