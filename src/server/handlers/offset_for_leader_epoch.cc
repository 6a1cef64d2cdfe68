#include "server/handlers/handlers.h"
#include "server/handlers/partition_jobs.h"

namespace pyralog::server {
namespace {

using namespace protocol;
using Asked = OffsetForLeaderEpochRequest::Partition;
using Found = OffsetForLeaderEpochResponse::Partition;

io::Task<> find_end(storage::PartitionLog& log, const Asked& asked, Found& answer) {
  answer.error_code = epoch_error(asked.current_leader_epoch, log.leader_epoch());
  if (answer.error_code != KafkaError::kNone) co_return;
  if (const auto end = log.epoch_end(asked.leader_epoch)) {
    answer.leader_epoch = end->epoch;
    answer.end_offset = end->end;
  }
}

}  // namespace

io::Task<Result<OffsetForLeaderEpochResponse>> handle_offset_for_leader_epoch(Request& request,
                                                                              const OffsetForLeaderEpochRequest& message) {
  OffsetForLeaderEpochResponse response;
  auto topics = request.arena.make<OffsetForLeaderEpochResponse::Topic>(message.topics.size());
  std::vector<PartitionJob<Asked, Found>> jobs;
  const cluster::ImagePtr image = request.shard.image();
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& asked = message.topics[t];
    auto partitions = request.arena.make<Found>(asked.partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      partitions[p].partition = asked.partitions[p].partition;
      add_job(jobs, image->find_log(asked.topic), asked.partitions[p].partition, asked.partitions[p], partitions[p]);
    }
    topics[t].topic = asked.topic;
    topics[t].partitions = partitions;
  }
  co_await run_jobs(request.shard, jobs, &find_end);
  response.topics = topics;
  co_return response;
}

}  // namespace pyralog::server
