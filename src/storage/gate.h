#pragma once

#include <utility>

#include "io/sync.h"
#include "io/task.h"

namespace pyralog::storage {

/// Lets one coroutine of a shard through at a time. First come, first served.
class Gate {
 public:
  /// Held while inside; leaves on destruction.
  class [[nodiscard]] Pass {
   public:
    explicit Pass(Gate& gate) noexcept : gate_(&gate) {}
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_ != nullptr) gate_->leave();
    }

   private:
    Gate* gate_;
  };

  io::Task<Pass> enter() {
    // A leaver hands the gate to the first who waits, so that nobody slips in between.
    if (std::exchange(held_, true)) co_await waiting_.wait();
    co_return Pass(*this);
  }
  bool held() const noexcept { return held_; }

 private:
  void leave() {
    if (waiting_.empty()) {
      held_ = false;
    } else {
      waiting_.notify_one();
    }
  }

  io::WaitList waiting_;
  bool held_ = false;
};

}  // namespace pyralog::storage
