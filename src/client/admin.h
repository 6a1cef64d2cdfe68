#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cluster_client.h"
#include "protocol/kafka/config_values.h"

/// What administrators ask of a cluster. Each function awaits the answer of the node that it concerns; `cluster` outlives
/// the call. Errors carry the server's own message.
namespace pyralog::client {

struct LogSpec {
  std::string name;
  std::int32_t partitions = -1;  ///< -1: the cluster's default
  std::int16_t replication = -1;
  std::vector<std::pair<std::string, std::string>> settings;
};

io::Task<Result<>> create_log(ClusterClient& cluster, LogSpec spec);
io::Task<Result<>> delete_log(ClusterClient& cluster, std::string name);
/// `partitions` counts those that exist.
io::Task<Result<>> grow_log(ClusterClient& cluster, std::string name, std::int32_t partitions);

struct SettingInfo {
  std::string name;
  std::optional<std::string> value;  ///< none where it is secret or null
  protocol::ConfigSource source{};
  bool is_sensitive = false;
  bool is_read_only = false;
};
/// By name. `resource` is a log's name, or a node's id.
io::Task<Result<std::vector<SettingInfo>>> describe_settings(ClusterClient& cluster, protocol::ResourceType type,
                                                             std::string resource);

/// A new value, or none to go back to the default.
struct SettingChange {
  std::string name;
  std::optional<std::string> value;
};
io::Task<Result<>> alter_settings(ClusterClient& cluster, std::string log, std::vector<SettingChange> changes);
/// What holds on all nodes for logs without a setting of their own.
io::Task<Result<>> alter_node_defaults(ClusterClient& cluster, std::vector<SettingChange> changes);

struct OffsetInfo {
  Offset offset{-1};  ///< -1: no record is that late
  std::int64_t timestamp_ms = -1;
  Result<> outcome;  ///< of this partition
};
/// One per partition of `log`, in its order. `timestamp_ms` may be one of the special values of
/// protocol/kafka/list_offsets.h. A node that cannot be asked fails its partitions, not the call.
io::Task<std::vector<OffsetInfo>> list_offsets(ClusterClient& cluster, const LogInfo& log, std::int64_t timestamp_ms);

/// Bytes on disk by log and partition, of all copies on all nodes that answer; nodes that do not are named in `failed`.
struct LogSizes {
  std::map<std::pair<std::string, PartitionIndex>, std::int64_t> bytes;
  std::vector<std::pair<NodeId, Error>> failed;
};
io::Task<Result<LogSizes>> log_sizes(ClusterClient& cluster, std::optional<std::string> log);

/// Makes `before` the first offset of a partition; the offset it really has afterwards.
io::Task<Result<Offset>> delete_records(ClusterClient& cluster, std::string log, PartitionInfo partition, Offset before);

}  // namespace pyralog::client
