#include "server/group_service.h"
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

/// What of the request may be done: the server alone decides what its internal logs keep.
std::span<DeleteRecordsRequest::Topic> without_internal(Request& request, const DeleteRecordsRequest& message) {
  auto topics = request.arena.make<DeleteRecordsRequest::Topic>(message.topics.size());
  std::ranges::copy(message.topics, topics.begin());
  for (auto& topic : topics) {
    if (is_internal_log(topic.name)) topic.partitions = {};
  }
  return topics;
}

}  // namespace

io::Task<Result<DeleteRecordsResponse>> handle_delete_records(Request& request, const DeleteRecordsRequest& message) {
  DeleteRecordsResponse response;
  Deleted blank;
  blank.low_watermark = Offset(-1);
  const ArrayView<DeleteRecordsRequest::Topic> allowed = without_internal(request, message);
  auto topics = co_await answer_partitions<DeleteRecordsResponse::Topic>(request, allowed, blank, &delete_before);
  blank.error_code = KafkaError::kInvalidTopicException;
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& asked = message.topics[t];
    if (!is_internal_log(asked.name)) continue;
    auto refused = request.arena.make<Deleted>(asked.partitions.size());
    for (std::size_t p = 0; p < refused.size(); ++p) {
      refused[p] = blank;
      refused[p].partition_index = asked.partitions[p].partition_index;
    }
    topics[t].partitions = refused;
  }
  response.topics = topics;
  co_return response;
}

}  // namespace pyralog::server
