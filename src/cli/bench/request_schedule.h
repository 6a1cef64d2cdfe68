#pragma once

#include <cstdint>
#include <limits>

#include "core/time.h"

namespace pyralog::cli {

/// When each request of an open loop is due. Latency counts from then, so that a server which stalls is charged for every
/// request that it kept waiting, sent or not. Without a rate each request is due when it is taken (closed loop).
class RequestSchedule {
 public:
  /// `end`: requests due from then on are not sent. `requests_max` 0: no other bound.
  struct Options {
    double requests_per_second = 0;
    MonotonicTime start;
    MonotonicTime end;
    std::uint64_t requests_max = 0;
  };
  explicit RequestSchedule(Options options) noexcept : options_(options) {}

  bool is_open_loop() const noexcept { return options_.requests_per_second > 0; }
  std::uint64_t taken() const noexcept { return taken_; }

  /// When the next request is due; the maximum when there is none.
  MonotonicTime next(MonotonicTime now) const noexcept {
    if (options_.requests_max != 0 && taken_ >= options_.requests_max) return MonotonicTime::max();
    const MonotonicTime due = is_open_loop() ? due_at(taken_) : now;
    return due < options_.end ? due : MonotonicTime::max();
  }
  void take() noexcept { ++taken_; }

  /// Requests that were due by `now` and are not taken.
  std::uint64_t behind(MonotonicTime now) const noexcept {
    if (!is_open_loop()) return 0;
    const MonotonicTime last = now < options_.end ? now : options_.end;
    const double elapsed = std::chrono::duration<double>(last - options_.start).count();
    auto due = elapsed <= 0 ? 0 : static_cast<std::uint64_t>(elapsed * options_.requests_per_second);
    if (options_.requests_max != 0 && due > options_.requests_max) due = options_.requests_max;
    return due > taken_ ? due - taken_ : 0;
  }

 private:
  MonotonicTime due_at(std::uint64_t index) const noexcept {
    const double ns = static_cast<double>(index) * 1e9 / options_.requests_per_second;
    return options_.start + Duration(static_cast<Duration::rep>(ns));
  }

  Options options_;
  std::uint64_t taken_ = 0;
};

}  // namespace pyralog::cli
