#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cluster/log_settings.h"
#include "cluster/metadata_image.h"
#include "io/network.h"
#include "io/reactor.h"
#include "io/sync.h"
#include "io/task_scope.h"
#include "record/compression.h"
#include "server/connection.h"
#include "server/data_watch.h"
#include "server/fetch_session.h"
#include "server/node_info.h"
#include "server/rate_limit.h"
#include "server/request_memory.h"
#include "server/shard_metrics.h"
#include "server/shard_of.h"
#include "storage/file_cache.h"
#include "storage/partition_log.h"
#include "storage/shard_store.h"

namespace pyralog::server {

class Controller;
class GroupService;
class Node;

/// A log's settings as they are in force, shared by its partitions on a shard.
struct LogRules {
  cluster::LogSettings settings;
  std::shared_ptr<const storage::LogSettings> storage;  ///< the part that storage honours
};

/// One partition that this node leads, on its shard.
struct Partition {
  LogId log;
  PartitionIndex index;
  std::shared_ptr<const LogRules> rules;
  std::unique_ptr<storage::PartitionLog> data;
  WatchList watchers;       ///< fetches that wait for its high watermark to move
  std::size_t users = 0;    ///< requests at work on it; see PartitionUse
  io::AbortSource removal;  ///< ends its users' waits
  bool removed = false;     ///< its log is being deleted: no new users
  io::WaitList unused;
};

/// A core's share of the node: its partitions, connections, caches and store. All members are for the shard's own thread;
/// other shards reach it with `io::call_on(shard.reactor(), …)`.
class Shard {
 public:
  Shard(Node& node, io::Reactor& reactor);
  ~Shard();
  Shard(const Shard&) = delete;

  io::Reactor& reactor() noexcept { return reactor_; }
  ShardId id() const noexcept { return reactor_.shard(); }
  Node& node() noexcept { return node_; }
  const NodeInfo& info() const noexcept;
  const RequestLimits& limits() const noexcept { return info().limits; }
  ShardMetrics& metrics() noexcept { return metrics_; }
  storage::ShardStore& store() noexcept { return *store_; }
  GroupService& groups() noexcept { return *groups_; }
  FetchSessions& sessions() noexcept { return *sessions_; }
  storage::LogShard& logs() noexcept { return *logs_; }
  record::Decompressor& decompressor() noexcept { return decompressor_; }
  /// Never fires while requests run: for waits that only the store's failure or a deadline may cut short.
  io::AbortSource& store_failed() noexcept { return store_failed_; }
  RequestMemory& request_memory() noexcept { return *request_memory_; }
  /// RequestMemory::acquire, where there was not enough at once: frames that arrive too slowly are given up meanwhile.
  io::Task<RequestMemory::Charge> wait_for_memory(std::size_t frame_bytes, std::size_t units, io::AbortSource& abort);

  /// The metadata that this shard acts on. Never null once the node serves.
  const cluster::ImagePtr& image() const noexcept { return image_; }
  /// This node's settings below those of a log, as they are now.
  cluster::NodeLayers layers() const;
  /// What `layers` amounts to: the value in force for each node property that is set.
  cluster::Settings node_settings() const;
  /// Null if the partition is not (or no longer) here.
  Partition* find(Incarnation incarnation) noexcept;
  const std::unordered_map<Incarnation, std::unique_ptr<Partition>>& partitions() const noexcept { return partitions_; }

  /// Recovers the shard's part of the data directory.
  io::Task<Result<>> open_store(storage::StoreOptions options);
  /// Makes partitions as `image` says: opens, creates and removes. For the start, before the node serves.
  io::Task<Result<>> adopt_image(cluster::ImagePtr image);
  /// Takes a new image, and does what `command`, which led to it, asks of this shard's partitions.
  io::Task<Result<>> apply(cluster::ImagePtr image, const cluster::Command& command);

  /// Takes over a listener for Kafka connections; `info` outlives the shard. Nothing is accepted yet.
  void add_listener(std::unique_ptr<io::Listener> listener, const ListenerInfo& info);
  /// Accepts connections, and starts the periodic work (retention, expiry of producers), until stop_serving.
  void start_serving();
  /// Ends connections and background work. Partitions and store stay.
  io::Task<> stop_serving();
  io::Task<Result<>> close_store();

  /// Writes to the log what a client did wrong. Lines beyond a rate are counted instead.
  void warn_of_client(const io::Endpoint& peer, std::string_view what);

  /// A fresh producer id, from a block that the metadata log handed to this shard.
  io::Task<Result<ProducerId>> next_producer_id();

 private:
  static constexpr std::size_t kClientWarningsPerSecond = 10;

  struct Acceptor {
    Acceptor(std::unique_ptr<io::Listener> l, const ListenerInfo& i, std::size_t rate_max)
        : listener(std::move(l)), info(i), rate(rate_max) {}
    std::unique_ptr<io::Listener> listener;
    const ListenerInfo& info;
    RateLimit rate;
    std::size_t open = 0;  ///< connections
  };
  io::Task<> accept_loop(Acceptor& acceptor);
  io::Task<> run_connection(std::unique_ptr<io::Connection> socket, Acceptor& acceptor);
  void relieve_memory();
  bool admit(Acceptor& acceptor, const std::string& address);
  io::Task<> housekeeping_loop();
  io::Task<> watch_store();
  /// Makes the partitions of `log` that belong here and are not there yet.
  io::Task<Result<>> create_missing(cluster::LogPtr log);
  io::Task<> create_partition(storage::PartitionSpec spec, cluster::LogPtr log, PartitionIndex index, Result<>& outcome);
  io::Task<> retain_all();
  // shard_compaction.cc
  struct DueLog;
  io::Task<> compaction_loop();
  io::Task<std::vector<DueLog>> find_due_logs(WallTime now);
  io::Task<> compact(DueLog due, WallTime now);
  io::Task<> remove_partition(Incarnation incarnation);
  /// Puts the settings of all these logs into force, as far as that goes. The first error counts; logs that it kept in their
  /// durability class are tried again by housekeeping.
  io::Task<Result<>> refresh_settings(std::vector<cluster::LogPtr> logs);
  io::Task<> refresh_partition(Incarnation incarnation, Result<>& outcome);
  void lead_all();
  void install(const cluster::LogPtr& log, PartitionIndex index, storage::PartitionFiles& files);
  io::Task<Result<>> take_producer_ids();
  bool owns(const cluster::PartitionMetadata& partition) const noexcept;
  std::shared_ptr<const LogRules> rules_of(const cluster::LogMetadata& log);

  Node& node_;
  io::Reactor& reactor_;
  std::unique_ptr<storage::FileCache> files_;
  std::unique_ptr<storage::ShardStore> store_;
  std::unique_ptr<storage::LogShard> logs_;
  cluster::ImagePtr image_;
  std::unordered_map<Incarnation, std::unique_ptr<Partition>> partitions_;
  std::unordered_map<LogId, std::weak_ptr<const LogRules>> rules_;
  std::unique_ptr<FetchSessions> sessions_;
  std::unique_ptr<GroupService> groups_;
  std::unique_ptr<RequestMemory> request_memory_;
  std::optional<io::Timer> memory_timer_;  ///< armed while a large frame waits
  record::Decompressor decompressor_;
  storage::ClockGuard clock_guard_;
  std::unordered_map<Incarnation, MonotonicTime> compaction_failed_;  ///< until when such a log is left alone
  bool serving_ = false;
  bool leads_ = false;  ///< this start has its epoch; before, the image has that of the start before
  io::AbortSource store_failed_;
  ShardMetrics metrics_;
  RateLimit client_warnings_{kClientWarningsPerSecond};
  std::uint64_t client_warnings_left_out_ = 0;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::list<KafkaConnection*> connections_;  // by arrival, so that a run can be repeated
  std::unordered_map<std::string, std::size_t> connections_by_address_;
  ProducerId producer_id_next_{0};
  ProducerId producer_id_end_{0};
  io::Semaphore producer_id_lock_{1};
  io::TaskScope scope_;
};

}  // namespace pyralog::server
