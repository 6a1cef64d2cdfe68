#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/virtual_world.h"
#include "server/node.h"

namespace pyralog::sim {

inline constexpr NodeId kServerNode{1};
inline constexpr std::uint16_t kKafkaPort = 9092;

/// What a machine's server is started with, from the seed.
struct ServerOptions {
  std::uint32_t shards = 1;
  std::uint64_t journal_file_bytes = 512u << 10;
  std::uint64_t bypass_bytes_min = 48u << 10;
  std::uint64_t tail_cache_bytes_max = 0;
  std::chrono::milliseconds retention_check_interval{500};
  Duration upkeep_delay_max = std::chrono::seconds(5);  ///< until what is dirty is cleaned, and a checkpoint written
  std::chrono::milliseconds compaction_interval{500};
  std::chrono::milliseconds initial_rebalance_delay{0};
  std::int32_t group_log_partitions = 3;
};

/// What the shards of a process did, beside storing.
struct ServerCounters {
  std::uint64_t compactions = 0;
  std::uint64_t sessions_expired = 0;  ///< that made a group rebalance
};

/// The configuration that `pyralog start` would have made of these options.
server::NodeConfig make_config(const ServerOptions& options, const std::string& address);

/// The machine that runs the production server: its processes, one after another, on one virtual disk. A process does what
/// the binary does: it starts a node, waits for its failure or a request to stop, stops it and ends.
class ServerMachine {
 public:
  enum class State : std::uint8_t { kDown, kStarting, kServing, kStopping };

  ServerMachine(io::VirtualWorld& world, ServerOptions options);
  ServerMachine(const ServerMachine&) = delete;

  /// Starts a process. Only while kDown.
  void start();
  /// Asks the running process to stop in an orderly way. Only while kServing.
  void ask_to_stop();
  /// Takes notice of what happened since the last call: a crash, or the end of the process.
  void observe();

  State state() const noexcept;
  /// Counts processes; of the running or the last one.
  std::uint32_t life() const noexcept { return life_; }
  /// How the last process ended by itself; nothing if it crashed.
  const std::optional<Result<>>& ending() const noexcept { return ending_; }
  MonotonicTime state_since() const noexcept { return since_; }
  io::Endpoint kafka() const { return {.host = world_.network().address(kServerNode), .port = kKafkaPort}; }
  ServerOptions& options() noexcept { return options_; }
  /// Of all shards of the last process that served, when it ended.
  const storage::StoreCounters& last_counters() const noexcept { return last_counters_; }
  const ServerCounters& last_server_counters() const noexcept { return last_server_counters_; }

 private:
  /// Shared with the process's coroutine, which may be set aside by a crash.
  struct Process {
    std::vector<io::Reactor*> reactors;
    std::unique_ptr<server::Node> node;
    std::optional<Result<>> ending;
    bool serving = false;
    bool stopping = false;
    storage::StoreCounters counters;
    ServerCounters server_counters;
  };
  static void count(Process& process);
  static io::Task<> live(server::NodeConfig config, std::shared_ptr<Process> process);

  io::VirtualWorld& world_;
  ServerOptions options_;
  std::shared_ptr<Process> process_;
  std::optional<Result<>> ending_;
  storage::StoreCounters last_counters_;
  ServerCounters last_server_counters_;
  std::uint64_t crashes_seen_ = 0;
  std::uint32_t life_ = 0;
  State state_seen_ = State::kDown;
  MonotonicTime since_{};
};

}  // namespace pyralog::sim
