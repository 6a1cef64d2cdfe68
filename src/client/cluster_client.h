#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/broker_connection.h"
#include "core/ids.h"

namespace pyralog::client {

struct BrokerInfo {
  NodeId id;
  io::Endpoint address;
  std::string rack;
};

struct PartitionInfo {
  PartitionIndex index;
  NodeId leader{-1};  ///< -1: none at present
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::vector<NodeId> replicas;
  std::vector<NodeId> in_sync;
};

struct LogInfo {
  std::string name;
  LogId id;
  bool is_internal = false;
  std::vector<PartitionInfo> partitions;  ///< by index
};

struct ClusterInfo {
  std::string cluster_id;
  NodeId controller{-1};
  std::vector<BrokerInfo> brokers;
  std::vector<LogInfo> logs;  ///< by name
};

enum class AutoCreation : std::uint8_t { kForbidden, kAllowed };

/// A cluster as a client uses it, on one shard: its metadata, and one shared connection per node. Owned by the coroutine
/// that awaits close().
class ClusterClient {
 public:
  /// Connects to the first of `bootstrap` that answers. The last failure if none does.
  static io::Task<Result<std::unique_ptr<ClusterClient>>> connect(std::vector<io::Endpoint> bootstrap,
                                                                  BrokerConnection::Options options = {});
  io::Task<> close();

  /// The cluster with all its logs.
  io::Task<Result<ClusterInfo>> describe_all();
  /// The cluster without logs.
  io::Task<Result<ClusterInfo>> describe_nodes();
  /// One log. Waits a bounded time for leaders where a partition has none yet. kNotFound.
  io::Task<Result<LogInfo>> describe_log(std::string name, AutoCreation auto_creation = AutoCreation::kForbidden);

  /// The shared connection to a node that metadata named; a failed one is replaced.
  io::Task<Result<std::shared_ptr<BrokerConnection>>> connection_to(NodeId node);
  /// A connection of the caller's own, who closes it.
  io::Task<Result<std::unique_ptr<BrokerConnection>>> new_connection_to(NodeId node);
  /// The connection to some node, for what any of them answers.
  io::Task<Result<std::shared_ptr<BrokerConnection>>> any_connection();
  /// The connection to the node that changes metadata.
  io::Task<Result<std::shared_ptr<BrokerConnection>>> controller_connection();

 private:
  ClusterClient(std::vector<io::Endpoint> bootstrap, BrokerConnection::Options options)
      : bootstrap_(std::move(bootstrap)), options_(std::move(options)) {}
  io::Task<Result<>> connect_bootstrap();
  io::Task<Result<ClusterInfo>> ask_metadata(std::optional<std::vector<std::string>> names, AutoCreation auto_creation);
  io::Task<> dispose(std::shared_ptr<BrokerConnection> connection);

  std::vector<io::Endpoint> bootstrap_;
  BrokerConnection::Options options_;
  std::shared_ptr<BrokerConnection> first_;  // to a bootstrap address
  std::map<NodeId, io::Endpoint> addresses_;
  std::map<NodeId, std::shared_ptr<BrokerConnection>> connections_;
  NodeId controller_{-1};
  io::TaskScope scope_;  // closes connections that were replaced
};

}  // namespace pyralog::client
