#pragma once

#include <memory>
#include <span>
#include <vector>

#include "io/disk.h"
#include "io/reactor.h"
#include "server/config.h"
#include "server/controller.h"
#include "server/http_server.h"
#include "server/node_directory.h"
#include "server/node_info.h"
#include "server/shard.h"

namespace pyralog::server {

/// A node: its shards, its metadata, its listeners. Made, started and stopped on shard 0; on real or virtual reactors.
class Node {
 public:
  /// Recovers the data directory, founds or restarts the node, and opens its listeners. When it returns, clients are
  /// served. `reactors` (one per shard, by ShardId) outlive the node and are all running. Errors are for the operator: one
  /// clear line. A failed start leaves nothing running.
  static io::Task<Result<std::unique_ptr<Node>>> start(NodeConfig config, std::vector<io::Reactor*> reactors);
  ~Node();

  /// Clean stop: no new connections, running requests end, everything into the segments.
  io::Task<Result<>> stop();

  const NodeInfo& info() const noexcept { return info_; }
  const NodeConfig& config() const noexcept { return config_; }
  std::size_t shard_count() const noexcept { return shards_.size(); }
  Shard& shard(ShardId id) noexcept { return *shards_[id.value]; }
  Shard& shard_of(Incarnation incarnation) noexcept { return shard(server::shard_of(incarnation, shards_.size())); }
  Controller& controller() noexcept { return *controller_; }
  const io::Endpoint& http_address() const noexcept { return http_address_; }
  const io::Endpoint& rpc_address() const noexcept { return rpc_address_; }

  /// Makes every shard act on `image`, the one after `command`. For the controller.
  io::Task<Result<>> publish(cluster::ImagePtr image, const cluster::Command& command);

  /// Returns with the reason when a store has failed: the node must then stop (reliability.md §2).
  io::Task<std::optional<Error>> wait_failed();
  /// A shard's store has failed. On shard 0.
  void report_failure(const Error& error);
  /// Ends wait_failed(), which then returns nothing.
  void end_failure_watch() { failure_watch_.abort(); }

 private:
  Node(NodeConfig config, std::vector<io::Reactor*> reactors);
  io::Task<Result<>> start_all();
  io::Task<Result<>> open_data_directory();
  storage::StoreOptions store_options() const;
  io::Task<Result<>> divide();
  io::Task<Result<>> open_stores();
  io::Task<Result<>> open_metadata();
  io::Task<Result<>> declare_logs();
  io::Task<Result<>> listen();
  io::Task<Result<>> listen_kafka(std::size_t index);
  /// Node properties that are known only now, for DescribeConfigs.
  void describe_self();
  io::Task<Result<>> listen_http();
  io::Task<Result<>> reserve_rpc();
  io::Task<HttpResponse> answer_http(std::string path);
  /// Runs `function(Shard&)` (a Task<Result<>>) on every shard at once; the first error by shard order.
  template <class Function>
  io::Task<Result<>> on_every_shard(Function function);

  NodeConfig config_;
  NodeInfo info_;
  std::vector<io::Reactor*> reactors_;
  std::unique_ptr<NodeDirectory> directory_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<HttpServer> http_;
  io::Endpoint http_address_;
  std::unique_ptr<io::Listener> rpc_;
  io::Endpoint rpc_address_;
  io::AbortSource failure_watch_;
  io::WaitList failed_;
  std::optional<Error> failure_;
  MonotonicTime started_;
  bool ready_ = false;
};

}  // namespace pyralog::server
