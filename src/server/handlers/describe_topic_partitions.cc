#include <algorithm>

#include "server/group_service.h"
#include "server/handlers/handlers.h"
#include "server/shard.h"

namespace pyralog::server {
namespace {

using namespace protocol;
using Topic = DescribeTopicPartitionsResponse::Topic;
using PartitionAnswer = DescribeTopicPartitionsResponse::Partition;

constexpr std::size_t kPartitionsMax = 2000;

PartitionAnswer describe_partition(Request& request, const cluster::MetadataImage& image,
                                   const cluster::PartitionMetadata& partition, std::size_t index) {
  auto replicas = request.arena.make<NodeId>(partition.replicas.size());
  std::ranges::copy(partition.replicas, replicas.begin());
  PartitionAnswer answer;
  answer.partition_index = PartitionIndex(static_cast<std::int32_t>(index));
  answer.leader_id = partition.leader();
  answer.leader_epoch = image.leader_epoch(partition);
  answer.replica_nodes = replicas;
  answer.isr_nodes = replicas;
  answer.eligible_leader_replicas = ArrayView<NodeId>();
  answer.last_known_elr = ArrayView<NodeId>();
  return answer;
}

/// The names asked for (all logs if none), sorted, each once, from the cursor on.
std::vector<std::string> names_from_cursor(const DescribeTopicPartitionsRequest& message,
                                           const cluster::MetadataImage& image) {
  std::vector<std::string> names;
  for (const auto& topic : message.topics) names.emplace_back(topic.name);
  if (message.topics.empty()) {
    for (const auto& log : image.logs_by_name()) names.push_back(log->name);
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  if (message.cursor.has_value()) {
    std::erase_if(names, [&](const std::string& name) { return name < message.cursor->topic_name; });
  }
  return names;
}

}  // namespace

io::Task<Result<DescribeTopicPartitionsResponse>> handle_describe_topic_partitions(
    Request& request, const DescribeTopicPartitionsRequest& message) {
  DescribeTopicPartitionsResponse response;
  const cluster::ImagePtr image = request.shard.image();
  const auto names = names_from_cursor(message, *image);
  auto topics = request.arena.make<Topic>(names.size());
  std::size_t topic_count = 0;
  std::size_t left =
      std::clamp<std::size_t>(static_cast<std::size_t>(std::max(message.response_partition_limit, 1)), 1, kPartitionsMax);
  for (const std::string& name : names) {
    const auto* log = image->find_log(name);
    const bool resumed = message.cursor.has_value() && message.cursor->topic_name == name;
    const std::size_t begin = resumed ? static_cast<std::size_t>(std::max(message.cursor->partition_index.value, 0)) : 0;
    const std::size_t present = log != nullptr ? log->partitions.size() : 0;
    const std::size_t count = std::min(left, present - std::min(begin, present));
    if (left == 0) {
      response.next_cursor =
          TopicPartitionCursor{.topic_name = request.arena.copy(name), .partition_index = PartitionIndex(0)};
      break;
    }
    Topic& topic = topics[topic_count++];
    topic.name = request.arena.copy(name);
    if (log == nullptr) {
      topic.error_code = KafkaError::kUnknownTopicOrPartition;
      continue;
    }
    topic.topic_id = log->id;
    topic.is_internal = is_internal_log(log->name);
    auto partitions = request.arena.make<PartitionAnswer>(count);
    for (std::size_t i = 0; i < count; ++i) {
      partitions[i] = describe_partition(request, *image, log->partitions[begin + i], begin + i);
    }
    topic.partitions = partitions;
    left -= count;
    if (begin + count < present) {
      response.next_cursor = TopicPartitionCursor{
          .topic_name = topic.name.value(), .partition_index = PartitionIndex(static_cast<std::int32_t>(begin + count))};
      break;
    }
  }
  response.topics = topics.first(topic_count);
  co_return response;
}

}  // namespace pyralog::server
