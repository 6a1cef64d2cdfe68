#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/virtual_world.h"
#include "sim/history.h"
#include "sim/plan.h"
#include "sim/rot.h"
#include "sim/server_machine.h"
#include "sim/stage.h"

namespace pyralog::sim {

struct RunOptions {
  std::function<void(const std::string&)> note;  ///< told what happens, line by line
  std::function<void(const io::VirtualWorld::TraceEvent&)> trace;
};

struct Report {
  std::optional<std::string> violation;  ///< nothing: all is well
  std::uint64_t trace_hash = 0;
  Duration virtual_time{};
  Coverage coverage;
};

/// One run: a server, its clients, faults, and at the end a check of all that is left. Leaves behind what crashed processes
/// leave (io/virtual_world.h): run many seeds in child processes.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed, RunOptions options = {}) : Simulation(make_plan(seed), std::move(options)) {}
  explicit Simulation(Plan plan, RunOptions options = {});
  Simulation(const Simulation&) = delete;
  Report run();

 private:
  struct ClientMachine {
    NodeId node;
    bool is_up = false;
    std::shared_ptr<std::size_t> running;  // tasks of its process
  };
  enum class Role : std::uint8_t { kBatches, kRecords, kFollower, kSession, kKeyedWriter, kKeyedReader, kAdministrator };

  static io::Task<> play(Stage& stage, Role role, std::uint64_t seed, std::shared_ptr<std::size_t> running);
  static io::Task<> play_member(Stage& stage, std::size_t group, std::optional<std::string> instance, std::uint64_t seed,
                                std::shared_ptr<std::size_t> running);
  static io::Task<> audit(Stage& stage, std::uint64_t seed);
  static io::Task<> create_logs(Stage& stage, std::uint64_t seed);

  bool prepare();
  void start_client(ClientMachine& client);
  void start_members(ClientMachine& client, io::VirtualReactor& reactor);
  void inject(const Fault& fault);
  void inject_at_server(const Fault& fault);
  void inject_at_disk(const Fault& fault);
  void crash_in_write(std::uint64_t detail);
  void inject_at_network(const Fault& fault);
  void calm();
  void crash(io::CrashMode mode);
  bool supervise();
  void server_went_down();
  void check_ending(const Result<>& ending);
  void start_server();
  std::uint64_t disk_faults();
  bool wait_until(const std::function<bool()>& done, Duration bound, const std::string& what);
  bool clients_done() const;
  void last_stop(LastStop stop);
  void check_everything();
  void check_files();
  void count_faults();
  void note(const std::string& text);

  RunOptions options_;
  Plan plan_;
  Random random_;
  Coverage coverage_;
  io::VirtualWorld world_;
  ServerMachine server_;
  History history_;
  GroupHistory groups_;
  KeyedHistory keyed_;
  Rot rot_;
  Stage stage_;
  std::vector<ClientMachine> clients_;
  ServerMachine::State state_ = ServerMachine::State::kDown;
  bool is_asked_to_stop_ = false;
  bool is_restart_due_ = false;
  bool is_calm_ = false;
  std::uint32_t shards_ = 0;  // of the last start
  std::uint64_t disk_faults_before_ = 0;  // at the start of the server's life
  std::uint32_t full_life_ = 0;           // the last one that knew a full disk
};

}  // namespace pyralog::sim
