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
  auto topics =
      co_await answer_partitions<OffsetForLeaderEpochResponse::Topic>(request, message.topics, Found(), &find_end);
  response.topics = topics;
  co_return response;
}

}  // namespace pyralog::server
