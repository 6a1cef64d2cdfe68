#include "cli/log_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "client/admin.h"
#include "protocol/kafka/list_offsets.h"

namespace pyralog::cli {
namespace {

using client::ClusterClient;

std::string node_list(const std::vector<NodeId>& nodes) {
  std::string text;
  for (const NodeId node : nodes) text += (text.empty() ? "" : ",") + std::to_string(node.value);
  return text;
}

void note(const std::string& text) { fmt::print(stderr, "{}\n", text); }

io::Task<Result<>> list(ClusterClient& cluster, const ListLogs& command) {
  PYRALOG_CO_ASSIGN(const client::ClusterInfo info, co_await cluster.describe_all());
  Table table({"log", "partitions", "replicas", "id"});
  for (const client::LogInfo& log : info.logs) {
    if (log.is_internal && !command.internal) continue;
    const std::size_t replicas = log.partitions.empty() ? 0 : log.partitions.front().replicas.size();
    table.add({log.name, static_cast<std::int64_t>(log.partitions.size()), static_cast<std::int64_t>(replicas),
               log.id.is_zero() ? Cell() : Cell(log.id.to_string())});
  }
  table.print(command.format);
  co_return Result<>();
}

/// What `log describe` shows.
struct Description {
  client::LogInfo log;
  std::vector<client::SettingInfo> settings;
  Table partitions{{"partition", "leader", "epoch", "replicas", "in_sync", "start", "end", "bytes"}};
};

io::Task<Result<>> describe_partitions(ClusterClient& cluster, Description& description) {
  const client::LogInfo& log = description.log;
  const auto starts = co_await client::list_offsets(cluster, log, protocol::kTimestampEarliest);
  const auto ends = co_await client::list_offsets(cluster, log, protocol::kTimestampLatest);
  PYRALOG_CO_ASSIGN(const client::LogSizes sizes, co_await client::log_sizes(cluster, log.name));
  for (const auto& [node, error] : sizes.failed) note(fmt::format("sizes at node {}: {}", node.value, error.to_string()));
  const auto offset_cell = [](const client::OffsetInfo& offset) {
    return offset.outcome.ok() ? Cell(offset.offset.value) : Cell();
  };
  for (std::size_t i = 0; i < log.partitions.size(); ++i) {
    const client::PartitionInfo& partition = log.partitions[i];
    if (!ends[i].outcome.ok()) note(ends[i].outcome.error().to_string());
    const auto size = sizes.bytes.find({log.name, partition.index});
    const bool has_leader = partition.leader != NodeId(-1);
    description.partitions.add({std::int64_t{partition.index.value},
                                has_leader ? Cell(std::int64_t{partition.leader.value}) : Cell(),
                                std::int64_t{partition.leader_epoch.value}, node_list(partition.replicas),
                                node_list(partition.in_sync), offset_cell(starts[i]), offset_cell(ends[i]),
                                size == sizes.bytes.end() ? Cell() : Cell(size->second)});
  }
  co_return Result<>();
}

void print_text(const Description& description) {
  fmt::print("log {}  id {}\n\n{}", description.log.name, description.log.id.to_string(), description.partitions.text());
  if (!description.settings.empty()) fmt::print("\n");
  for (const auto& setting : description.settings) fmt::print("{}={}\n", setting.name, setting.value.value_or(""));
}

void print_json(const Description& description) {
  JsonWriter json;
  json.begin_object();
  json.field("log", description.log.name);
  json.field("id", description.log.id.to_string());
  json.field("internal", description.log.is_internal);
  json.key("partitions");
  description.partitions.write_json(json);
  json.key("settings");
  json.begin_object();
  for (const auto& setting : description.settings) {
    json.key(setting.name);
    if (setting.value.has_value()) {
      json.value(*setting.value);
    } else {
      json.null();
    }
  }
  json.end_object();
  json.end_object();
  fmt::print("{}\n", json.text());
}

io::Task<Result<>> describe(ClusterClient& cluster, const DescribeLog& command) {
  Description description;
  PYRALOG_CO_ASSIGN(description.log, co_await cluster.describe_log(command.name));
  PYRALOG_CO_ASSIGN(description.settings,
                    co_await client::describe_settings(cluster, protocol::ResourceType::kTopic, command.name));
  if (!command.all_settings) {
    std::erase_if(description.settings, [](const client::SettingInfo& setting) {
      return setting.source != protocol::ConfigSource::kDynamicTopic;
    });
  }
  PYRALOG_CO_TRY(co_await describe_partitions(cluster, description));
  command.format == OutputFormat::kJson ? print_json(description) : print_text(description);
  co_return Result<>();
}

io::Task<Result<>> create(ClusterClient& cluster, const CreateLog& command) {
  client::LogSpec spec{.name = command.name, .partitions = command.partitions, .replication = command.replication,
                       .settings = command.settings};
  Result<> created = co_await client::create_log(cluster, std::move(spec));
  if (!created.ok() && command.if_absent && created.error() == ErrorCode::kAlreadyExists) {
    note(fmt::format("log {} is there already", command.name));
    co_return Result<>();
  }
  if (created.ok()) note(fmt::format("created log {}", command.name));
  co_return created;
}

io::Task<Result<>> alter(ClusterClient& cluster, const AlterLog& command) {
  std::vector<client::SettingChange> changes;
  for (const auto& [name, value] : command.set) changes.push_back({.name = name, .value = value});
  for (const std::string& name : command.unset) changes.push_back({.name = name, .value = std::nullopt});
  if (!changes.empty()) {
    PYRALOG_CO_TRY(co_await client::alter_settings(cluster, command.name, std::move(changes)));
    note(fmt::format("changed settings of log {}", command.name));
  }
  if (command.partitions.has_value()) {
    PYRALOG_CO_TRY(co_await client::grow_log(cluster, command.name, *command.partitions));
    note(fmt::format("log {} has {} partitions", command.name, *command.partitions));
  }
  co_return Result<>();
}

io::Task<Result<>> remove(ClusterClient& cluster, const DeleteLogs& command) {
  for (const std::string& name : command.names) {
    PYRALOG_CO_TRY(co_await client::delete_log(cluster, name));
    note(fmt::format("deleted log {}", name));
  }
  co_return Result<>();
}

io::Task<Result<>> remove_records(ClusterClient& cluster, const DeleteRecords& command) {
  PYRALOG_CO_ASSIGN(const client::LogInfo log, co_await cluster.describe_log(command.name));
  Table table({"partition", "start"});
  bool found = false;
  for (const client::PartitionInfo& partition : log.partitions) {
    if (command.partition.has_value() && partition.index != PartitionIndex(*command.partition)) continue;
    found = true;
    PYRALOG_CO_ASSIGN(const Offset start,
                      co_await client::delete_records(cluster, log.name, partition, Offset(command.before)));
    table.add({std::int64_t{partition.index.value}, start.value});
  }
  if (!found)
    co_return Error(ErrorCode::kOutOfRange, fmt::format("log {} has no partition {}", log.name, *command.partition));
  table.print(command.format);
  co_return Result<>();
}

}  // namespace

int list_logs(const ListLogs& command) {
  return run_session(command.session, [&](ClusterClient& cluster) { return list(cluster, command); });
}
int describe_log(const DescribeLog& command) {
  return run_session(command.session, [&](ClusterClient& cluster) { return describe(cluster, command); });
}
int create_log(const CreateLog& command) {
  return run_session(command.session, [&](ClusterClient& cluster) { return create(cluster, command); });
}
int alter_log(const AlterLog& command) {
  return run_session(command.session, [&](ClusterClient& cluster) { return alter(cluster, command); });
}
int delete_logs(const DeleteLogs& command) {
  return run_session(command.session, [&](ClusterClient& cluster) { return remove(cluster, command); });
}
int delete_records(const DeleteRecords& command) {
  return run_session(command.session, [&](ClusterClient& cluster) { return remove_records(cluster, command); });
}

}  // namespace pyralog::cli
