#include "io/virtual_world.h"

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

#include "io/virtual_disk.h"

namespace pyralog::io {
namespace {

// A turn starts this long after its cause, drawn anew each time: shards interleave differently under each seed, and a
// loop that only yields still lets time pass.
constexpr std::uint64_t kTurnDelayNsMax = 2000;
constexpr int kFreshMemory = 0xA5;
constexpr std::uint64_t kUnwindTurnsMax = 1'000'000;

/// What dead nodes leave behind, reachable until the process ends.
struct Graveyard {
  std::mutex mutex;
  std::vector<std::unique_ptr<VirtualReactor>> reactors;
  std::vector<void*> objects;

  static Graveyard& instance() {
    static Graveyard& graveyard = *new Graveyard;
    return graveyard;
  }
};

constexpr std::uint64_t kTraceTurn = 1;
constexpr std::uint64_t kTraceAction = 2;
constexpr std::uint64_t kTraceCrash = 3;

std::uint64_t fold(std::uint64_t hash, std::uint64_t value) noexcept {
  return Random(hash ^ value * 0x9E3779B97F4A7C15ull).next();
}

}  // namespace

VirtualWorld::VirtualWorld(std::uint64_t seed)
    : seeds_(seed),
      scheduling_(seeds_.next()),
      trace_(seed),
      network_(std::make_unique<VirtualNetwork>(*this, seeds_.next())) {
  // Sectors are written whole, with what lies in memory beside a batch: fresh memory must look the same in every run.
  ::mallopt(M_PERTURB, kFreshMemory);
}

VirtualWorld::~VirtualWorld() {
  for (auto& [id, node] : nodes_) {
    const bool finished = std::ranges::all_of(node.reactors, [](const auto& reactor) { return reactor->finished(); });
    if (!finished) bury(id, node, CrashMode::kKill);
  }
}

VirtualReactor& VirtualWorld::add_reactor(NodeId id, ShardId shard) {
  Node& node = node_of(id);
  for (const auto& other : node.reactors) PYRALOG_ASSERT(other->shard() != shard, "the node has this shard already");
  const std::uint32_t index = reactor_count_++;
  node.reactors.push_back(std::make_unique<VirtualReactor>(*this, id, shard, index, fork_seed()));
  VirtualReactor& reactor = *node.reactors.back();
  reactor.incarnation_ = node.incarnation;
  reactor.wall_offset_ = node.wall_offset;
  reactor.paused_ = node.paused;
  reactor.disk_ = disk(id).door(reactor);
  reactor.network_ = network_->door(reactor);
  return reactor;
}

VirtualDisk& VirtualWorld::disk(NodeId id) {
  Node& node = node_of(id);
  if (node.disk == nullptr) node.disk = std::make_unique<VirtualDisk>(*this, id, fork_seed());
  return *node.disk;
}

void VirtualWorld::start(VirtualReactor& reactor, Task<> task) {
  PYRALOG_ASSERT(reactor.alive(), "starting a task on a dead node");
  reactor.start(std::move(task));
}

bool VirtualWorld::try_run(VirtualReactor& reactor, Task<> task, Duration bound) {
  return run_root(reactor, std::move(task), bound, nullptr);
}

bool VirtualWorld::run_root(VirtualReactor& reactor, Task<> task, Duration bound, std::string_view* why) {
  struct Mark {
    static Task<> end(Task<> inner, std::shared_ptr<bool> ended) {
      co_await std::move(inner);
      *ended = true;
    }
  };
  auto ended = std::make_shared<bool>(false);
  start(reactor, Mark::end(std::move(task), ended));
  const RunEnd end = run_until([&] { return *ended || !reactor.alive(); }, now_ + bound);
  if (why != nullptr) {
    *why = end == RunEnd::kIdle       ? "nothing can happen any more, but the task has not ended (deadlock)"
           : end == RunEnd::kTimedOut ? "the task has not ended within its bound of virtual time"
                                      : "the node crashed before the task ended";
  }
  return *ended;
}

void VirtualWorld::run_failed(std::string_view why) {
  std::fprintf(stderr, "VirtualWorld::run: %.*s\n", static_cast<int>(why.size()), why.data());
  std::fflush(stderr);
  std::abort();
}

RunEnd VirtualWorld::run_until(const std::function<bool()>& done, MonotonicTime deadline) {
  PYRALOG_ASSERT(!stepping_, "the world is stepped from within one of its events");
  run_requested_crashes();
  notice_posts();
  for (;;) {
    if (done()) return RunEnd::kDone;
    if (events_.empty()) return RunEnd::kIdle;
    if (events_.front().time > deadline) {
      now_ = std::max(now_, deadline);
      return RunEnd::kTimedOut;
    }
    step();
  }
}

void VirtualWorld::run_for(Duration span) {
  const MonotonicTime deadline = now_ + span;
  (void)run_until([] { return false; }, deadline);
  now_ = deadline;
}

RunEnd VirtualWorld::run_until_idle(Duration bound) { return run_until([] { return false; }, now_ + bound); }

bool VirtualWorld::step() {
  if (events_.empty()) return false;
  std::ranges::pop_heap(events_, [](const Event& a, const Event& b) {
    return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
  });
  Event event = std::move(events_.back());
  events_.pop_back();
  if (event.reactor != nullptr && (event.reactor->turn_ != event.turn || !event.reactor->alive())) return true;
  now_ = std::max(now_, event.time);
  stepping_ = true;
  if (event.reactor != nullptr) {
    run_turn(*event.reactor);
  } else {
    trace(kTraceAction);
    event.action();
  }
  stepping_ = false;
  run_requested_crashes();
  return true;
}

void VirtualWorld::run_turn(VirtualReactor& reactor) {
  reactor.turn_time_ = MonotonicTime::max();
  ++reactor.turn_;
  if (reactor.paused_) return;
  trace(kTraceTurn, reactor.index());
  reactor.enter([&] { reactor.run_turn(); });
  check_neighbours(reactor);
  if (!reactor.idle()) {
    schedule_turn(reactor);
  } else if (reactor.has_timer()) {
    turn_at(reactor, std::max(reactor.next_deadline(), now_ + Duration(1)));
  }
}

/// A shard that makes work ready on another one without waking it would be a race between threads in a real process.
void VirtualWorld::check_neighbours(const VirtualReactor& ran) {
  if (!ran.alive()) return;  // it crashed in this turn
  for (const auto& other : node_of(ran.node_).reactors) {
    if (other.get() == &ran || other->idle() || other->paused_) continue;
    PYRALOG_ASSERT(other->turn_time_ <= now_ + Duration(kTurnDelayNsMax), "a shard posted to another shard's loop");
  }
}

void VirtualWorld::push(MonotonicTime time, VirtualReactor* reactor, std::uint64_t turn,
                        std::move_only_function<void()> action) {
  events_.push_back(Event{.time = time,
                          .sequence = event_sequence_++,
                          .reactor = reactor,
                          .turn = turn,
                          .action = std::move(action)});
  std::ranges::push_heap(events_, [](const Event& a, const Event& b) {
    return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
  });
}

void VirtualWorld::schedule(Duration delay, std::move_only_function<void()> action) {
  push(now_ + delay, nullptr, 0, std::move(action));
}

void VirtualWorld::after(Duration delay, std::function<void()> action) {
  schedule(delay, [this, action = std::move(action)] {
    stepping_ = false;  // no code of a node is on the stack: what the action does to nodes takes effect at once
    action();
    stepping_ = true;
    notice_posts();
  });
}

void VirtualWorld::schedule_turn(VirtualReactor& reactor) {
  if (reactor.turn_time_ <= now_ + Duration(kTurnDelayNsMax)) return;
  turn_at(reactor, now_ + Duration(scheduling_.between(1, kTurnDelayNsMax)));
}

void VirtualWorld::turn_at(VirtualReactor& reactor, MonotonicTime time) {
  if (reactor.paused_ || reactor.turn_time_ <= time) return;
  reactor.turn_time_ = time;
  push(time, &reactor, ++reactor.turn_, {});
}

void VirtualWorld::notice_posts() {
  for (auto& [id, node] : nodes_) {
    for (auto& reactor : node.reactors) {
      if (!reactor->idle()) {
        schedule_turn(*reactor);
      } else if (reactor->has_timer()) {
        turn_at(*reactor, std::max(reactor->next_deadline(), now_));
      }
    }
  }
}

void VirtualWorld::crash(NodeId id, CrashMode mode) {
  Node& node = node_of(id);
  if (!node.crash_requested.has_value()) node.crash_requested = mode;
  for (auto& reactor : node.reactors) reactor->state_ = VirtualReactor::State::kCrashing;
  crash_requested_ = true;
  if (!stepping_) run_requested_crashes();
}

void VirtualWorld::run_requested_crashes() {
  if (!std::exchange(crash_requested_, false)) return;
  for (auto& [id, node] : nodes_) {
    if (node.crash_requested.has_value()) bury(id, node, *std::exchange(node.crash_requested, std::nullopt));
  }
}

void VirtualWorld::bury(NodeId id, Node& node, CrashMode mode) {
  trace(kTraceCrash, static_cast<std::uint64_t>(id.value), static_cast<std::uint64_t>(mode));
  for (auto& reactor : node.reactors) {
    reactor->state_ = VirtualReactor::State::kDead;
    reactor->dead_time_ = now_;
    // Its free memory is not part of what a crash abandons; the first trim only marks what lies free.
    reactor->chunks().trim();
    reactor->chunks().trim();
    dead_.push_back(reactor.get());
  }
  disk(id).crash(mode);
  network_->crash(id, mode);
  Graveyard& graveyard = Graveyard::instance();
  const std::scoped_lock lock(graveyard.mutex);
  for (auto& reactor : node.reactors) graveyard.reactors.push_back(std::move(reactor));
  node.reactors.clear();
  ++node.incarnation;
}

void VirtualWorld::bury_object(void* object) {
  Graveyard& graveyard = Graveyard::instance();
  const std::scoped_lock lock(graveyard.mutex);
  graveyard.objects.push_back(object);
}

bool VirtualWorld::unwind(VirtualReactor& dead, Task<> task) {
  PYRALOG_ASSERT(dead.state_ == VirtualReactor::State::kDead, "unwinding a living node");
  std::vector<VirtualReactor*> process;
  for (VirtualReactor* other : dead_) {
    if (other->node_ == dead.node_ && other->incarnation_ == dead.incarnation_) process.push_back(other);
  }
  const std::size_t roots_before = dead.roots_.size();
  dead.start(std::move(task));
  const std::coroutine_handle<> root = dead.roots_[roots_before];
  for (std::uint64_t turns = 0; turns < kUnwindTurnsMax; ++turns) {
    bool ran = false;
    for (VirtualReactor* reactor : process) reactor->enter([&] { ran |= reactor->run_turn(); });
    if (std::ranges::find(dead.roots_, root) == dead.roots_.end()) return true;
    if (ran) continue;
    MonotonicTime next = MonotonicTime::max();
    for (VirtualReactor* reactor : process) {
      if (reactor->has_timer()) next = std::min(next, reactor->next_deadline());
    }
    if (next == MonotonicTime::max()) return false;
    for (VirtualReactor* reactor : process) reactor->dead_time_ = std::max(reactor->dead_time_, next);
  }
  return false;
}

void VirtualWorld::pause(NodeId id) {
  Node& node = node_of(id);
  node.paused = true;
  for (auto& reactor : node.reactors) reactor->paused_ = true;
}

void VirtualWorld::resume(NodeId id) {
  Node& node = node_of(id);
  node.paused = false;
  for (auto& reactor : node.reactors) reactor->paused_ = false;
  notice_posts();
}

void VirtualWorld::jump_wall_clock(NodeId id, std::chrono::milliseconds by) {
  Node& node = node_of(id);
  node.wall_offset += by;
  for (auto& reactor : node.reactors) reactor->wall_offset_ = node.wall_offset;
}

void VirtualWorld::trace(std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept {
  trace_ = fold(trace_, static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  trace_ = fold(trace_, a);
  trace_ = fold(trace_, b);
  trace_ = fold(trace_, c);
  if (trace_watcher_) trace_watcher_({.time = now_, .kind = a, .first = b, .second = c});
}

}  // namespace pyralog::io
