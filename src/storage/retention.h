#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/ids.h"
#include "core/time.h"
#include "storage/log_settings.h"

/// Which segments a log may forget. Decisions only: no clock, no files.
namespace pyralog::storage {

/// How far ahead of this node's clock a client's timestamp may lie and still be believed when a segment's age is judged.
inline constexpr std::int64_t kTimestampAheadMsMax = 60 * 60 * 1000;

/// A sealed segment.
struct RetentionCandidate {
  Offset end;                    ///< exclusive
  std::uint64_t bytes = 0;
  WallTime max_timestamp;        ///< of its records; negative: none
  WallTime appended_at;          ///< of its last batch, by this node's clock
};

struct RetentionState {
  std::span<const RetentionCandidate> sealed;  ///< oldest first
  std::uint64_t active_bytes = 0;
  Offset start;           ///< first offset that may be read
  Offset high_watermark;  ///< what is not committed is never deleted
};

/// When a segment counts as written: its newest record's time, unless a client's clock was beyond this node's or unset.
WallTime segment_age_time(const RetentionCandidate& segment, WallTime now) noexcept;

/// How many of the oldest sealed segments to delete: those wholly below the start, then by time and by size. `now` is absent
/// while the clock is not to be trusted; then nothing is deleted by time.
std::size_t segments_to_delete(const RetentionState& state, const LogSettings& settings, std::optional<WallTime> now);

/// Watches the wall clock against the monotonic one, so that a clock that jumps ahead does not make everything look old.
/// One per node or shard, asked at each retention pass.
class ClockGuard {
 public:
  /// A difference between the two clocks' progress since the last call that counts as a jump.
  static constexpr Duration kJumpMin = std::chrono::minutes(10);
  /// After a jump, how long the clock must run steadily until it is believed again.
  static constexpr Duration kSteadyMin = std::chrono::hours(1);

  /// The wall time, if it may be used to delete.
  std::optional<WallTime> observe(WallTime wall, MonotonicTime monotonic) noexcept;

 private:
  struct Reading {
    WallTime wall;
    MonotonicTime monotonic;
  };
  std::optional<Reading> last_;
  std::optional<MonotonicTime> jumped_at_;
};

}  // namespace pyralog::storage
