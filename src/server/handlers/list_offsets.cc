#include "server/handlers/handlers.h"
#include "server/handlers/partition_jobs.h"

namespace pyralog::server {
namespace {

using namespace protocol;
using Asked = ListOffsetsRequest::Partition;
using Found = ListOffsetsResponse::Partition;

void put(Found& answer, storage::PartitionLog& log, Offset offset, WallTime timestamp = record::kNoTimestamp) {
  answer.offset = offset;
  answer.timestamp = timestamp.ms;
  // At the log's end the next record's epoch: the leader's.
  answer.leader_epoch = offset < log.log_end() ? log.files().state().epochs().epoch_at(offset) : log.leader_epoch();
}

io::Task<> search(storage::PartitionLog& log, const Asked& asked, Found& answer) {
  const auto limit = storage::ReadLimit::kHighWatermark;
  auto result = asked.timestamp == kTimestampMax ? co_await log.newest_timestamp(limit)
                                                 : co_await log.offset_for_time(WallTime{asked.timestamp}, limit);
  if (!result.ok()) {
    answer.error_code = to_kafka_error(result.error().code());
  } else if (result->has_value()) {
    put(answer, log, (*result)->offset, (*result)->timestamp);
  }
}

io::Task<> find_offset(storage::PartitionLog& log, const Asked& asked, Found& answer) {
  answer.error_code = epoch_error(asked.current_leader_epoch, log.leader_epoch());
  if (answer.error_code != KafkaError::kNone) co_return;
  switch (asked.timestamp) {
    case kTimestampLatest:
      put(answer, log, log.high_watermark());
      break;
    case kTimestampEarliest:
    case kTimestampEarliestLocal:
      put(answer, log, log.start());
      break;
    case kTimestampLatestTiered:
    case kTimestampEarliestPendingUpload:
      break;  // nothing is tiered: there is no such offset
    default:
      co_await search(log, asked, answer);
  }
}

}  // namespace

io::Task<Result<ListOffsetsResponse>> handle_list_offsets(Request& request, const ListOffsetsRequest& message) {
  ListOffsetsResponse response;
  auto topics = request.arena.make<ListOffsetsResponse::Topic>(message.topics.size());
  std::vector<PartitionJob<Asked, Found>> jobs;
  const cluster::ImagePtr image = request.shard.image();
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& asked = message.topics[t];
    auto partitions = request.arena.make<Found>(asked.partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      partitions[p].partition_index = asked.partitions[p].partition_index;
      add_job(jobs, image->find_log(asked.name), asked.partitions[p].partition_index, asked.partitions[p], partitions[p]);
    }
    topics[t].name = asked.name;
    topics[t].partitions = partitions;
  }
  co_await run_jobs(request.shard, jobs, &find_offset);
  if (request.version() < ApiVersion(4)) {
    for (const auto& job : jobs) job.answer->leader_epoch = kNoLeaderEpoch;  // these versions have no place for it
  }
  response.topics = topics;
  co_return response;
}

}  // namespace pyralog::server
