#include "client/admin.h"

#include <algorithm>

#include "client/kafka_failure.h"
#include "protocol/kafka/create_partitions.h"
#include "protocol/kafka/create_topics.h"
#include "protocol/kafka/delete_records.h"
#include "protocol/kafka/delete_topics.h"
#include "protocol/kafka/describe_configs.h"
#include "protocol/kafka/describe_log_dirs.h"
#include "protocol/kafka/incremental_alter_configs.h"
#include "protocol/kafka/list_offsets.h"

namespace pyralog::client {

using namespace protocol;

namespace {

constexpr std::int32_t kTimeoutMs = 30'000;

/// The only element of an answer about one thing.
template <class T>
Result<T> only(ArrayView<T> items) {
  if (items.size() == 1) return items[0];
  return Error(ErrorCode::kCorrupt, "the answer is not about what was asked");
}

std::string log_subject(const std::string& name) { return "log " + name; }

}  // namespace

io::Task<Result<>> create_log(ClusterClient& cluster, LogSpec spec) {
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster.controller_connection());
  std::vector<CreateTopicsRequest::Config> configs;
  for (const auto& [name, value] : spec.settings) configs.push_back({.name = name, .value = value});
  const std::vector<CreateTopicsRequest::Topic> topics{{.name = spec.name,
                                                        .num_partitions = spec.partitions,
                                                        .replication_factor = spec.replication,
                                                        .assignments = {},
                                                        .configs = configs}};
  const CreateTopicsRequest request{.topics = topics, .timeout_ms = kTimeoutMs};
  PYRALOG_CO_ASSIGN(const auto reply, (co_await connection->call<CreateTopicsRequest, CreateTopicsResponse>(request)));
  PYRALOG_CO_ASSIGN(const auto topic, only(reply.message.topics));
  co_return check_answer(topic.error_code, log_subject(spec.name), topic.error_message);
}

io::Task<Result<>> delete_log(ClusterClient& cluster, std::string name) {
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster.controller_connection());
  DeleteTopicsRequest request{.timeout_ms = kTimeoutMs};
  const std::vector<DeleteTopicsRequest::Topic> topics{{.name = name, .topic_id = {}}};
  const std::vector<std::string_view> names{name};
  PYRALOG_CO_ASSIGN(const ApiVersion version, connection->version_of(kDeleteTopicsApi));
  if (version >= ApiVersion(6)) {
    request.topics = topics;
  } else {
    request.topic_names = names;
  }
  PYRALOG_CO_ASSIGN(const auto reply, (co_await connection->call<DeleteTopicsRequest, DeleteTopicsResponse>(request)));
  PYRALOG_CO_ASSIGN(const auto topic, only(reply.message.responses));
  co_return check_answer(topic.error_code, log_subject(name), topic.error_message);
}

io::Task<Result<>> grow_log(ClusterClient& cluster, std::string name, std::int32_t partitions) {
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster.controller_connection());
  const std::vector<CreatePartitionsRequest::Topic> topics{
      {.name = name, .count = partitions, .assignments = std::nullopt}};
  const CreatePartitionsRequest request{.topics = topics, .timeout_ms = kTimeoutMs};
  PYRALOG_CO_ASSIGN(const auto reply,
                    (co_await connection->call<CreatePartitionsRequest, CreatePartitionsResponse>(request)));
  PYRALOG_CO_ASSIGN(const auto topic, only(reply.message.results));
  co_return check_answer(topic.error_code, log_subject(name), topic.error_message);
}

io::Task<Result<std::vector<SettingInfo>>> describe_settings(ClusterClient& cluster, ResourceType type,
                                                             std::string resource) {
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster.any_connection());
  const std::vector<DescribeConfigsRequest::Resource> resources{
      {.resource_type = type, .resource_name = resource, .configuration_keys = std::nullopt}};
  const DescribeConfigsRequest request{.resources = resources};
  PYRALOG_CO_ASSIGN(const auto reply,
                    (co_await connection->call<DescribeConfigsRequest, DescribeConfigsResponse>(request)));
  PYRALOG_CO_ASSIGN(const auto result, only(reply.message.results));
  PYRALOG_CO_TRY(check_answer(result.error_code, resource, result.error_message));
  std::vector<SettingInfo> settings;
  for (const auto& config : result.configs) {
    SettingInfo setting{.name = std::string(config.name), .value = std::nullopt, .source = config.config_source,
                        .is_sensitive = config.is_sensitive, .is_read_only = config.read_only};
    if (config.value.has_value()) setting.value = std::string(*config.value);
    settings.push_back(std::move(setting));
  }
  std::ranges::sort(settings, {}, &SettingInfo::name);
  co_return std::move(settings);
}

namespace {

io::Task<Result<>> alter(ClusterClient& cluster, ResourceType type, std::string name, std::string subject,
                         std::vector<SettingChange> changes) {
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster.controller_connection());
  std::vector<IncrementalAlterConfigsRequest::Config> configs;
  for (const SettingChange& change : changes) {
    IncrementalAlterConfigsRequest::Config config{.name = change.name, .config_operation = ConfigOperation::kDelete,
                                                  .value = std::nullopt};
    if (change.value.has_value()) {
      config.config_operation = ConfigOperation::kSet;
      config.value = *change.value;
    }
    configs.push_back(config);
  }
  const std::vector<IncrementalAlterConfigsRequest::Resource> resources{
      {.resource_type = type, .resource_name = name, .configs = configs}};
  const IncrementalAlterConfigsRequest request{.resources = resources};
  PYRALOG_CO_ASSIGN(
      const auto reply,
      (co_await connection->call<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(request)));
  PYRALOG_CO_ASSIGN(const auto answer, only(reply.message.responses));
  co_return check_answer(answer.error_code, subject, answer.error_message);
}

}  // namespace

io::Task<Result<>> alter_settings(ClusterClient& cluster, std::string log, std::vector<SettingChange> changes) {
  std::string subject = log_subject(log);
  co_return co_await alter(cluster, ResourceType::kTopic, std::move(log), std::move(subject), std::move(changes));
}

io::Task<Result<>> alter_node_defaults(ClusterClient& cluster, std::vector<SettingChange> changes) {
  co_return co_await alter(cluster, ResourceType::kBroker, "", "the defaults of all nodes", std::move(changes));
}

namespace {

/// Asks `node` about its partitions of `log`; `offsets` is by position in `log.partitions`.
io::Task<Result<>> list_offsets_of(ClusterClient& cluster, const LogInfo& log, NodeId node, std::int64_t timestamp_ms,
                                   std::vector<OffsetInfo>& offsets) {
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster.connection_to(node));
  std::vector<ListOffsetsRequest::Partition> partitions;
  std::map<PartitionIndex, std::size_t> positions;
  for (std::size_t i = 0; i < log.partitions.size(); ++i) {
    if (log.partitions[i].leader != node) continue;
    positions.emplace(log.partitions[i].index, i);
    partitions.push_back({.partition_index = log.partitions[i].index, .timestamp = timestamp_ms});
  }
  const std::vector<ListOffsetsRequest::Topic> topics{{.name = log.name, .partitions = partitions}};
  const ListOffsetsRequest request{.replica_id = NodeId(-1), .topics = topics, .timeout_ms = kTimeoutMs};
  PYRALOG_CO_ASSIGN(const auto reply, (co_await connection->call<ListOffsetsRequest, ListOffsetsResponse>(request)));
  PYRALOG_CO_ASSIGN(const auto topic, only(reply.message.topics));
  for (const auto& partition : topic.partitions) {
    const auto position = positions.find(partition.partition_index);
    if (position == positions.end()) continue;
    const std::string subject = log.name + "/" + std::to_string(partition.partition_index.value);
    offsets[position->second] = {.offset = partition.offset, .timestamp_ms = partition.timestamp,
                                 .outcome = check_answer(partition.error_code, subject)};
  }
  co_return Result<>();
}

}  // namespace

io::Task<std::vector<OffsetInfo>> list_offsets(ClusterClient& cluster, const LogInfo& log, std::int64_t timestamp_ms) {
  std::vector<OffsetInfo> offsets(log.partitions.size());
  std::vector<NodeId> leaders;
  for (std::size_t i = 0; i < log.partitions.size(); ++i) {
    const PartitionInfo& partition = log.partitions[i];
    const std::string subject = log.name + "/" + std::to_string(partition.index.value);
    offsets[i].outcome = Error(ErrorCode::kUnavailable, subject + ": no leader answered for it");
    if (partition.leader != NodeId(-1)) leaders.push_back(partition.leader);
  }
  std::ranges::sort(leaders);
  leaders.erase(std::unique(leaders.begin(), leaders.end()), leaders.end());
  for (const NodeId leader : leaders) {
    Result<> asked = co_await list_offsets_of(cluster, log, leader, timestamp_ms, offsets);
    if (asked.ok()) continue;
    for (std::size_t i = 0; i < log.partitions.size(); ++i) {
      if (log.partitions[i].leader == leader) offsets[i].outcome = asked.error();
    }
  }
  co_return std::move(offsets);
}

namespace {

io::Task<Result<>> log_sizes_of(ClusterClient& cluster, NodeId node, const std::optional<LogInfo>& log, LogSizes& sizes) {
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster.connection_to(node));
  std::vector<PartitionIndex> indexes;
  std::vector<DescribeLogDirsRequest::Topic> topics;
  DescribeLogDirsRequest request{.topics = std::nullopt};
  if (log.has_value()) {
    for (const PartitionInfo& partition : log->partitions) indexes.push_back(partition.index);
    topics.push_back({.topic = log->name, .partitions = indexes});
    request.topics = ArrayView<DescribeLogDirsRequest::Topic>(topics);
  }
  PYRALOG_CO_ASSIGN(const auto reply,
                    (co_await connection->call<DescribeLogDirsRequest, DescribeLogDirsResponse>(request)));
  PYRALOG_CO_TRY(check_answer(reply.message.error_code, "sizes"));
  for (const auto& directory : reply.message.results) {
    PYRALOG_CO_TRY(check_answer(directory.error_code, directory.log_dir));
    for (const auto& topic : directory.topics) {
      for (const auto& partition : topic.partitions) {
        sizes.bytes[{std::string(topic.name), partition.partition_index}] += partition.partition_size;
      }
    }
  }
  co_return Result<>();
}

}  // namespace

io::Task<Result<LogSizes>> log_sizes(ClusterClient& cluster, std::optional<std::string> name) {
  PYRALOG_CO_ASSIGN(const ClusterInfo nodes, co_await cluster.describe_nodes());
  std::optional<LogInfo> log;
  if (name.has_value()) {
    PYRALOG_CO_ASSIGN(log, co_await cluster.describe_log(std::move(*name)));
  }
  LogSizes sizes;
  for (const BrokerInfo& broker : nodes.brokers) {
    Result<> asked = co_await log_sizes_of(cluster, broker.id, log, sizes);
    if (!asked.ok()) sizes.failed.emplace_back(broker.id, std::move(asked).error());
  }
  co_return std::move(sizes);
}

io::Task<Result<Offset>> delete_records(ClusterClient& cluster, std::string log, PartitionInfo partition, Offset before) {
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster.connection_to(partition.leader));
  const std::vector<DeleteRecordsRequest::Partition> partitions{{.partition_index = partition.index, .offset = before}};
  const std::vector<DeleteRecordsRequest::Topic> topics{{.name = log, .partitions = partitions}};
  const DeleteRecordsRequest request{.topics = topics, .timeout_ms = kTimeoutMs};
  PYRALOG_CO_ASSIGN(const auto reply, (co_await connection->call<DeleteRecordsRequest, DeleteRecordsResponse>(request)));
  PYRALOG_CO_ASSIGN(const auto topic, only(reply.message.topics));
  PYRALOG_CO_ASSIGN(const auto answer, only(topic.partitions));
  PYRALOG_CO_TRY(check_answer(answer.error_code, log + "/" + std::to_string(partition.index.value)));
  co_return answer.low_watermark;
}

}  // namespace pyralog::client
