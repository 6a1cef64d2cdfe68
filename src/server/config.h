#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/settings.h"
#include "coordinator/group_context.h"
#include "core/result.h"
#include "io/network.h"
#include "server/log_creation.h"
#include "storage/shard_store.h"

namespace pyralog::server {

struct ListenerConfig {
  std::string name;
  io::Endpoint listen;
  io::Endpoint advertise;  ///< what clients are told; an empty host or port 0: the same as where it listens
};

/// The configuration of a node, checked. What each field means, its unit, range and default: the table in
/// `config_keys.cc`, printed as docs/configuration.md. Limits are for the whole node, not for one shard.
struct NodeConfig {
  std::optional<std::int32_t> node_id;  ///< none: what the data directory says, else 1
  std::string data_directory;
  std::string rack;
  std::uint32_t shards = 0;  ///< 0: one per usable processor
  bool insecure = false;

  std::vector<ListenerConfig> kafka_listeners;  ///< never empty; the first is the one to show
  io::Endpoint rpc_listen;
  io::Endpoint http_listen;

  std::uint64_t request_bytes_max = 0;
  std::uint64_t pipelined_requests_max = 0;    ///< per connection
  std::uint64_t pipelined_bytes_max = 0;       ///< per connection
  std::uint64_t request_memory_bytes_max = 0;  ///< of all requests being received or served
  std::uint64_t connections_max = 0;           ///< per listener
  std::uint64_t connections_per_address_max = 0;
  std::uint64_t connections_per_second_max = 0;  ///< per listener
  std::chrono::milliseconds connection_idle_max{};

  std::uint64_t journal_bytes_max = 0;     ///< per shard
  std::uint64_t dirty_bytes_max = 0;       ///< per shard
  std::uint64_t tail_cache_bytes_max = 0;  ///< per shard
  storage::StoreGeometry geometry;         ///< what no setting reaches; the simulation shrinks it
  std::uint64_t free_bytes_min = 0;
  std::uint64_t scrub_bytes_per_second = 0;
  std::uint64_t open_files_max = 0;
  std::chrono::milliseconds retention_check_interval{};
  std::chrono::milliseconds compaction_interval{};
  std::uint64_t compaction_memory_bytes_max = 0;       ///< of all shards
  std::uint64_t compaction_bytes_per_second_max = 0;   ///< of all shards; 0: no bound
  std::chrono::milliseconds producer_expiry{};

  coordinator::GroupOptions groups;
  std::uint64_t groups_max = 0;
  std::int32_t group_log_partitions = 0;

  std::int32_t replication_default = 0;
  std::int32_t partitions_default = 0;
  bool auto_create_logs = false;
  std::vector<NewLog> declared_logs;  ///< by name

  bool posix_io = false;
  std::uint64_t send_buffer_bytes = 0;  ///< of an accepted connection; 0: the kernel's
  std::uint64_t metrics_series_max = 0;
  std::string logging_level;
  std::string logging_format;

  /// Node properties that were set here rather than left at their default, under Kafka's names: the static layer of
  /// `cluster::NodeLayers`.
  cluster::Settings static_settings;
};

/// A setting from outside the file. `origin` is how the person wrote it: "--kafka", "--set io.backend".
struct ConfigOverride {
  std::string key;  ///< "io.backend", "log.orders.retention.ms"
  std::string value;
  std::string origin;
};

/// Where the configuration comes from, weakest first.
struct ConfigSources {
  std::string file_name;  ///< for messages
  std::string file_text;  ///< TOML; empty: no file
  std::vector<ConfigOverride> environment;
  std::vector<ConfigOverride> overrides;  ///< the command line, in its order
};

/// The overrides in an environment ("NAME=value" each): PYRALOG_SECTION__KEY is section.key. Other variables are
/// skipped.
std::vector<ConfigOverride> environment_overrides(std::span<const char* const> environment);

/// Reads, merges and checks. kInvalidArgument with one line for the operator: where, what, and the remedy; an unknown
/// key is met with the nearest known one.
Result<NodeConfig> load_config(const ConfigSources& sources);

/// All keys in order, those that stand for many ("log.NAME.PROPERTY") included.
std::vector<std::string_view> config_keys();
/// What `pyralog config explain` prints of `key`, a property of logs included. kNotFound with the nearest known key.
Result<std::string> explain_config(std::string_view key);
/// docs/configuration.md.
std::string configuration_markdown();

}  // namespace pyralog::server
