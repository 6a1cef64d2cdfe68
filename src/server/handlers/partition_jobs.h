#pragma once

#include <vector>

#include "io/remote_call.h"
#include "io/when_all.h"
#include "protocol/kafka/error_code.h"
#include "server/node.h"
#include "server/partition_use.h"
#include "server/request.h"
#include "server/shard.h"

namespace pyralog::server {

/// One partition's part of a request and of its answer, on its way to the partition's shard and back.
template <class Asked, class Answer>
struct PartitionJob {
  Incarnation incarnation;
  const Asked* asked = nullptr;
  Answer* answer = nullptr;
};

namespace detail {

template <class Asked, class Answer, class Run>
io::Task<> run_job_here(Shard& owner, PartitionJob<Asked, Answer>& job, Run run) {
  PartitionUse partition(owner, job.incarnation);
  if (!partition) {
    job.answer->error_code = protocol::KafkaError::kUnknownTopicOrPartition;
    co_return;
  }
  co_await run(*partition->data, *job.asked, *job.answer);
}

template <class Asked, class Answer, class Run>
io::Task<> run_job(Shard& origin, PartitionJob<Asked, Answer>& job, Run run) {
  Shard& owner = origin.node().shard_of(job.incarnation);
  auto here = [&owner, &job, run]() { return run_job_here(owner, job, run); };
  co_await io::call_on(owner.reactor(), std::move(here));
}

}  // namespace detail

/// Runs `run(PartitionLog&, const Asked&, Answer&)` (a Task<>) for every job on its partition's shard, all at once. A
/// partition that is gone by then is answered with UNKNOWN_TOPIC_OR_PARTITION.
template <class Asked, class Answer, class Run>
io::Task<> run_jobs(Shard& origin, std::vector<PartitionJob<Asked, Answer>>& jobs, Run run) {
  std::vector<io::Task<>> tasks;
  tasks.reserve(jobs.size());
  for (auto& job : jobs) tasks.push_back(detail::run_job(origin, job, run));
  co_await io::when_all(std::move(tasks));
}

/// Adds the job for one partition of a log, or answers that there is no such partition.
template <class Asked, class Answer>
void add_job(std::vector<PartitionJob<Asked, Answer>>& jobs, const cluster::LogMetadata* log, PartitionIndex index,
             const Asked& asked, Answer& answer) {
  const auto* partition = log != nullptr ? log->find(index) : nullptr;
  if (partition == nullptr) {
    answer.error_code = protocol::KafkaError::kUnknownTopicOrPartition;
  } else {
    jobs.push_back({.incarnation = partition->incarnation, .asked = &asked, .answer = &answer});
  }
}

/// Kafka's fencing of a reader by the leader epoch that it knows; none is not fenced.
inline protocol::KafkaError epoch_error(LeaderEpoch asked, LeaderEpoch current) {
  if (asked == kNoLeaderEpoch || asked == current) return protocol::KafkaError::kNone;
  return asked < current ? protocol::KafkaError::kFencedLeaderEpoch : protocol::KafkaError::kUnknownLeaderEpoch;
}

}  // namespace pyralog::server
