#pragma once

#include <algorithm>
#include <span>
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

/// Jobs of a request that run at the same time: a running one takes a hundred times the memory of its place in the request.
inline constexpr std::size_t kPartitionJobsAtOnce = 512;

/// Runs `run(PartitionLog&, const Asked&, Answer&)` (a Task<>) for every job on its partition's shard, many at once. A
/// partition that is gone by then is answered with UNKNOWN_TOPIC_OR_PARTITION.
template <class Asked, class Answer, class Run>
io::Task<> run_jobs(Shard& origin, std::span<PartitionJob<Asked, Answer>> jobs, Run run) {
  while (!jobs.empty()) {
    const auto now = jobs.first(std::min(jobs.size(), kPartitionJobsAtOnce));
    std::vector<io::Task<>> tasks;
    tasks.reserve(now.size());
    for (auto& job : now) tasks.push_back(detail::run_job(origin, job, run));
    co_await io::when_all(std::move(tasks));
    jobs = jobs.subspan(now.size());
  }
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

namespace detail {

// Kafka's messages call one thing by two names.
auto& name_in(auto& topic) {
  if constexpr (requires { topic.name; }) {
    return topic.name;
  } else {
    return topic.topic;
  }
}
auto& index_in(auto& partition) {
  if constexpr (requires { partition.partition_index; }) {
    return partition.partition_index;
  } else {
    return partition.partition;
  }
}

}  // namespace detail

/// Answers a request that asks the same of many partitions, by log: every topic and partition of `asked` in its order, each
/// partition's answer begun as `blank` and filled by `run` as in run_jobs.
template <class TopicAnswer, class AskedTopic, class Answer, class Run>
io::Task<std::span<TopicAnswer>> answer_partitions(Request& request, protocol::ArrayView<AskedTopic> asked, Answer blank,
                                                   Run run) {
  using Asked = typename decltype(AskedTopic::partitions)::value_type;
  auto topics = request.arena.make<TopicAnswer>(asked.size());
  std::vector<PartitionJob<Asked, Answer>> jobs;
  const cluster::ImagePtr image = request.shard.image();
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto* log = image->find_log(detail::name_in(asked[t]));
    auto partitions = request.arena.make<Answer>(asked[t].partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      const Asked& wanted = asked[t].partitions[p];
      partitions[p] = blank;
      detail::index_in(partitions[p]) = detail::index_in(wanted);
      add_job(jobs, log, detail::index_in(wanted), wanted, partitions[p]);
    }
    detail::name_in(topics[t]) = detail::name_in(asked[t]);
    topics[t].partitions = partitions;
  }
  co_await run_jobs(request.shard, std::span(jobs), run);
  co_return topics;
}

/// Kafka's fencing of a reader by the leader epoch that it knows; none is not fenced.
inline protocol::KafkaError epoch_error(LeaderEpoch asked, LeaderEpoch current) {
  if (asked == kNoLeaderEpoch || asked == current) return protocol::KafkaError::kNone;
  return asked < current ? protocol::KafkaError::kFencedLeaderEpoch : protocol::KafkaError::kUnknownLeaderEpoch;
}

}  // namespace pyralog::server
