#include <algorithm>
#include <set>

#include "cluster/log_name.h"
#include "cluster/topic_properties.h"
#include "server/controller.h"
#include "server/group_service.h"
#include "server/handlers/admin_answers.h"
#include "server/handlers/handlers.h"
#include "server/log_creation.h"
#include "server/node.h"
#include "server/shard.h"

namespace pyralog::server {
namespace {

using namespace protocol;
using Topic = CreateTopicsRequest::Topic;
using TopicAnswer = CreateTopicsResponse::Topic;

/// The manual placement as a list by partition; an error text if it is not one.
const char* read_assignments(const Topic& asked, std::vector<cluster::PartitionPlacement>& placement) {
  if (asked.num_partitions != -1 || asked.replication_factor != -1) {
    return "Both partitions and replication factor must be -1 when replicas are assigned by hand";
  }
  placement.resize(asked.assignments.size());
  for (const auto& assignment : asked.assignments) {
    const auto index = assignment.partition_index.value;
    if (index < 0 || static_cast<std::size_t>(index) >= placement.size() ||
        !placement[static_cast<std::size_t>(index)].replicas.empty()) {
      return "Partitions of a manual assignment must be 0, 1, 2, … each once";
    }
    if (assignment.broker_ids.empty()) return "A partition without replicas";
    placement[static_cast<std::size_t>(index)].replicas.assign(assignment.broker_ids.begin(), assignment.broker_ids.end());
  }
  return nullptr;
}

/// What Kafka checks before it looks at the cluster. Nothing: go on.
bool check_counts(Request& request, const Topic& asked, TopicAnswer& answer) {
  if (asked.num_partitions == 0 || asked.num_partitions < -1) {
    refuse(request, answer, KafkaError::kInvalidPartitions,
           "Number of partitions must be larger than 0, or -1 for the default");
    return false;
  }
  if (asked.replication_factor == 0 || asked.replication_factor < -1) {
    refuse(request, answer, KafkaError::kInvalidReplicationFactor,
           "Replication factor must be larger than 0, or -1 for the default");
    return false;
  }
  return true;
}

void describe_settings(Request& request, const std::vector<cluster::Setting>& settings, TopicAnswer& answer) {
  const auto described = cluster::describe_topic(cluster::Settings(settings), request.shard.layers());
  auto configs = request.arena.make<CreateTopicsResponse::Config>(described.size());
  for (std::size_t i = 0; i < configs.size(); ++i) {
    configs[i].name = request.arena.copy(described[i].effective.name);
    configs[i].value = request.arena.copy(described[i].effective.value);
    configs[i].config_source = static_cast<ConfigSource>(described[i].effective.source);
  }
  answer.configs = configs;
}

/// `planned`: name and settings are legal.
KafkaError creation_error(const Error& error, const Topic& asked, bool planned) {
  if (error == ErrorCode::kInvalidArgument && planned && !asked.assignments.empty()) {
    return KafkaError::kInvalidReplicaAssignment;
  }
  if (error == ErrorCode::kInvalidArgument) {
    return cluster::check_log_name(asked.name).ok() && !error.detail().contains("collides")
               ? KafkaError::kInvalidConfig
               : KafkaError::kInvalidTopicException;
  }
  if (error == ErrorCode::kNotFound) return KafkaError::kInvalidReplicaAssignment;  // a node that is not there
  if (error == ErrorCode::kOutOfRange) {
    return asked.assignments.empty() ? KafkaError::kInvalidReplicationFactor : KafkaError::kInvalidReplicaAssignment;
  }
  return admin_error(error, KafkaError::kInvalidRequest);
}

io::Task<> create_one(Request& request, const CreateTopicsRequest& message, const Topic& asked, TopicAnswer& answer) {
  Shard& shard = request.shard;
  if (is_internal_log(asked.name)) {
    co_return refuse(request, answer, KafkaError::kInvalidTopicException, "Internal topics are created by their use");
  }
  NewLog log{.name = std::string(asked.name)};
  for (const auto& config : asked.configs) {
    if (!config.value.has_value()) {
      co_return refuse(request, answer, KafkaError::kInvalidConfig, "Null value not supported for topic configs");
    }
    log.settings.push_back({.name = std::string(config.name), .value = std::string(*config.value)});
  }
  if (!asked.assignments.empty()) {
    if (const char* wrong = read_assignments(asked, log.placement)) {
      co_return refuse(request, answer, KafkaError::kInvalidReplicaAssignment, wrong);
    }
  } else if (!check_counts(request, asked, answer)) {
    co_return;
  }
  log.partitions = asked.num_partitions;
  log.replication = asked.replication_factor;
  auto command = plan_log(shard, log);
  Result<> outcome;
  if (!command.ok()) {
    outcome = command.error();
  } else if (message.validate_only) {
    if (auto judged = shard.image()->apply(cluster::MetadataIndex(shard.image()->applied_index().value + 1), *command);
        !judged.ok()) {
      outcome = judged.error();
    }
  } else if (auto proposed = co_await shard.node().controller().propose(*command); !proposed.ok()) {
    outcome = proposed.error();
  }
  if (!outcome.ok()) {
    co_return refuse(request, answer, creation_error(outcome.error(), asked, command.ok()), outcome.error().detail());
  }
  answer.error_message = std::nullopt;
  if (!message.validate_only) answer.topic_id = command->id;
  answer.num_partitions = static_cast<std::int32_t>(command->partitions.size());
  answer.replication_factor = static_cast<std::int16_t>(command->partitions.front().replicas.size());
  describe_settings(request, log.settings, answer);
}

}  // namespace

io::Task<Result<CreateTopicsResponse>> handle_create_topics(Request& request, const CreateTopicsRequest& message) {
  CreateTopicsResponse response;
  auto topics = request.arena.make<TopicAnswer>(message.topics.size());
  std::multiset<std::string_view> names;
  for (const Topic& asked : message.topics) names.insert(asked.name);
  for (std::size_t i = 0; i < topics.size(); ++i) {
    const Topic& asked = message.topics[i];
    topics[i].name = asked.name;
    if (names.count(asked.name) > 1) {
      refuse(request, topics[i], KafkaError::kInvalidRequest, "Duplicate topic name.");
      continue;
    }
    co_await create_one(request, message, asked, topics[i]);
  }
  response.topics = topics;
  co_return response;
}

}  // namespace pyralog::server
