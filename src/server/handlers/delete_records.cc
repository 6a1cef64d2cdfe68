#include "server/handlers/handlers.h"
#include "server/handlers/partition_jobs.h"

namespace pyralog::server {
namespace {

using namespace protocol;
using Asked = DeleteRecordsRequest::Partition;
using Deleted = DeleteRecordsResponse::Partition;

io::Task<> delete_before(storage::PartitionLog& log, const Asked& asked, Deleted& answer) {
  const Offset before = asked.offset == Offset(-1) ? log.high_watermark() : asked.offset;
  if (before < Offset(0) || before > log.high_watermark()) {
    answer.error_code = KafkaError::kOffsetOutOfRange;
    co_return;
  }
  auto start = co_await log.delete_records(before);
  if (!start.ok()) {
    answer.error_code =
        start.error() == ErrorCode::kOutOfRange ? KafkaError::kOffsetOutOfRange : to_kafka_error(start.error().code());
    co_return;
  }
  answer.low_watermark = *start;
}

}  // namespace

io::Task<Result<DeleteRecordsResponse>> handle_delete_records(Request& request, const DeleteRecordsRequest& message) {
  DeleteRecordsResponse response;
  auto topics = request.arena.make<DeleteRecordsResponse::Topic>(message.topics.size());
  std::vector<PartitionJob<Asked, Deleted>> jobs;
  const cluster::ImagePtr image = request.shard.image();
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& asked = message.topics[t];
    auto partitions = request.arena.make<Deleted>(asked.partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      partitions[p].partition_index = asked.partitions[p].partition_index;
      partitions[p].low_watermark = Offset(-1);
      add_job(jobs, image->find_log(asked.name), asked.partitions[p].partition_index, asked.partitions[p], partitions[p]);
    }
    topics[t].name = asked.name;
    topics[t].partitions = partitions;
  }
  co_await run_jobs(request.shard, jobs, &delete_before);
  response.topics = topics;
  co_return response;
}

}  // namespace pyralog::server
