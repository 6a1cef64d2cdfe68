#pragma once

#include <algorithm>
#include <cstddef>

#include "core/time.h"

namespace pyralog::server {

/// Spaces events out to a number per second, with bursts of up to a second's worth after a quiet time. Reads no clock.
class RateLimit {
 public:
  explicit RateLimit(std::size_t per_second)
      : interval_(Duration(std::chrono::seconds(1)) / static_cast<Duration::rep>(std::max<std::size_t>(per_second, 1))) {}

  /// How long the next event has to wait. It is counted as happening then, so wait, or do not call.
  Duration take(MonotonicTime now) noexcept {
    const Duration wait = wait_at(now);
    next_ = std::max(next_, now) + interval_;
    return wait;
  }

  /// Counts an event if it need not wait.
  bool try_take(MonotonicTime now) noexcept {
    if (wait_at(now) > Duration::zero()) return false;
    take(now);
    return true;
  }

 private:
  static constexpr Duration kBurst = std::chrono::seconds(1);

  Duration wait_at(MonotonicTime now) const noexcept {
    return std::max(next_ + interval_ - kBurst - now, Duration::zero());
  }

  Duration interval_;
  MonotonicTime next_{};  // when the next event would be due if all had been evenly spaced
};

}  // namespace pyralog::server
