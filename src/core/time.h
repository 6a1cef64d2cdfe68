#pragma once

#include <chrono>
#include <cstdint>

namespace pyralog {

using Duration = std::chrono::nanoseconds;

/// Tag of the process's monotonic time; only `io/` reads it (real or virtual).
struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
using MonotonicTime = MonotonicClock::time_point;

/// Wall time in milliseconds since 1970-01-01 UTC, as Kafka's timestamps. Never used for a safety decision.
struct WallTime {
  std::int64_t ms{};
  friend constexpr auto operator<=>(WallTime, WallTime) = default;
};

}  // namespace pyralog
