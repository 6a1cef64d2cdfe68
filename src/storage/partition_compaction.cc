// What of a log compaction could work on now.
#include <algorithm>

#include "storage/compaction.h"
#include "storage/partition_log.h"

namespace pyralog::storage {

io::Task<Result<CompactionBacklog>> PartitionLog::compaction_backlog(WallTime now) {
  {
    const Gate::Pass pass = co_await changes_.enter();
    if (must_roll(0, now)) roll();
  }
  const std::vector<Segment> segments(files_.segments().begin(), files_.segments().end());
  const CompactionProgress progress = files_.state().compaction();
  CompactionBacklog backlog{.from = std::max(progress.end, segments.front().base), .horizon = progress.horizon};
  backlog.end = backlog.from;
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    const Segment& segment = segments[i];
    const Offset end = segments[i + 1].base;
    const bool is_sealing = std::ranges::any_of(sealing_, [&](const auto& s) { return s->summary.base == segment.base; });
    if (end > high_watermark_ || segment.clean_end != segment.end || is_sealing) break;
    if (end <= backlog.from) {
      backlog.clean_bytes += segment.end;
      continue;
    }
    const bool ages = settings_->compaction_lag_ms_max != LogSettings::kForever && backlog.dirty_bytes == 0;
    if (settings_->compaction_lag_ms_min > 0 || ages) {
      const auto summary = co_await summary_of(segment.base);
      if (!summary.ok()) co_return summary.error() == ErrorCode::kOutOfRange ? ErrorCode::kAborted : summary.error();
      const WallTime written =
          segment_age_time({.end = end, .max_timestamp = summary->peak.timestamp, .appended_at = summary->appended_at}, now);
      if (settings_->compaction_lag_ms_min > 0 && now.ms - settings_->compaction_lag_ms_min < written.ms) break;
      if (ages) {
        PYRALOG_CO_ASSIGN(backlog.oldest, co_await first_written(segment.base, written, now));
      }
    }
    backlog.dirty_bytes += segment.end;
    backlog.end = end;
  }
  co_return backlog;
}

/// When the segment's first batch was written: its newest time, if that can be believed, else `fallback`.
io::Task<Result<WallTime>> PartitionLog::first_written(Offset base, WallTime fallback, WallTime now) {
  BatchCursor cursor(source(base), BatchCursor::Window::kLookup);
  const auto loaded = co_await cursor.load(0);
  if (!loaded.ok()) co_return fallback;  // empty, or gone
  PYRALOG_CO_ASSIGN(const record::BatchHeader header, cursor.header_at(0));
  co_return std::min(fallback, segment_age_time({.max_timestamp = header.max_timestamp(), .appended_at = fallback}, now));
}

}  // namespace pyralog::storage
