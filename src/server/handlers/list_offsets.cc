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

io::Task<> find_offset(storage::PartitionLog& log, const Asked& asked, Found& answer, bool has_epochs) {
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
  if (!has_epochs) answer.leader_epoch = kNoLeaderEpoch;  // the version has no place for it
}

}  // namespace

io::Task<Result<ListOffsetsResponse>> handle_list_offsets(Request& request, const ListOffsetsRequest& message) {
  ListOffsetsResponse response;
  const bool has_epochs = request.version() >= ApiVersion(4);
  auto find = [has_epochs](storage::PartitionLog& log, const Asked& asked, Found& answer) {
    return find_offset(log, asked, answer, has_epochs);
  };
  auto topics = co_await answer_partitions<ListOffsetsResponse::Topic>(request, message.topics, Found(), find);
  response.topics = topics;
  co_return response;
}

}  // namespace pyralog::server
