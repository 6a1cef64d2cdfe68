#include "server/handlers/group_answers.h"
#include "server/handlers/handlers.h"

namespace pyralog::server {
namespace {

using namespace protocol;

using PartitionAnswers = std::vector<OffsetDeleteResponse::Partition*>;

std::span<OffsetDeleteResponse::Topic> read_topics(Request& request, const OffsetDeleteRequest& message,
                                                   coordinator::OffsetDeleteRequest& wanted, PartitionAnswers& answers) {
  const cluster::ImagePtr image = request.shard.image();
  auto topics = request.arena.make<OffsetDeleteResponse::Topic>(message.topics.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& asked = message.topics[t];
    const bool exists = image->find_log(asked.name) != nullptr;
    auto partitions = request.arena.make<OffsetDeleteResponse::Partition>(asked.partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      partitions[p].partition_index = asked.partitions[p].partition_index;
      partitions[p].error_code = exists ? KafkaError::kNone : KafkaError::kUnknownTopicOrPartition;
      if (!exists) continue;
      wanted.partitions.push_back({std::string(asked.name), partitions[p].partition_index});
      answers.push_back(&partitions[p]);
    }
    topics[t] = {.name = asked.name, .partitions = partitions};
  }
  return topics;
}

}  // namespace

io::Task<Result<OffsetDeleteResponse>> handle_offset_delete(Request& request, const OffsetDeleteRequest& message) {
  coordinator::OffsetDeleteRequest wanted{.group_id = std::string(message.group_id)};
  PartitionAnswers answers;
  const auto topics = read_topics(request, message, wanted, answers);
  auto there = [wanted = std::move(wanted)](GroupHost& host) mutable {
    auto ask = [wanted = std::move(wanted)](auto& coordinator, auto waiter, auto) {
      coordinator.delete_offsets(wanted, waiter);
    };
    return host.ask<coordinator::OffsetDeleteAnswer>(std::move(ask));
  };
  auto answer = co_await with_group<coordinator::OffsetDeleteAnswer>(request.shard, message.group_id, std::move(there));
  OffsetDeleteResponse response;
  response.error_code = answer ? answer->error : answer.error();
  if (response.error_code != KafkaError::kNone) co_return response;
  for (std::size_t i = 0; i < answers.size(); ++i) answers[i]->error_code = answer->partitions[i];
  response.topics = topics;
  co_return response;
}

}  // namespace pyralog::server
