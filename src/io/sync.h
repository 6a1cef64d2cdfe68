#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "core/result.h"
#include "io/reactor.h"
#include "io/task.h"

/// Waiting between coroutines of one shard. Nothing here is for two threads. A woken coroutine runs in a later turn of
/// its loop, never inside the caller of `notify`, so a waker's state cannot change under its feet.
namespace pyralog::io {

enum class WaitOutcome : std::uint8_t { kWoken, kTimedOut, kAborted };

class AbortSource;

/// Coroutines that wait for one event. First come, first woken.
class WaitList {
 public:
  WaitList() = default;
  WaitList(const WaitList&) = delete;
  ~WaitList() { PYRALOG_ASSERT(head_ == nullptr, "a coroutine waits on a destroyed list"); }

  class [[nodiscard]] Wait {
   public:
    Wait(WaitList& list, std::optional<MonotonicTime> deadline, AbortSource* abort, std::uint64_t threshold = 0)
        : list_(list), abort_(abort), deadline_(deadline), threshold_(threshold) {}
    Wait(const Wait&) = delete;
    bool await_ready() noexcept;
    void await_suspend(std::coroutine_handle<> handle);
    WaitOutcome await_resume() noexcept { return outcome_; }

   private:
    friend class WaitList;
    friend class AbortSource;
    void finish(WaitOutcome outcome);

    WaitList& list_;
    AbortSource* abort_;
    Wait *previous_ = nullptr, *next_ = nullptr;              // in list_
    Wait *abort_previous_ = nullptr, *abort_next_ = nullptr;  // in abort_
    std::coroutine_handle<> handle_;
    Reactor* reactor_ = nullptr;
    std::optional<MonotonicTime> deadline_;
    std::uint64_t threshold_;
    std::optional<Timer> timer_;
    WaitOutcome outcome_ = WaitOutcome::kWoken;
  };

  Wait wait() { return Wait(*this, std::nullopt, nullptr); }
  Wait wait(AbortSource& abort) { return Wait(*this, std::nullopt, &abort); }
  Wait wait_until(MonotonicTime deadline) { return Wait(*this, deadline, nullptr); }
  Wait wait_until(MonotonicTime deadline, AbortSource& abort) { return Wait(*this, deadline, &abort); }
  /// For a list where all wait for a growing number: until it has reached `threshold`. Cheap where thresholds mostly grow.
  Wait wait_reached(std::uint64_t threshold, MonotonicTime deadline, AbortSource& abort) {
    return Wait(*this, deadline, &abort, threshold);
  }

  void notify_one() {
    if (head_ != nullptr) head_->finish(WaitOutcome::kWoken);
  }
  void notify_all() {
    while (head_ != nullptr) head_->finish(WaitOutcome::kWoken);
  }
  /// Wakes those whose threshold is at most `value`, lowest first.
  void notify_reached(std::uint64_t value) {
    while (head_ != nullptr && head_->threshold_ <= value) head_->finish(WaitOutcome::kWoken);
  }
  bool empty() const noexcept { return head_ == nullptr; }

 private:
  Wait *head_ = nullptr, *tail_ = nullptr;
};

/// Asks for an end: waits that were given this source return kAborted, now and later. Outlives its waits.
class AbortSource {
 public:
  AbortSource() = default;
  AbortSource(const AbortSource&) = delete;
  ~AbortSource() { PYRALOG_ASSERT(head_ == nullptr, "a coroutine waits on a destroyed abort source"); }

  void abort() {
    aborted_ = true;
    while (head_ != nullptr) head_->finish(WaitOutcome::kAborted);
  }
  bool aborted() const noexcept { return aborted_; }

 private:
  friend class WaitList::Wait;
  WaitList::Wait* head_ = nullptr;
  bool aborted_ = false;
};

/// Waits for `delay` on the current shard. kTimedOut when it has passed, kAborted when asked to end.
Task<WaitOutcome> sleep_for(Duration delay, AbortSource& abort);

/// A value that one side sets once and one coroutine awaits.
template <class T>
class OneShot {
 public:
  void set(T value) {
    value_.emplace(std::move(value));
    waiters_.notify_all();
  }
  bool is_set() const noexcept { return value_.has_value(); }
  Task<T> take() {
    while (!value_.has_value()) co_await waiters_.wait();
    co_return std::move(*value_);
  }

 private:
  std::optional<T> value_;
  WaitList waiters_;
};

/// Counted units (bytes of a budget, places in a queue). Strictly first come, first served: a large request is never
/// overtaken by small ones.
class Semaphore {
 public:
  explicit Semaphore(std::uint64_t units) : available_(units) {}

  std::uint64_t available() const noexcept { return available_; }
  /// True if somebody waits.
  bool contended() const noexcept { return !pending_.empty(); }
  bool try_acquire(std::uint64_t units) noexcept {
    if (!pending_.empty() || available_ < units) return false;
    available_ -= units;
    return true;
  }
  /// Takes `units`, which must not exceed what the semaphore was made with. kAborted takes nothing.
  Task<WaitOutcome> acquire(std::uint64_t units, AbortSource& abort);
  void release(std::uint64_t units);

 private:
  struct Pending {
    std::uint64_t units;
    bool granted = false;
    WaitList waiting;
  };
  void grant();

  std::uint64_t available_;
  std::deque<Pending*> pending_;
};

}  // namespace pyralog::io
