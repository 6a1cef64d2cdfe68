#include "storage/log_settings.h"

#include <algorithm>
#include <limits>

#include "core/random.h"

namespace pyralog::storage {
namespace {

constexpr std::int64_t kTimeMax = std::numeric_limits<std::int64_t>::max();

}  // namespace

record::CheckOptions check_options(const LogSettings& settings, WallTime now) {
  record::CheckOptions options{.validation = settings.validation,
                               .origin = record::BatchOrigin::kClient,
                               .null_keys = settings.compacts ? record::NullKeys::kRefused : record::NullKeys::kAllowed,
                               .timestamp_type = settings.timestamp_type};
  // A bound that reaches beyond the range of times is none; times before 1970 are legal where nothing forbids them.
  if (settings.timestamp_before_ms_max < now.ms) {
    options.timestamp_min = WallTime{now.ms - settings.timestamp_before_ms_max};
  }
  if (settings.timestamp_after_ms_max < kTimeMax - now.ms) {
    options.timestamp_max = WallTime{now.ms + settings.timestamp_after_ms_max};
  }
  return options;
}

std::int64_t segment_ms_of(const LogSettings& settings, Incarnation partition, Offset segment) noexcept {
  const std::int64_t segment_ms = settings.segment_ms_max();
  const std::int64_t jitter_max = std::min(settings.segment_jitter_ms, segment_ms);
  if (jitter_max <= 0) return segment_ms;
  Random mixed(partition.value ^ static_cast<std::uint64_t>(segment.value) << 24);
  return segment_ms - static_cast<std::int64_t>(mixed.below(static_cast<std::uint64_t>(jitter_max) + 1));
}

CachedBounds cached_bounds(const LogSettings& settings) {
  CachedBounds bounds;
  constexpr std::int64_t kDelayMsMax = std::chrono::duration_cast<std::chrono::milliseconds>(Duration::max()).count();
  bounds.flush_bytes_max = settings.flush_bytes;
  bounds.flush_records_max = settings.flush_messages;
  bounds.flush_delay_max = std::chrono::milliseconds(std::min(settings.flush_ms, kDelayMsMax));
  return bounds;
}

}  // namespace pyralog::storage
