#include "server/handlers/group_answers.h"
#include "server/handlers/handlers.h"
#include "server/topic_names.h"
#include "storage/planted.h"

namespace pyralog::server {
namespace {

using namespace protocol;

constexpr ApiVersion kKnowsMissingGroups(9);
constexpr ApiVersion kTopicIds(10);

using PartitionAnswers = std::vector<OffsetCommitResponse::Partition*>;

/// Adds what may be committed to `commit`, with the places of its answers; the rest is refused at once.
std::span<OffsetCommitResponse::Topic> read_topics(Request& request, const OffsetCommitRequest& message,
                                                   coordinator::CommitRequest& commit, PartitionAnswers& answers) {
  const cluster::ImagePtr image = request.shard.image();
  auto topics = request.arena.make<OffsetCommitResponse::Topic>(message.topics.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& asked = message.topics[t];
    const NamedLog named = find_named(*image, asked.name, asked.topic_id, request.version() >= kTopicIds);
    auto partitions = request.arena.make<OffsetCommitResponse::Partition>(asked.partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      const auto& from = asked.partitions[p];
      partitions[p].partition_index = from.partition_index;
      partitions[p].error_code = named.error;
      if (named.log == nullptr) continue;
      commit.partitions.push_back({.partition = {named.log->name, from.partition_index},
                                   .offset = from.committed_offset,
                                   .leader_epoch = from.committed_leader_epoch,
                                   .metadata = std::string(from.committed_metadata.value_or(""))});
      answers.push_back(&partitions[p]);
    }
    topics[t] = {.name = asked.name, .topic_id = asked.topic_id, .partitions = partitions};
  }
  return topics;
}

}  // namespace

io::Task<Result<OffsetCommitResponse>> handle_offset_commit(Request& request, const OffsetCommitRequest& message) {
  coordinator::CommitRequest commit{.group_id = std::string(message.group_id),
                                    .member = {.member_id = std::string(message.member_id),
                                               .instance_id = owned(message.group_instance_id),
                                               .generation = coordinator::Generation(message.generation_id_or_member_epoch)}};
  if (message.retention_time_ms != -1) commit.retention = std::chrono::milliseconds(message.retention_time_ms);
  commit.knows_missing_groups = request.version() >= kKnowsMissingGroups;
  PartitionAnswers answers;
  OffsetCommitResponse response;
  response.topics = read_topics(request, message, commit, answers);
  if (answers.empty()) co_return response;
  auto there = [commit = std::move(commit)](GroupHost& host) mutable {
    auto ask = [commit = std::move(commit)](auto& coordinator, auto waiter, auto now) mutable {
      if (storage::planted(storage::Bug::kOldGenerationAdmitted)) {
        if (const auto* group = coordinator.find_group(commit.group_id)) commit.member.generation = group->generation();
      }
      coordinator.commit(std::move(commit), waiter, now);
    };
    return host.ask<coordinator::CommitAnswer>(std::move(ask));
  };
  auto answer = co_await with_group<coordinator::CommitAnswer>(request.shard, message.group_id, std::move(there));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    answers[i]->error_code = answer ? answer->partitions[i] : answer.error();
  }
  if (answers[0]->error_code == KafkaError::kPolicyViolation) warn_of_too_many_groups(request, message.group_id);
  co_return response;
}

}  // namespace pyralog::server
