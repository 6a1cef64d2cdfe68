#include "server/node.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/remote_call.h"
#include "io/when_all.h"
#include "server/log_creation.h"
#include "server/metrics_text.h"

namespace pyralog::server {

template <class Function>
io::Task<Result<>> Node::on_every_shard(Function function) {
  std::vector<Result<>> results(shards_.size());
  std::vector<io::Task<>> tasks;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    tasks.push_back([](Shard& shard, Function& f, Result<>& result) -> io::Task<> {
      auto here = [&shard, &f]() { return f(shard); };
      result = co_await io::call_on(shard.reactor(), std::move(here));
    }(*shards_[i], function, results[i]));
  }
  co_await io::when_all(std::move(tasks));
  for (Result<>& result : results) {
    if (!result.ok()) co_return std::move(result);
  }
  co_return Result<>();
}

Node::Node(NodeConfig config, std::vector<io::Reactor*> reactors)
    : config_(std::move(config)), reactors_(std::move(reactors)), started_(reactors_.front()->now()) {}
Node::~Node() = default;

io::Task<Result<std::unique_ptr<Node>>> Node::start(NodeConfig config, std::vector<io::Reactor*> reactors) {
  std::unique_ptr<Node> node(new Node(std::move(config), std::move(reactors)));
  Result<> started = co_await node->start_all();
  if (started.ok()) co_return std::move(node);
  if (auto stopped = co_await node->stop(); !stopped.ok()) {
    spdlog::error("stopping after a failed start: {}", stopped.error().to_string());
  }
  co_return std::move(started).error();
}

io::Task<Result<>> Node::start_all() {
  PYRALOG_CO_TRY(co_await open_data_directory());
  PYRALOG_CO_TRY(co_await divide());
  for (io::Reactor* reactor : reactors_) shards_.push_back(std::make_unique<Shard>(*this, *reactor));
  PYRALOG_CO_TRY(co_await open_stores());
  PYRALOG_CO_TRY(co_await open_metadata());
  PYRALOG_CO_TRY(co_await declare_logs());
  PYRALOG_CO_TRY(co_await listen());
  describe_self();
  auto serve = [](Shard& shard) -> io::Task<Result<>> {
    shard.start_serving();
    co_return Result<>();
  };
  PYRALOG_CO_TRY(co_await on_every_shard(std::move(serve)));
  ready_ = true;
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(reactors_.front()->now() - started_);
  spdlog::info("node {} ready after {} ms: {} logs, {} partitions, {} shards, data in {}", info_.id.value, took.count(),
               controller_->image()->log_count(), controller_->image()->partition_count(), shards_.size(),
               info_.data_directory);
  co_return Result<>();
}

io::Task<Result<>> Node::open_data_directory() {
  io::Reactor& home = *reactors_.front();
  const auto node = config_.node_id.has_value() ? std::optional(NodeId(*config_.node_id)) : std::nullopt;
  PYRALOG_CO_ASSIGN(directory_, co_await NodeDirectory::open(home.disk(), config_.data_directory, node,
                                                             static_cast<std::uint32_t>(reactors_.size()), home.random()));
  const auto shards = reactors_.size();
  info_.id = directory_->identity().node;
  info_.disk_uuid = directory_->identity().disk_uuid;
  info_.rack = config_.rack;
  info_.data_directory = config_.data_directory;
  info_.static_settings = config_.static_settings;
  info_.auto_create_logs = config_.auto_create_logs;
  info_.partitions_default = config_.partitions_default;
  info_.replication_default = config_.replication_default;
  info_.retention_check_interval = config_.retention_check_interval;
  info_.producer_expiry = config_.producer_expiry;
  info_.metrics_series_max = config_.metrics_series_max;
  info_.groups = config_.groups;
  info_.groups_max = config_.groups_max;
  info_.group_log_partitions = config_.group_log_partitions;
  info_.listeners.resize(config_.kafka_listeners.size());
  const auto share = [shards](std::uint64_t whole) { return (whole + shards - 1) / shards; };
  info_.compaction_interval = config_.compaction_interval;
  info_.compaction_memory_bytes_max = share(config_.compaction_memory_bytes_max);
  info_.compaction_bytes_per_second_max = share(config_.compaction_bytes_per_second_max);
  info_.limits = {
      .frame_bytes_max = config_.request_bytes_max,
      .requests_pipelined_max = config_.pipelined_requests_max,
      .pipelined_bytes_max = config_.pipelined_bytes_max,
      .request_memory_bytes_max = std::max<std::size_t>(share(config_.request_memory_bytes_max), config_.request_bytes_max),
      .connections_max = share(config_.connections_max),
      .connections_per_address_max = share(config_.connections_per_address_max),
      .connections_per_second_max = share(config_.connections_per_second_max),
      .segment_files_open_max = std::max<std::size_t>(share(config_.open_files_max), 1),
      .connection_idle_max = config_.connection_idle_max};
  co_return Result<>();
}

storage::StoreOptions Node::store_options() const {
  storage::StoreOptions options{.data_directory = info_.data_directory, .disk_uuid = info_.disk_uuid, .shard = ShardId(0)};
  options.generation = directory_->identity().division.generation;
  options.free_bytes_min = config_.free_bytes_min;
  options.scrub_bytes_per_second = (config_.scrub_bytes_per_second + reactors_.size() - 1) / reactors_.size();
  options.geometry = config_.geometry;
  options.geometry.journal_bytes_max = config_.journal_bytes_max;
  options.geometry.dirty_bytes_max = config_.dirty_bytes_max;
  options.geometry.tail_cache_bytes_max = config_.tail_cache_bytes_max;
  return options;
}

io::Task<Result<>> Node::divide() {
  storage::FileCache files(info_.limits.segment_files_open_max);
  co_return co_await directory_->divide(static_cast<std::uint32_t>(reactors_.size()), store_options(), files);
}

io::Task<Result<>> Node::open_stores() {
  auto open = [this](Shard& shard) {
    storage::StoreOptions options = store_options();
    options.shard = shard.id();
    return shard.open_store(std::move(options));
  };
  co_return co_await on_every_shard(std::move(open));
}

io::Task<std::optional<Error>> Node::wait_failed() {
  co_await failed_.wait(failure_watch_);
  co_return failure_;
}

void Node::report_failure(const Error& error) {
  if (!failure_.has_value()) failure_ = error;
  failed_.notify_all();
}

io::Task<Result<>> Node::open_metadata() {
  Shard& home = shard(ShardId(0));
  auto log = std::make_unique<MetadataLog>(home);
  PYRALOG_CO_ASSIGN(cluster::ImagePtr image, co_await log->open(!directory_->identity().cluster_id.is_zero()));
  controller_ = std::make_unique<Controller>(*this, std::move(log), image);
  // Partitions first, so that what the commands below publish finds every shard in step.
  auto adopt = [&image](Shard& shard) { return shard.adopt_image(image); };
  PYRALOG_CO_TRY(co_await on_every_shard(std::move(adopt)));
  if (image->cluster_id().is_zero()) {
    cluster::FoundCluster found{.cluster_id = home.reactor().random().uuid()};
    PYRALOG_CO_ASSIGN(image, co_await controller_->propose(found));
    spdlog::info("founded cluster {}", found.cluster_id.to_string());
  }
  info_.cluster_id = image->cluster_id();
  PYRALOG_CO_TRY(co_await directory_->join_cluster(info_.cluster_id));
  const auto* known = image->find_node(info_.id);
  cluster::NodeStarted started{.node = info_.id,
                               .epoch = cluster::StartEpoch(known != nullptr ? known->start_epoch.value + 1 : 1),
                               .rack = info_.rack};
  PYRALOG_CO_TRY(co_await controller_->propose(std::move(started)));
  co_return Result<>();
}

io::Task<Result<>> Node::declare_logs() {
  for (const NewLog& log : config_.declared_logs) {
    Shard& home = shard(ShardId(0));
    if (home.image()->find_log(log.name) != nullptr) continue;
    auto command = plan_log(home, log);
    if (!command.ok()) co_return command.error().with_context("[log." + log.name + "]");
    PYRALOG_CO_TRY(co_await controller_->propose(std::move(*command)));
    spdlog::info("created log {} as configured", log.name);
  }
  co_return Result<>();
}

io::Task<Result<>> Node::publish(cluster::ImagePtr image, const cluster::Command& command) {
  auto apply = [&image, &command](Shard& shard) { return shard.apply(image, command); };
  co_return co_await on_every_shard(std::move(apply));
}

io::Task<Result<>> Node::listen() {
  for (std::size_t i = 0; i < config_.kafka_listeners.size(); ++i) PYRALOG_CO_TRY(co_await listen_kafka(i));
  PYRALOG_CO_TRY(co_await reserve_rpc());
  co_return co_await listen_http();
}

io::Task<Result<>> Node::reserve_rpc() {
  // Peers have nothing to say to a single node; the port is held so that its address is known and nobody else's.
  PYRALOG_CO_ASSIGN(rpc_, co_await reactors_.front()->network().listen(config_.rpc_listen));
  rpc_address_ = rpc_->local();
  co_return Result<>();
}

io::Task<Result<>> Node::listen_kafka(std::size_t index) {
  const ListenerConfig& configured = config_.kafka_listeners[index];
  ListenerInfo& info = info_.listeners[index];
  info = {.name = configured.name, .bound = configured.listen, .advertised = configured.advertise};
  for (auto& shard : shards_) {
    // The first one resolves port 0; the others share its address.
    auto open = [&shard, &info]() -> io::Task<Result<>> {
      PYRALOG_CO_ASSIGN(auto listener, co_await shard->reactor().network().listen(info.bound));
      info.bound = listener->local();
      if (info.advertised.host.empty()) info.advertised.host = info.bound.host;
      if (info.advertised.port == 0) info.advertised.port = info.bound.port;
      shard->add_listener(std::move(listener), info);
      co_return Result<>();
    };
    PYRALOG_CO_TRY(co_await io::call_on(shard->reactor(), std::move(open)));
  }
  co_return Result<>();
}

void Node::describe_self() {
  cluster::Settings& settings = info_.static_settings;
  const std::string id = std::to_string(info_.id.value);
  settings.set("node.id", id);
  settings.set("broker.id", id);
  settings.set("log.dirs", info_.data_directory);
  std::vector<std::string> bound;
  std::vector<std::string> advertised;
  for (const ListenerInfo& listener : info_.listeners) {
    bound.push_back(fmt::format("{}://{}", listener.name, listener.bound.to_string()));
    advertised.push_back(fmt::format("{}://{}", listener.name, listener.advertised.to_string()));
  }
  settings.set("listeners", fmt::format("{}", fmt::join(bound, ",")));
  settings.set("advertised.listeners", fmt::format("{}", fmt::join(advertised, ",")));
}

io::Task<Result<>> Node::listen_http() {
  PYRALOG_CO_ASSIGN(auto listener, co_await reactors_.front()->network().listen(config_.http_listen));
  http_address_ = listener->local();
  auto route = [this](std::string path) { return answer_http(std::move(path)); };
  http_ = std::make_unique<HttpServer>(std::move(listener), std::move(route));
  http_->start();
  co_return Result<>();
}

io::Task<HttpResponse> Node::answer_http(std::string path) {
  if (path == "/healthz") co_return HttpResponse{.body = "ok\n"};
  if (path == "/readyz") {
    co_return ready_ ? HttpResponse{.body = "ready\n"} : HttpResponse{.status = 503, .body = "starting\n"};
  }
  if (path == "/metrics") {
    HttpResponse response{.content_type = "text/plain; version=0.0.4; charset=utf-8"};
    response.body = co_await metrics_text(*this);
    co_return response;
  }
  co_return HttpResponse{.status = 404, .body = "not found: try /metrics, /healthz or /readyz\n"};
}

io::Task<Result<>> Node::stop() {
  ready_ = false;
  if (http_ != nullptr) co_await http_->stop();
  auto stop_serving = [](Shard& shard) -> io::Task<Result<>> {
    co_await shard.stop_serving();
    co_return Result<>();
  };
  Result<> result = co_await on_every_shard(std::move(stop_serving));
  if (controller_ != nullptr) {
    if (auto closed = co_await controller_->close(); !closed.ok()) result = std::move(closed);
  }
  auto close_store = [](Shard& shard) { return shard.close_store(); };
  if (auto closed = co_await on_every_shard(std::move(close_store)); !closed.ok()) result = std::move(closed);
  if (rpc_ != nullptr) rpc_->close();
  directory_.reset();
  co_return result;
}

}  // namespace pyralog::server
