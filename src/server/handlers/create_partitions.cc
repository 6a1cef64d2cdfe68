#include <set>

#include "cluster/placement.h"
#include "server/controller.h"
#include "server/group_service.h"
#include "server/handlers/admin_answers.h"
#include "server/handlers/handlers.h"
#include "server/node.h"
#include "server/shard.h"

namespace pyralog::server {
namespace {

using namespace protocol;
using Topic = CreatePartitionsRequest::Topic;
using TopicAnswer = CreatePartitionsResponse::Topic;

/// The command, or an error already put into `answer`.
std::optional<cluster::AddPartitions> plan(Request& request, const Topic& asked, TopicAnswer& answer) {
  const cluster::ImagePtr& image = request.shard.image();
  const auto* log = image->find_log(asked.name);
  const auto fail = [&](KafkaError code, std::string_view text) {
    refuse(request, answer, code, text);
    return std::nullopt;
  };
  if (log == nullptr) return fail(KafkaError::kUnknownTopicOrPartition, "no such topic");
  // Which partition keeps a group depends on their number.
  if (is_internal_log(log->name)) return fail(KafkaError::kInvalidTopicException, "Internal topics keep their partitions");
  const auto present = static_cast<std::int32_t>(log->partitions.size());
  if (asked.count <= present) {
    return fail(KafkaError::kInvalidPartitions, "The topic currently has " + std::to_string(present) + " partition(s); " +
                                                    std::to_string(asked.count) + " would not be an increase.");
  }
  cluster::AddPartitions command{.id = log->id, .partition_count = static_cast<std::uint32_t>(present)};
  if (!asked.assignments.has_value()) {
    const auto copies = static_cast<int>(log->partitions.front().replicas.size());
    auto placed = cluster::place_partitions(*image, asked.count - present, copies);
    if (!placed.ok()) return fail(KafkaError::kInvalidReplicationFactor, placed.error().detail());
    command.partitions = std::move(*placed);
    return command;
  }
  if (asked.assignments->size() != static_cast<std::size_t>(asked.count - present)) {
    return fail(KafkaError::kInvalidReplicaAssignment, "as many assignments as new partitions are needed");
  }
  for (const auto& assignment : *asked.assignments) {
    command.partitions.push_back({.replicas = {assignment.broker_ids.begin(), assignment.broker_ids.end()}});
  }
  return command;
}

io::Task<> add_one(Request& request, const CreatePartitionsRequest& message, const Topic& asked, TopicAnswer& answer) {
  const auto command = plan(request, asked, answer);
  if (!command.has_value()) co_return;
  Result<cluster::ImagePtr> outcome = ErrorCode::kAborted;
  if (message.validate_only) {
    const cluster::ImagePtr& image = request.shard.image();
    outcome = image->apply(cluster::MetadataIndex(image->applied_index().value + 1), *command);
  } else {
    outcome = co_await request.shard.node().controller().propose(*command);
  }
  const bool node_is_missing = !outcome.ok() && outcome.error() == ErrorCode::kNotFound &&
                               request.shard.image()->find_log(command->id) != nullptr;
  if (node_is_missing) {
    refuse(request, answer, KafkaError::kInvalidReplicaAssignment, outcome.error().detail());
  } else if (!outcome.ok()) {
    refuse(request, answer, admin_error(outcome.error(), KafkaError::kInvalidReplicaAssignment), outcome.error().detail());
  }
}

}  // namespace

io::Task<Result<CreatePartitionsResponse>> handle_create_partitions(Request& request,
                                                                    const CreatePartitionsRequest& message) {
  CreatePartitionsResponse response;
  auto answers = request.arena.make<TopicAnswer>(message.topics.size());
  std::multiset<std::string_view> names;
  for (const Topic& asked : message.topics) names.insert(asked.name);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    answers[i].name = message.topics[i].name;
    if (names.count(answers[i].name) > 1) {
      refuse(request, answers[i], KafkaError::kInvalidRequest, "Duplicate topic in request.");
      continue;
    }
    co_await add_one(request, message, message.topics[i], answers[i]);
  }
  response.results = answers;
  co_return response;
}

}  // namespace pyralog::server
