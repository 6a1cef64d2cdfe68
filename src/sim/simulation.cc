#include "sim/simulation.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/administrator.h"
#include "sim/auditor.h"
#include "sim/batch_producer.h"
#include "sim/file_check.h"
#include "sim/group_member.h"
#include "sim/keyed_clients.h"
#include "sim/log_follower.h"
#include "sim/record_producer.h"
#include "sim/session_reader.h"

namespace pyralog::sim {
namespace {

using State = ServerMachine::State;

constexpr NodeId kFirstClientNode{10};
constexpr NodeId kToolNode{9};  // sets up and checks; no fault hits it
constexpr std::uint32_t kCheckReactor = 1'000'000;  // beyond the lives that audits count by
constexpr Duration kStartMax = std::chrono::seconds(60);
constexpr Duration kStopMax = std::chrono::seconds(60);
constexpr Duration kProgressMax = std::chrono::seconds(120);

std::string_view state_name(State state) {
  static constexpr std::string_view kNames[] = {"down", "starting", "serving", "stopping"};
  return kNames[static_cast<std::size_t>(state)];
}

}  // namespace

Simulation::Simulation(Plan plan, RunOptions options)
    : options_(std::move(options)),
      plan_(std::move(plan)),
      random_(Random(plan_.seed).fork()),
      world_(plan_.seed),
      server_(world_, plan_.server),
      history_(coverage_),
      groups_(history_, coverage_),
      keyed_(history_, coverage_),
      stage_{.world = world_,
             .server = server_,
             .history = history_,
             .groups = groups_,
             .keyed = keyed_,
             .coverage = coverage_,
             .plan = plan_,
             .rot = rot_,
             .note = [this](const std::string& text) { note(text); }} {
  for (const GroupPlan& group : plan_.groups) groups_.add_group(group.id);
  if (options_.trace) world_.watch_trace(options_.trace);
}

void Simulation::note(const std::string& text) {
  if (!options_.note) return;
  options_.note(fmt::format("{:9.3f} ms  {}", static_cast<double>(world_.now().time_since_epoch().count()) / 1e6, text));
}

Report Simulation::run() {
  note(fmt::format("seed {}: {} shards, {} logs, {} clients, {} faults", plan_.seed, plan_.server.shards, plan_.logs.size(),
                   plan_.clients, plan_.faults.size()));
  if (prepare()) {
    for (const Fault& fault : plan_.faults) {
      world_.after(fault.at, [this, fault] { inject(fault); });
    }
    const MonotonicTime end = world_.now() + plan_.length;
    (void)world_.run_until([&] { return supervise() || history_.violation().has_value(); }, end);
    calm();
    const auto served = [&] { return server_.state() == State::kServing && clients_done(); };
    if (wait_until(served, kProgressMax, "the clients to end after all faults are healed")) check_everything();
  }
  count_faults();
  Report report{.violation = history_.violation(), .trace_hash = world_.trace_hash()};
  report.virtual_time = world_.now().time_since_epoch();
  report.coverage = coverage_;
  return report;
}

bool Simulation::prepare() {
  start_server();
  const auto serves = [&] { return server_.state() == State::kServing; };
  if (!wait_until(serves, kStartMax, "the first start")) return false;
  io::VirtualReactor& tools = world_.add_reactor(kToolNode, ShardId(0));
  if (!world_.try_run(tools, create_logs(stage_, random_.next()), kProgressMax)) {
    history_.violate("the logs are not created");
  }
  for (std::uint32_t i = 0; i < plan_.clients; ++i) {
    clients_.push_back({.node = NodeId(kFirstClientNode.value + static_cast<std::int32_t>(i))});
  }
  for (ClientMachine& client : clients_) start_client(client);
  return !history_.violation().has_value();
}

io::Task<> Simulation::create_logs(Stage& stage, std::uint64_t seed) {
  Administrator administrator(stage, seed);
  co_await administrator.create_planned();
}

io::Task<> Simulation::audit(Stage& stage, std::uint64_t seed) {
  Auditor auditor(stage, seed);
  co_await auditor.run();
}

io::Task<> Simulation::play(Stage& stage, Role role, std::uint64_t seed, std::shared_ptr<std::size_t> running) {
  if (role == Role::kBatches) {
    BatchProducer producer(stage, seed);
    co_await producer.run();
  } else if (role == Role::kRecords) {
    RecordProducer producer(stage, seed);
    co_await producer.run();
  } else if (role == Role::kFollower) {
    LogFollower follower(stage, seed);
    co_await follower.run();
  } else if (role == Role::kSession) {
    SessionReader reader(stage, seed);
    co_await reader.run();
  } else if (role == Role::kKeyedWriter) {
    KeyedWriter writer(stage, seed);
    co_await writer.run();
  } else if (role == Role::kKeyedReader) {
    KeyedReader reader(stage, seed);
    co_await reader.run();
  } else {
    Administrator administrator(stage, seed);
    co_await administrator.run();
  }
  --*running;
}

io::Task<> Simulation::play_member(Stage& stage, std::size_t group, std::optional<std::string> instance, std::uint64_t seed,
                                   std::shared_ptr<std::size_t> running) {
  GroupMember member(stage, group, std::move(instance), Conduct::kErratic, stage.stopping, seed);
  co_await member.run();
  --*running;
}

void Simulation::start_client(ClientMachine& client) {
  io::VirtualReactor& reactor = world_.add_reactor(client.node, ShardId(0));
  client.is_up = true;
  client.running = std::make_shared<std::size_t>(0);
  const auto add = [&](Role role) {
    ++*client.running;
    world_.start(reactor, play(stage_, role, random_.next(), client.running));
  };
  if (client.node == kFirstClientNode) {
    add(Role::kBatches);
    if (plan_.has_admin) add(Role::kAdministrator);
  }
  if (client.node != kFirstClientNode || plan_.clients == 1) {
    add(random_.chance(1, 2) ? Role::kFollower : Role::kSession);
  }
  for (std::uint64_t more = random_.below(3); more > 0; --more) add(random_.chance(1, 2) ? Role::kBatches : Role::kRecords);
  if (std::ranges::any_of(plan_.logs, [](const LogPlan& log) { return log.use == LogUse::kKeyed; })) {
    add(Role::kKeyedWriter);
    if (random_.chance(1, 2)) add(Role::kKeyedReader);
  }
  start_members(client, reactor);
}

void Simulation::start_members(ClientMachine& client, io::VirtualReactor& reactor) {
  for (std::size_t group = 0; group < plan_.groups.size(); ++group) {
    const std::uint64_t count_min = client.node == kFirstClientNode ? 1 : 0;
    const std::uint64_t count = random_.between(count_min, plan_.groups[group].members_per_client_max);
    for (std::uint64_t i = 0; i < count; ++i) {
      // The same after the machine's return: then its first member replaces the one that is gone.
      std::optional<std::string> instance;
      if (plan_.groups[group].has_static_members && i == 0) instance = "machine-" + std::to_string(client.node.value);
      ++*client.running;
      world_.start(reactor, play_member(stage_, group, std::move(instance), random_.next(), client.running));
    }
  }
}

bool Simulation::clients_done() const {
  return std::ranges::all_of(clients_, [](const ClientMachine& c) { return !c.is_up || *c.running == 0; });
}

bool Simulation::wait_until(const std::function<bool()>& done, Duration bound, const std::string& what) {
  const auto over = [&] { return supervise() || history_.violation().has_value() || done(); };
  const io::RunEnd end = world_.run_until(over, world_.now() + bound);
  if (history_.violation().has_value()) return false;
  if (end == io::RunEnd::kDone) return true;
  history_.violate(fmt::format("stuck: waited {} s for {}; the server is {}, {} of {} clients work",
                               std::chrono::duration_cast<std::chrono::seconds>(bound).count(), what,
                               state_name(server_.state()), std::ranges::count_if(clients_, [](const ClientMachine& c) {
                                 return c.is_up && *c.running > 0;
                               }), clients_.size()));
  return false;
}

void Simulation::start_server() {
  is_restart_due_ = false;
  is_asked_to_stop_ = false;
  disk_faults_before_ = disk_faults();
  if (server_.life() > 0 && random_.below(100) < plan_.other_shards_per_hundred) {
    server_.options().shards = static_cast<std::uint32_t>(random_.between(1, 3));
  }
  server_.start();
  if (world_.disk(kServerNode).options().capacity_bytes < io::VirtualDiskOptions().capacity_bytes) full_life_ = server_.life();
  note(fmt::format("life {} starts with {} shards", server_.life(), server_.options().shards));
  if (!is_calm_ && server_.life() > 1 && random_.below(100) < plan_.crash_in_recovery_per_hundred) {
    io::VirtualDisk& disk = world_.disk(kServerNode);
    disk.crash_at_step(disk.steps() + random_.between(1, 120), crash_mode(random_.next()));
  }
}

std::uint64_t Simulation::disk_faults() {
  const io::VirtualDiskFaults& faults = world_.disk(kServerNode).faults();
  return faults.syncs_failed + faults.writes_failed + faults.reads_failed + faults.writes_refused_full;
}

/// Takes notice of what the server did. Always false: it is the part of a wait's condition that looks.
bool Simulation::supervise() {
  server_.observe();
  const State state = server_.state();
  const Duration in_state = world_.now() - server_.state_since();
  if (state == State::kStarting && in_state > kStartMax) history_.violate("the server does not get ready");
  if (state == State::kStopping && in_state > kStopMax) history_.violate("the server does not stop");
  if (state == state_) return false;
  const State before = std::exchange(state_, state);
  note(fmt::format("life {} is {}", server_.life(), state_name(state)));
  if (state == State::kDown && before == State::kStarting && !server_.ending().has_value()) {
    coverage_.add(Happened::kCrashInRecovery);
  }
  if (state == State::kServing) {
    if (shards_ != 0 && shards_ != server_.options().shards) coverage_.add(Happened::kShardsChanged);
    shards_ = server_.options().shards;
  }
  if (state == State::kDown) server_went_down();
  return false;
}

void Simulation::server_went_down() {
  coverage_.add(Happened::kCleanerPass, server_.last_counters().cleaner_passes);
  coverage_.add(Happened::kCheckpoint, server_.last_counters().checkpoints);
  coverage_.add(Happened::kBypass, server_.last_counters().bypassed_bytes);
  coverage_.add(Happened::kImage, server_.last_counters().images);
  coverage_.add(Happened::kCompacted, server_.last_server_counters().compactions);
  coverage_.add(Happened::kSessionExpired, server_.last_server_counters().sessions_expired);
  if (server_.ending().has_value()) check_ending(*server_.ending());
  is_restart_due_ = true;
  const Duration pause = std::chrono::milliseconds(random_.chance(1, 4) ? random_.below(3000) : random_.below(200));
  world_.after(pause, [this] {
    if (is_restart_due_) start_server();
  });
}

void Simulation::check_ending(const Result<>& ending) {
  if (ending.ok()) {
    if (!is_asked_to_stop_) history_.violate("the server stopped without being asked");
    coverage_.add(Happened::kOrderlyStop);
    return;
  }
  note("it ended with: " + ending.error().to_string());
  // Rot in what a start relies on is named by it, and stays: whoever runs the node has to bring the file back.
  if (ending.error() == ErrorCode::kCorrupt && rot_.is_named_by(ending.error())) {
    return rot_.heal(world_.disk(kServerNode));
  }
  const bool was_full = full_life_ == server_.life() && ending.error() == ErrorCode::kNoSpace;
  if (disk_faults() == disk_faults_before_ && !was_full) {
    history_.violate("the server ends, but no fault hit its disk: " + ending.error().to_string());
  }
  coverage_.add(Happened::kFailureStop);
}

void Simulation::last_stop(LastStop stop) {
  if (stop == LastStop::kOrderly) {
    is_asked_to_stop_ = true;
    server_.ask_to_stop();
  } else {
    crash(stop == LastStop::kKill        ? io::CrashMode::kKill
          : stop == LastStop::kPowerLoss ? io::CrashMode::kPowerLoss
                                         : io::CrashMode::kPowerLossDestroyingBlocks);
  }
}

void Simulation::check_everything() {
  const auto next_life = [this, life = server_.life()] { return server_.state() == State::kServing && server_.life() > life; };
  last_stop(plan_.last_stop);
  if (!wait_until(next_life, kStartMax + kStopMax, "the server's return")) return;
  const auto look = [this] {
    // A block's start goes from the segment into the journal, rotten or not, and from there back into the segment. What such
    // a start is served from is memory, which nothing heals: then the log's reader notices, and that has to do.
    rot_.heal(world_.disk(kServerNode));
    io::VirtualReactor& tools = world_.add_reactor(kToolNode, ShardId(server_.life()));
    const bool ended = world_.try_run(tools, audit(stage_, random_.next()), kProgressMax);
    if (!ended) history_.violate("stuck: the last check does not end");
    return !history_.violation().has_value();
  };
  if (!look()) return;
  const auto life_after = [this, life = server_.life()] {
    return server_.state() == State::kServing && server_.life() > life;
  };
  last_stop(LastStop::kOrderly);
  if (!wait_until([this] { return server_.state() == State::kDown; }, kStopMax, "an orderly stop")) return;
  check_files();
  if (!wait_until(life_after, kStartMax + kStopMax, "the server's return from an orderly stop")) return;
  (void)look();
}

void Simulation::check_files() {
  io::VirtualReactor& tools = world_.add_reactor(kToolNode, ShardId(kCheckReactor));
  io::VirtualDisk& copy = world_.disk(kToolNode);
  copy_logs(history_, world_.disk(kServerNode), copy);
  if (!world_.try_run(tools, check_all_files(stage_, copy, random_.next()), kProgressMax)) {
    history_.violate("stuck: the check of the files does not end");
  }
}

void Simulation::count_faults() {
  const io::VirtualDiskFaults& disk = world_.disk(kServerNode).faults();
  coverage_.add(Happened::kSyncFailed, disk.syncs_failed);
  coverage_.add(Happened::kWriteFailed, disk.writes_failed);
  coverage_.add(Happened::kReadFailed, disk.reads_failed);
  coverage_.add(Happened::kDiskFull, disk.writes_refused_full);
  coverage_.add(Happened::kSectorLost, disk.sectors_lost);
  coverage_.add(Happened::kSectorZeroed, disk.sectors_zeroed);
  coverage_.add(Happened::kSectorGarbled, disk.sectors_garbled);
  coverage_.add(Happened::kBlockDestroyed, disk.blocks_destroyed);
  coverage_.add(Happened::kNameUndone, disk.names_undone);
  const io::VirtualNetworkCounters& network = world_.network().counters();
  coverage_.add(Happened::kConnectionReset, network.resets);
  coverage_.add(Happened::kHeldByCut, network.segments_held_by_cuts);
  coverage_.add(Happened::kSegmentLost, network.segments_lost);
}

}  // namespace pyralog::sim
