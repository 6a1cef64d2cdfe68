#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/ids.h"
#include "core/random.h"
#include "core/time.h"
#include "io/chunk_pool.h"
#include "io/counters.h"

namespace pyralog::io {

class Disk;
class Network;
class Reactor;

/// A deadline on one shard. Not movable; cancels itself when destroyed. The callback runs on the timer's shard, at or
/// after the deadline; it may re-arm its timer, and must not destroy it (post a coroutine that does).
class Timer {
 public:
  using Callback = std::move_only_function<void()>;

  Timer(Reactor& reactor, Callback callback) : reactor_(reactor), callback_(std::move(callback)) {}
  Timer(const Timer&) = delete;
  ~Timer() { cancel(); }

  void arm(MonotonicTime deadline);
  void arm_after(Duration delay);
  void cancel();
  bool armed() const noexcept { return heap_index_ != kNotArmed; }

 private:
  friend class Reactor;
  static constexpr std::size_t kNotArmed = SIZE_MAX;

  Reactor& reactor_;
  Callback callback_;
  MonotonicTime deadline_{};
  std::uint64_t sequence_ = 0;  // equal deadlines fire in the order in which they were armed
  std::size_t heap_index_ = kNotArmed;
};

/// Work sent to another shard. Lives in the sender (usually a coroutine frame) until `run` has been called.
struct RemoteWork {
  RemoteWork* next = nullptr;
  void (*run)(RemoteWork*) noexcept = nullptr;
};

/// Helper threads come in lanes, so that slow work of one kind does not hold up another kind.
enum class Lane : std::uint8_t {
  kFiles,    ///< open, rename, zero, list ...
  kSync,     ///< writes and syncs, where io_uring is not in use
  kNames,    ///< host names
  kCompute,  ///< long computations
};
inline constexpr std::size_t kLanes = 4;

/// A shard's event loop: its run queue, timers and doors to the world. One thread at a time runs it; everything but
/// `post_remote` is for that thread only. Two kinds exist: the real one (epoll and io_uring) and the virtual one, where a
/// simulator steps many reactors in virtual time; code above `io/` cannot tell them apart.
class Reactor {
 public:
  /// The reactor that runs the calling code. It is a bug to call this outside of one.
  static Reactor& current() noexcept;
  static bool is_current(const Reactor& reactor) noexcept;

  virtual ~Reactor();
  Reactor(const Reactor&) = delete;

  ShardId shard() const noexcept { return shard_; }
  virtual MonotonicTime now() const noexcept = 0;
  virtual WallTime wall_now() const noexcept = 0;
  virtual Disk& disk() noexcept = 0;
  virtual Network& network() noexcept = 0;

  /// Seeded per reactor; the only source of randomness above `io/`.
  Random& random() noexcept { return random_; }

  /// Resumes `handle` in a later turn of this loop, in order of posting.
  void post(std::coroutine_handle<> handle) { ready_.push_back(handle); }

  /// Runs `work->run` on this reactor's thread. The only member that other threads may call. Order is kept per sender.
  void post_remote(RemoteWork* work) noexcept;

  /// Runs `work->run` on a helper thread of `lane`; a virtual reactor runs it in place. `run_blocking` (io/blocking.h) is
  /// the convenient form.
  virtual void offload(RemoteWork* work, Lane lane) noexcept {
    (void)lane;
    work->run(work);
  }

  IoCounters& counters() noexcept { return counters_; }

  /// Memory for what this shard receives.
  ChunkPool& chunks() noexcept { return chunks_; }

  /// co_await reactor.yield(): lets everything else that is ready run first.
  auto yield() noexcept {
    struct Awaiter {
      Reactor& reactor;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> handle) const { reactor.post(handle); }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }

 protected:
  Reactor(ShardId shard, std::uint64_t seed) : random_(seed), shard_(shard) {}

  /// Makes the loop look at its remote queue soon. Called by any thread, after the queue went from empty to not empty.
  virtual void wake() noexcept = 0;

  /// Runs due timers, remote work, then what was ready when called. True if anything ran.
  bool run_turn();
  bool idle() const noexcept { return ready_.empty() && remote_.load(std::memory_order_acquire) == nullptr; }
  bool has_timer() const noexcept { return !timers_.empty(); }
  MonotonicTime next_deadline() const noexcept { return timers_.front()->deadline_; }

  /// Marks the calling thread as running this reactor; restored at the end of its scope.
  class Enter {
   public:
    explicit Enter(Reactor& reactor) noexcept;
    ~Enter();

   private:
    Reactor* previous_;
  };

 private:
  friend class Timer;
  static bool timer_earlier(const Timer* a, const Timer* b) noexcept;
  void timer_add(Timer* timer);
  void timer_remove(Timer* timer);
  void timer_place(std::size_t index, Timer* timer);
  void timer_up(std::size_t index);
  void timer_down(std::size_t index);
  bool run_timers();
  bool run_remote();
  bool run_ready();

  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> running_;
  std::vector<Timer*> timers_;  // binary min-heap by (deadline, sequence)
  std::uint64_t timer_sequence_ = 0;
  std::atomic<RemoteWork*> remote_{nullptr};  // newest first
  Random random_;
  IoCounters counters_;
  ChunkPool chunks_;
  ShardId shard_;
};

}  // namespace pyralog::io
