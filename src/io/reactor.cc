#include "io/reactor.h"

#include <utility>

#include "core/assert.h"

namespace pyralog::io {
namespace {

thread_local Reactor* current_reactor = nullptr;

}  // namespace

void Timer::arm(MonotonicTime deadline) {
  cancel();
  deadline_ = deadline;
  reactor_.timer_add(this);
}

void Timer::arm_after(Duration delay) { arm(reactor_.now() + delay); }

void Timer::cancel() {
  if (armed()) reactor_.timer_remove(this);
}

Reactor::~Reactor() { PYRALOG_ASSERT(timers_.empty(), "a timer outlives its reactor"); }

Reactor& Reactor::current() noexcept {
  PYRALOG_ASSERT(current_reactor != nullptr, "not inside a reactor");
  return *current_reactor;
}

bool Reactor::is_current(const Reactor& reactor) noexcept { return current_reactor == &reactor; }

Reactor::Enter::Enter(Reactor& reactor) noexcept : previous_(std::exchange(current_reactor, &reactor)) {}
Reactor::Enter::~Enter() { current_reactor = previous_; }

void Reactor::post_remote(RemoteWork* work) noexcept {
  RemoteWork* head = remote_.load(std::memory_order_relaxed);
  do {
    work->next = head;
  } while (!remote_.compare_exchange_weak(head, work, std::memory_order_release, std::memory_order_relaxed));
  if (head == nullptr) wake();
}

bool Reactor::run_turn() {
  bool ran = run_timers();
  ran |= run_remote();
  ran |= run_ready();
  return ran;
}

bool Reactor::run_timers() {
  if (timers_.empty()) return false;
  const MonotonicTime until = now();
  const std::uint64_t sequence_end = timer_sequence_;  // what is armed from here on waits for the next turn
  bool ran = false;
  while (!timers_.empty() && timers_.front()->deadline_ <= until && timers_.front()->sequence_ < sequence_end) {
    Timer* timer = timers_.front();
    timer_remove(timer);
    timer->callback_();
    ran = true;
  }
  return ran;
}

bool Reactor::run_remote() {
  RemoteWork* newest = remote_.exchange(nullptr, std::memory_order_acquire);
  if (newest == nullptr) return false;
  RemoteWork* oldest = nullptr;
  while (newest != nullptr) {
    RemoteWork* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    RemoteWork* work = oldest;
    oldest = work->next;  // before run: `work` may be gone after it
    work->run(work);
  }
  return true;
}

bool Reactor::run_ready() {
  if (ready_.empty()) return false;
  running_.swap(ready_);
  for (std::coroutine_handle<> handle : running_) handle.resume();
  running_.clear();
  return true;
}

void Reactor::timer_add(Timer* timer) {
  timer->sequence_ = timer_sequence_++;
  timers_.push_back(timer);
  timer_place(timers_.size() - 1, timer);
  timer_up(timers_.size() - 1);
}

void Reactor::timer_remove(Timer* timer) {
  const std::size_t index = timer->heap_index_;
  timer->heap_index_ = Timer::kNotArmed;
  Timer* last = timers_.back();
  timers_.pop_back();
  if (last == timer) return;
  timer_place(index, last);
  timer_up(index);
  timer_down(last->heap_index_);
}

void Reactor::timer_place(std::size_t index, Timer* timer) {
  timers_[index] = timer;
  timer->heap_index_ = index;
}

bool Reactor::timer_earlier(const Timer* a, const Timer* b) noexcept {
  return a->deadline_ != b->deadline_ ? a->deadline_ < b->deadline_ : a->sequence_ < b->sequence_;
}

void Reactor::timer_up(std::size_t index) {
  Timer* timer = timers_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    Timer* above = timers_[parent];
    if (!timer_earlier(timer, above)) break;
    timer_place(index, above);
    index = parent;
  }
  timer_place(index, timer);
}

void Reactor::timer_down(std::size_t index) {
  Timer* timer = timers_[index];
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child >= timers_.size()) break;
    if (child + 1 < timers_.size() && timer_earlier(timers_[child + 1], timers_[child])) ++child;
    Timer* below = timers_[child];
    if (!timer_earlier(below, timer)) break;
    timer_place(index, below);
    index = child;
  }
  timer_place(index, timer);
}

}  // namespace pyralog::io
