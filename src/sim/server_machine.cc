#include "sim/server_machine.h"

#include "server/group_service.h"

namespace pyralog::sim {

server::NodeConfig make_config(const ServerOptions& options, const std::string& address) {
  const server::ConfigSources sources{
      .file_name = {},
      .file_text = {},
      .environment = {},
      .overrides = {{"node.data_dir", "data", "simulation"},
                    {"kafka.listen", address + ":" + std::to_string(kKafkaPort), "simulation"},
                    {"security.insecure", "true", "simulation"},
                    {"replication.auto_create", "false", "simulation"}}};
  auto loaded = server::load_config(sources);
  PYRALOG_ASSERT(loaded.ok(), "the simulation's configuration is refused");
  server::NodeConfig config = std::move(loaded).value();
  config.shards = options.shards;
  config.retention_check_interval = options.retention_check_interval;
  // Below what settings allow, so that journal files are recycled and segments cleaned within seconds.
  config.geometry.journal_file_bytes = options.journal_file_bytes;
  config.geometry.round_bytes_max = options.journal_file_bytes / 2;
  config.geometry.bypass_bytes_min = options.bypass_bytes_min;
  config.geometry.pass_bytes_max = options.journal_file_bytes / 4;
  config.geometry.clean_journal_bytes_min = options.journal_file_bytes;
  config.geometry.clean_delay_max = options.upkeep_delay_max;
  config.geometry.checkpoint_delay_max = options.upkeep_delay_max;
  config.journal_bytes_max = 4 * options.journal_file_bytes;
  config.dirty_bytes_max = options.journal_file_bytes;
  config.tail_cache_bytes_max = options.tail_cache_bytes_max;
  config.free_bytes_min = 0;
  config.compaction_interval = options.compaction_interval;
  config.group_log_partitions = options.group_log_partitions;
  config.groups.initial_rebalance_delay = options.initial_rebalance_delay;
  config.groups.session_timeout_min = std::chrono::milliseconds(1);
  config.groups.new_member_join_timeout = std::chrono::seconds(5);
  return config;
}

ServerMachine::ServerMachine(io::VirtualWorld& world, ServerOptions options) : world_(world), options_(options) {}

io::Task<> ServerMachine::live(server::NodeConfig config, std::shared_ptr<Process> process) {
  auto started = co_await server::Node::start(std::move(config), process->reactors);
  if (!started.ok()) {
    process->ending = std::move(started).error();
    co_return;
  }
  process->node = std::move(*started);
  process->serving = true;
  auto failure = co_await process->node->wait_failed();
  process->stopping = true;
  count(*process);
  Result<> stopped = co_await process->node->stop();
  process->node.reset();
  process->ending = failure.has_value() ? Result<>(std::move(*failure)) : std::move(stopped);
}

void ServerMachine::start() {
  PYRALOG_ASSERT(process_ == nullptr, "the server runs already");
  ++life_;
  ending_.reset();
  process_ = std::make_shared<Process>();
  io::VirtualReactor* home = nullptr;
  for (std::uint32_t i = 0; i < options_.shards; ++i) {
    io::VirtualReactor& reactor = world_.add_reactor(kServerNode, ShardId(i));
    if (home == nullptr) home = &reactor;
    process_->reactors.push_back(&reactor);
  }
  world_.start(*home, live(make_config(options_, world_.network().address(kServerNode)), process_));
  observe();
}

void ServerMachine::ask_to_stop() {
  PYRALOG_ASSERT(state() == State::kServing, "the server does not serve");
  auto& home = static_cast<io::VirtualReactor&>(*process_->reactors.front());
  home.enter([this] { process_->node->end_failure_watch(); });
}

void ServerMachine::observe() {
  if (process_ != nullptr) {
    // A process that a crash hits may still run to the end of its turn, and see its disk fail.
    if (world_.crash_count(kServerNode) != crashes_seen_) {
      if (process_->serving && !process_->stopping) count(*process_);
      last_counters_ = process_->counters;
      last_server_counters_ = process_->server_counters;
      process_.reset();
    } else if (process_->ending.has_value()) {
      ending_ = std::move(process_->ending);
      last_counters_ = process_->counters;
      last_server_counters_ = process_->server_counters;
      process_.reset();
      world_.crash(kServerNode, io::CrashMode::kKill);  // an exit: nothing is under way any more
    }
    crashes_seen_ = world_.crash_count(kServerNode);
  }
  if (state() == state_seen_) return;
  state_seen_ = state();
  since_ = world_.now();
}

ServerMachine::State ServerMachine::state() const noexcept {
  if (process_ == nullptr) return State::kDown;
  if (process_->stopping) return State::kStopping;
  return process_->serving ? State::kServing : State::kStarting;
}

void ServerMachine::count(Process& process) {
  if (process.node == nullptr) return;
  process.counters = {};
  process.server_counters = {};
  for (std::size_t i = 0; i < process.node->shard_count(); ++i) {
    server::Shard& shard = process.node->shard(ShardId(static_cast<std::uint32_t>(i)));
    const storage::StoreCounters& counters = shard.store().counters();
    process.counters.bypassed_bytes += counters.bypassed_bytes;
    process.counters.images += counters.images;
    process.counters.cleaner_passes += counters.cleaner_passes;
    process.counters.checkpoints += counters.checkpoints;
    process.server_counters.compactions += shard.metrics().compactions;
    constexpr auto kExpired = static_cast<std::size_t>(coordinator::RebalanceCause::kSessionExpired);
    for (const auto& [index, host] : shard.groups().hosts()) {
      process.server_counters.sessions_expired += host->coordinator().group_counters().rebalances[kExpired];
    }
  }
}

}  // namespace pyralog::sim
