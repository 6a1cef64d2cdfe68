#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cluster/settings.h"
#include "coordinator/group_context.h"
#include "core/ids.h"
#include "core/limits.h"
#include "core/time.h"
#include "io/network.h"

namespace pyralog::server {

/// A Kafka listener: where it is, and what clients that came through it are told.
struct ListenerInfo {
  std::string name;
  io::Endpoint bound;
  io::Endpoint advertised;
};

/// The limits of reliability.md §7 that a connection or a shard enforces, already divided among the shards.
struct RequestLimits {
  std::size_t frame_bytes_max = limits::kFrameBytesMax;
  std::size_t requests_pipelined_max = limits::kRequestsPipelinedMax;
  std::size_t pipelined_bytes_max = limits::kFrameBytesMax;
  std::size_t request_memory_bytes_max = 256u << 20;  ///< of this shard: frames being received or served
  std::size_t connections_max = 10'000;               ///< of this shard and listener
  std::size_t connections_per_address_max = 2'000;    ///< of this shard
  std::size_t connections_per_second_max = 2'000;     ///< of this shard and listener
  std::size_t segment_files_open_max = 1024;          ///< of this shard
  Duration connection_idle_max = std::chrono::minutes(10);
};

/// What is fixed once a node serves. Shared by all shards, read-only.
struct NodeInfo {
  NodeId id;
  Uuid cluster_id;
  Uuid disk_uuid;
  std::string rack;
  std::string data_directory;
  std::vector<ListenerInfo> listeners;
  cluster::Settings static_settings;  ///< node properties that the configuration sets, under Kafka's names
  bool auto_create_logs = true;
  std::int32_t partitions_default = 1;
  std::int32_t replication_default = 1;
  Duration retention_check_interval = std::chrono::minutes(5);
  Duration compaction_interval = std::chrono::seconds(15);
  std::uint64_t compaction_memory_bytes_max = 128u << 20;     ///< of a shard
  std::uint64_t compaction_bytes_per_second_max = 0;          ///< of a shard; 0: no bound
  Duration producer_expiry = std::chrono::hours(24);
  std::size_t metrics_series_max = 10'000;
  coordinator::GroupOptions groups;
  std::uint64_t groups_max = 0;  ///< of all shards, each of which takes its share
  std::int32_t group_log_partitions = 50;
  RequestLimits limits;
};

}  // namespace pyralog::server
