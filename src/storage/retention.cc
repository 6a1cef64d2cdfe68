#include "storage/retention.h"

#include <algorithm>

namespace pyralog::storage {
namespace {

bool is_old(const RetentionCandidate& segment, const LogSettings& settings, std::optional<WallTime> now) noexcept {
  if (settings.retention_ms < 0 || !now.has_value()) return false;
  // Subtracted in the unsigned domain only after the comparison, so that no timestamp overflows.
  const WallTime written = segment_age_time(segment, *now);
  return written < *now && static_cast<std::uint64_t>(now->ms) - static_cast<std::uint64_t>(written.ms) >
                               static_cast<std::uint64_t>(settings.retention_ms);
}

}  // namespace

WallTime segment_age_time(const RetentionCandidate& segment, WallTime now) noexcept {
  const bool believable =
      segment.max_timestamp.ms >= 0 && segment.max_timestamp.ms - kTimestampAheadMsMax <= now.ms;
  return believable ? segment.max_timestamp : segment.appended_at;
}

std::size_t segments_to_delete(const RetentionState& state, const LogSettings& settings, std::optional<WallTime> now) {
  std::uint64_t bytes = state.active_bytes;
  for (const RetentionCandidate& segment : state.sealed) bytes += segment.bytes;

  std::size_t count = 0;
  for (const RetentionCandidate& segment : state.sealed) {
    if (segment.end > state.high_watermark) break;
    const bool unreadable = segment.end <= state.start;
    const bool too_large = settings.retention_bytes >= 0 &&
                           bytes - segment.bytes >= static_cast<std::uint64_t>(settings.retention_bytes);
    const bool by_policy = settings.deletes_old && (too_large || is_old(segment, settings, now));
    if (!unreadable && !by_policy) break;
    bytes -= segment.bytes;
    ++count;
  }
  return count;
}

std::optional<WallTime> ClockGuard::observe(WallTime wall, MonotonicTime monotonic) noexcept {
  if (last_.has_value()) {
    const Duration wall_passed = std::chrono::milliseconds(wall.ms - last_->wall.ms);
    const Duration drift = wall_passed - (monotonic - last_->monotonic);
    if (drift >= kJumpMin || drift <= -kJumpMin) jumped_at_ = monotonic;
  }
  last_ = Reading{wall, monotonic};
  if (jumped_at_.has_value() && monotonic - *jumped_at_ < kSteadyMin) return std::nullopt;
  jumped_at_.reset();
  return wall;
}

}  // namespace pyralog::storage
