#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "io/reactor.h"
#include "io/task.h"

namespace pyralog::io {

class AbortSource;
class VirtualWorld;

/// A simulated shard: the event loop of one process of one node, stepped by its world. After a crash of its node it stays
/// in memory, never runs again, and its disk and network refuse everything.
class VirtualReactor final : public Reactor {
 public:
  VirtualReactor(VirtualWorld& world, NodeId node, ShardId shard, std::uint32_t index, std::uint64_t seed);
  ~VirtualReactor() override;

  NodeId node() const noexcept { return node_; }
  bool alive() const noexcept { return state_ == State::kRunning; }

  MonotonicTime now() const noexcept override;
  WallTime wall_now() const noexcept override;
  Disk& disk() noexcept override;
  Network& network() noexcept override;

  /// Runs a plain function as code of this reactor (`Reactor::current()` is this one), now.
  template <class Function>
  auto enter(Function&& function) {
    Enter scope(*this);
    return std::forward<Function>(function)();
  }

  // For the parts of the simulation.
  /// A coroutine of this reactor waits for something outside of it, until `complete`.
  void wait_begins() noexcept { ++waits_; }
  /// Resumes a coroutine whose wait ended. On a dead reactor it is only kept.
  void complete(std::coroutine_handle<> handle);
  /// Ends waits of this reactor's coroutines. On a dead reactor they stay as they are.
  void end_waits(AbortSource& source);
  VirtualWorld& world() noexcept { return world_; }
  std::uint32_t index() const noexcept { return index_; }

 protected:
  void wake() noexcept override;

 private:
  friend class VirtualWorld;
  enum class State : std::uint8_t { kRunning, kCrashing, kDead };

  /// A coroutine that the world started; remembered so that it stays reachable when it is never resumed.
  struct Root {
    struct promise_type {
      VirtualReactor* reactor = nullptr;
      Root get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
      std::suspend_always initial_suspend() const noexcept { return {}; }
      std::suspend_never final_suspend() noexcept;
      void return_void() const noexcept {}
      void unhandled_exception() const noexcept { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
  };
  static Root run_root(Task<> task);
  void start(Task<> task);

  /// Nothing of it can run or be waiting for the world, so that it can be destroyed.
  bool finished() const noexcept { return idle() && !has_timer() && roots_.empty() && waits_ == 0; }

  VirtualWorld& world_;
  NodeId node_;
  std::uint32_t index_;
  State state_ = State::kRunning;
  bool paused_ = false;
  std::uint64_t incarnation_ = 0;
  std::uint64_t waits_ = 0;
  MonotonicTime dead_time_{};  // its own clock once it is dead
  std::chrono::milliseconds wall_offset_{0};
  std::uint64_t turn_ = 0;  // names the turn that is scheduled; an event of another one is stale
  MonotonicTime turn_time_ = MonotonicTime::max();
  std::vector<std::coroutine_handle<>> roots_;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<Network> network_;
};

}  // namespace pyralog::io
