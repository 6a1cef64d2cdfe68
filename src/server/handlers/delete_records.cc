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
  Deleted blank;
  blank.low_watermark = Offset(-1);
  auto topics = co_await answer_partitions<DeleteRecordsResponse::Topic>(request, message.topics, blank, &delete_before);
  response.topics = topics;
  co_return response;
}

}  // namespace pyralog::server
