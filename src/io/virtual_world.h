#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "io/virtual_disk.h"
#include "io/virtual_network.h"
#include "io/virtual_reactor.h"

namespace pyralog::io {

enum class RunEnd : std::uint8_t { kDone, kIdle, kTimedOut };

/// Everything outside of the code under test, simulated from one seed: clocks, the order of events, disks, the network.
/// Any number of reactors of any number of nodes run production code on one thread; equal seeds and equal calls give
/// equal traces.
///
///     VirtualWorld world(seed);
///     VirtualReactor& reactor = world.add_reactor(NodeId(1), ShardId(0));
///     const auto opened = world.run(reactor, open_journal(reactor));   // steps the world until the task ends
///     world.crash(NodeId(1), CrashMode::kPowerLoss);                   // `reactor` is dead, the disk survives
///     VirtualReactor& next = world.add_reactor(NodeId(1), ShardId(0)); // the node's next life
///
/// A crash runs no destructors, as kill -9 does not: suspended coroutines and what they own are set aside until the
/// process of the test ends (reachable, so not reported as leaks). What the test itself owns of the dead node goes to
/// `abandon`, or is closed in an orderly manner with `unwind`. Tests of many seeds free that memory by running batches in
/// child processes (`failing_seeds`, io/virtual_seeds.h).
class VirtualWorld {
 public:
  static constexpr Duration kRunBound = std::chrono::hours(1);

  explicit VirtualWorld(std::uint64_t seed);
  VirtualWorld(const VirtualWorld&) = delete;
  ~VirtualWorld();

  /// A shard of `node`'s process, alive until the node crashes.
  VirtualReactor& add_reactor(NodeId node, ShardId shard);

  /// The node's disk, made empty at first use; it survives the node's processes.
  VirtualDisk& disk(NodeId node);

  /// The network between all nodes.
  VirtualNetwork& network() noexcept { return *network_; }

  /// Starts `task` on `reactor` and steps the world until it ends. It is a failure of the test (the program ends with a
  /// message) if the node crashes, nothing can happen any more, or `bound` passes.
  template <class T>
  T run(VirtualReactor& reactor, Task<T> task, Duration bound = kRunBound);

  /// The same, but nothing (Task<>: false) when the task has not ended.
  template <class T>
  std::optional<T> try_run(VirtualReactor& reactor, Task<T> task, Duration bound = kRunBound);
  bool try_run(VirtualReactor& reactor, Task<> task, Duration bound = kRunBound);

  /// Starts `task` in the reactor's next turn and leaves it to later runs.
  void start(VirtualReactor& reactor, Task<> task);

  /// Steps until `done()` holds (asked after each event), nothing can happen any more, or `deadline` passes; in the last
  /// case the clock stands at the deadline.
  RunEnd run_until(const std::function<bool()>& done, MonotonicTime deadline);
  void run_for(Duration span);
  /// Until no event is left. A periodic timer never lets a world become idle.
  RunEnd run_until_idle(Duration bound = kRunBound);
  /// One event; false if there is none.
  bool step();

  MonotonicTime now() const noexcept { return now_; }
  /// Calls `action` at `now() + delay`, outside of every reactor.
  void after(Duration delay, std::function<void()> action);

  /// Ends the node's process. Called from within it, this takes effect when the running turn ends; from the call on, the
  /// process can no longer touch the outside.
  void crash(NodeId node, CrashMode mode);
  /// How often the node crashed.
  std::uint64_t crash_count(NodeId node) { return node_of(node).incarnation; }

  /// SIGSTOP and SIGCONT.
  void pause(NodeId node);
  void resume(NodeId node);
  void jump_wall_clock(NodeId node, std::chrono::milliseconds by);

  /// Sets an object of a crashed node aside without destroying it.
  template <class T>
  static void abandon(std::unique_ptr<T> object) {
    if (object != nullptr) bury_object(object.release());
  }

  /// Runs `task` (say, `server.close()`) on a crashed node's reactor, cut off from the world: operations fail with kIo,
  /// time passes only there. True if it ended; then the objects that it closed can be destroyed, and their memory is free.
  bool unwind(VirtualReactor& dead, Task<> task);

  /// Folds every event so far: which reactor, what, when, with which bytes.
  std::uint64_t trace_hash() const noexcept { return trace_; }
  /// One folded event: its time, what it was and two facts about it.
  struct TraceEvent {
    MonotonicTime time;
    std::uint64_t kind, first, second;
    friend bool operator==(const TraceEvent&, const TraceEvent&) = default;
  };
  /// Called with every event from now on, for finding where two runs part.
  void watch_trace(std::function<void(const TraceEvent&)> watcher) { trace_watcher_ = std::move(watcher); }

  // For the parts of the simulation.
  void trace(std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0) noexcept;
  void schedule(Duration delay, std::move_only_function<void()> action);
  void schedule_turn(VirtualReactor& reactor);
  std::uint64_t fork_seed() noexcept { return seeds_.next(); }

 private:
  struct Event {
    MonotonicTime time;
    std::uint64_t sequence;  // equal times run in the order of scheduling
    VirtualReactor* reactor;  // whose turn it is, or null
    std::uint64_t turn;
    std::move_only_function<void()> action;
  };
  struct Node {
    std::unique_ptr<VirtualDisk> disk;
    std::vector<std::unique_ptr<VirtualReactor>> reactors;
    std::optional<CrashMode> crash_requested;
    std::uint64_t incarnation = 0;
    std::chrono::milliseconds wall_offset{0};
    bool paused = false;
  };

  Node& node_of(NodeId node) { return nodes_[node]; }
  void push(MonotonicTime time, VirtualReactor* reactor, std::uint64_t turn, std::move_only_function<void()> action);
  void turn_at(VirtualReactor& reactor, MonotonicTime time);
  void run_turn(VirtualReactor& reactor);
  void check_neighbours(const VirtualReactor& ran);
  void notice_posts();
  void run_requested_crashes();
  void bury(NodeId id, Node& node, CrashMode mode);
  bool run_root(VirtualReactor& reactor, Task<> task, Duration bound, std::string_view* why);
  static void bury_object(void* object);
  [[noreturn]] static void run_failed(std::string_view why);

  Random seeds_;
  Random scheduling_;
  MonotonicTime now_{};
  std::vector<Event> events_;  // binary heap, earliest first
  std::uint64_t event_sequence_ = 0;
  std::uint64_t trace_;
  std::function<void(const TraceEvent&)> trace_watcher_;
  std::unique_ptr<VirtualNetwork> network_;
  std::map<NodeId, Node> nodes_;
  std::vector<VirtualReactor*> dead_;
  std::uint32_t reactor_count_ = 0;
  bool stepping_ = false;
  bool crash_requested_ = false;
};

namespace detail {

template <class T>
Task<> store_result(Task<T> task, std::shared_ptr<std::optional<T>> into) {
  into->emplace(co_await std::move(task));
}

}  // namespace detail

template <class T>
T VirtualWorld::run(VirtualReactor& reactor, Task<T> task, Duration bound) {
  std::string_view why;
  if constexpr (std::is_void_v<T>) {
    if (!run_root(reactor, std::move(task), bound, &why)) run_failed(why);
  } else {
    auto value = std::make_shared<std::optional<T>>();
    if (!run_root(reactor, detail::store_result(std::move(task), value), bound, &why)) run_failed(why);
    return std::move(**value);
  }
}

template <class T>
std::optional<T> VirtualWorld::try_run(VirtualReactor& reactor, Task<T> task, Duration bound) {
  auto value = std::make_shared<std::optional<T>>();
  if (!run_root(reactor, detail::store_result(std::move(task), value), bound, nullptr)) return std::nullopt;
  return std::move(*value);
}

}  // namespace pyralog::io
