#include <map>

#include "server/handlers/group_answers.h"
#include "server/handlers/handlers.h"
#include "server/topic_names.h"

namespace pyralog::server {
namespace {

using namespace protocol;
using coordinator::CommittedOffset;
using coordinator::TopicPartition;

constexpr ApiVersion kErrorOfGroup(2);  // before, each partition tells the group's error
constexpr ApiVersion kSeveralGroups(8);
constexpr ApiVersion kTopicIds(10);

/// What is asked of a group; none: everything.
using Wanted = std::optional<std::vector<TopicPartition>>;
using Found = std::map<TopicPartition, CommittedOffset>;

io::Task<Found> look_up(GroupHost& host, std::string group_id, Wanted wanted) {
  Found found;
  const auto& coordinator = host.coordinator();
  if (!wanted.has_value()) {
    coordinator.for_each_offset(group_id, [&](const auto& partition, const auto& offset) { found.emplace(partition, offset); });
    co_return found;
  }
  for (const TopicPartition& partition : *wanted) {
    if (const auto* offset = coordinator.find_offset(group_id, partition)) found.emplace(partition, *offset);
  }
  co_return found;
}

io::Task<std::expected<Found, KafkaError>> fetch_group(Request& request, std::string_view group_id, Wanted wanted) {
  auto there = [group_id = std::string(group_id), wanted = std::move(wanted)](GroupHost& host) {
    return look_up(host, group_id, wanted);
  };
  co_return co_await with_group<Found>(request.shard, group_id, std::move(there));
}

template <class Partition>
Partition partition_answer(Request& request, PartitionIndex index, const CommittedOffset* offset) {
  Partition answer;
  answer.partition_index = index;
  answer.committed_offset = Offset(-1);
  if (offset == nullptr) return answer;
  answer.committed_offset = offset->offset;
  answer.committed_leader_epoch = offset->leader_epoch;
  answer.metadata = lent(request, offset->metadata);
  return answer;
}

const CommittedOffset* find_in(const Found& found, std::string_view topic, PartitionIndex index) {
  const auto at = found.find({std::string(topic), index});
  return at != found.end() ? &at->second : nullptr;
}

/// All that was found, by topic; with ids, only of logs that exist.
template <class Topic, class Partition>
std::span<Topic> all_topics(Request& request, const Found& found) {
  std::map<std::string_view, std::vector<Partition>> by_topic;
  for (const auto& [partition, offset] : found) {
    by_topic[partition.topic].push_back(partition_answer<Partition>(request, partition.partition, &offset));
  }
  auto topics = request.arena.make<Topic>(by_topic.size());
  std::size_t count = 0;
  for (const auto& [name, partitions] : by_topic) {
    Topic topic;
    topic.name = lent(request, name);
    if constexpr (requires { topic.topic_id; }) {
      const auto* log = request.shard.image()->find_log(name);
      if (log == nullptr && request.version() >= kTopicIds) continue;
      if (log != nullptr) topic.topic_id = log->id;
    }
    auto copied = request.arena.make<Partition>(partitions.size());
    std::ranges::copy(partitions, copied.begin());
    topic.partitions = copied;
    topics[count++] = topic;
  }
  return topics.first(count);
}

io::Task<OffsetFetchResponse> fetch_one(Request& request, const OffsetFetchRequest& message) {
  Wanted wanted;
  if (message.topics.has_value()) {
    wanted.emplace();
    for (const auto& topic : *message.topics) {
      for (const PartitionIndex index : topic.partition_indexes) wanted->push_back({std::string(topic.name), index});
    }
  }
  const auto found = co_await fetch_group(request, message.group_id, std::move(wanted));
  const KafkaError error = found ? KafkaError::kNone : found.error();
  OffsetFetchResponse response;
  response.error_code = error;
  using Partition = OffsetFetchResponse::Partition;
  if (!message.topics.has_value()) {
    if (found) response.topics = all_topics<OffsetFetchResponse::Topic, Partition>(request, *found);
    co_return response;
  }
  if (!found && request.version() >= kErrorOfGroup) co_return response;
  auto topics = request.arena.make<OffsetFetchResponse::Topic>(message.topics->size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& asked = (*message.topics)[t];
    auto partitions = request.arena.make<Partition>(asked.partition_indexes.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      const PartitionIndex index = asked.partition_indexes[p];
      partitions[p] = partition_answer<Partition>(request, index, found ? find_in(*found, asked.name, index) : nullptr);
      partitions[p].error_code = error;
    }
    topics[t].name = asked.name;
    topics[t].partitions = partitions;
  }
  response.topics = topics;
  co_return response;
}

io::Task<OffsetFetchResponse::Group> fetch_one_of_several(Request& request, const OffsetFetchRequest::Group& asked) {
  const cluster::ImagePtr image = request.shard.image();
  const bool by_id = request.version() >= kTopicIds;
  using Partition = OffsetFetchResponse::GroupPartition;
  Wanted wanted;
  if (asked.topics.has_value()) {
    wanted.emplace();
    for (const auto& topic : *asked.topics) {
      const auto* log = by_id ? image->find_log(topic.topic_id) : nullptr;
      if (by_id && log == nullptr) continue;
      const std::string_view name = by_id ? std::string_view(log->name) : topic.name;
      for (const PartitionIndex index : topic.partition_indexes) wanted->push_back({std::string(name), index});
    }
  }
  const auto found = co_await fetch_group(request, asked.group_id, std::move(wanted));
  OffsetFetchResponse::Group answer{.group_id = asked.group_id};
  if (!found) {
    answer.error_code = found.error();
    co_return answer;
  }
  if (!asked.topics.has_value()) {
    answer.topics = all_topics<OffsetFetchResponse::GroupTopic, Partition>(request, *found);
    co_return answer;
  }
  auto topics = request.arena.make<OffsetFetchResponse::GroupTopic>(asked.topics->size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& topic = (*asked.topics)[t];
    const auto* log = by_id ? image->find_log(topic.topic_id) : nullptr;
    const bool missing = by_id && log == nullptr;
    const std::string_view name = log != nullptr ? std::string_view(log->name) : topic.name;
    auto partitions = request.arena.make<Partition>(topic.partition_indexes.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      const PartitionIndex index = topic.partition_indexes[p];
      partitions[p] = partition_answer<Partition>(request, index, missing ? nullptr : find_in(*found, name, index));
      if (missing) partitions[p].error_code = KafkaError::kUnknownTopicId;
    }
    topics[t] = {.name = topic.name, .topic_id = topic.topic_id, .partitions = partitions};
  }
  answer.topics = topics;
  co_return answer;
}

}  // namespace

io::Task<Result<OffsetFetchResponse>> handle_offset_fetch(Request& request, const OffsetFetchRequest& message) {
  if (request.version() < kSeveralGroups) co_return co_await fetch_one(request, message);
  OffsetFetchResponse response;
  auto groups = request.arena.make<OffsetFetchResponse::Group>(message.groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i] = co_await fetch_one_of_several(request, message.groups[i]);
  response.groups = groups;
  co_return response;
}

}  // namespace pyralog::server
