// What removes records: truncation at the end, deletion and retention at the start.
#include <algorithm>
#include <limits>

#include "io/disk.h"
#include "io/reactor.h"
#include "storage/partition_log.h"

namespace pyralog::storage {

io::Task<Result<>> PartitionLog::remove_file(Offset offset, FileKind kind, Edition edition) {
  shard_.files.forget({files_.incarnation(), offset, kind, edition});
  auto removed = co_await io::Reactor::current().disk().remove(file_path(directory_path(), offset, kind, edition));
  if (!removed.ok() && removed.error() == ErrorCode::kNotFound) co_return Result<>();
  co_return removed;
}

void PartitionLog::forget_file(SegmentName segment) {
  shard_.files.forget({files_.incarnation(), segment.base, FileKind::kLog, segment.edition});
}

io::Task<Result<>> PartitionLog::remove_index_files(SegmentName segment) {
  PYRALOG_CO_TRY(co_await remove_file(segment.base, FileKind::kIndex, segment.edition));
  co_return co_await remove_file(segment.base, FileKind::kTimeIndex, segment.edition);
}

io::Task<Result<Offset>> PartitionLog::truncate(Offset end) {
  const Gate::Pass pass = co_await changes_.enter();
  if (end >= log_end()) co_return log_end();
  if (end < start() || end < high_watermark_) co_return ErrorCode::kOutOfRange;
  is_cutting_ = true;  // from here on nothing is appended, so what is found stays right
  const Offset base = segment_at(end).base;
  const auto found = co_await find_batch(base, end);
  Result<> done;
  if (found.ok() && found->offset < high_watermark_) {
    done = ErrorCode::kOutOfRange;  // the batch around `end` is committed
  } else if (found.ok()) {
    const Gate::Pass index_pass = co_await index_work_.enter();
    done = co_await cut(found->offset, {base, found->position});
  } else {
    done = found.error();
  }
  is_cutting_ = false;
  PYRALOG_CO_TRY(done);
  co_return log_end();
}

/// The caller holds both gates.
io::Task<Result<>> PartitionLog::cut(Offset end, LogPosition at) {
  ++cuts_;
  index_ = nullptr;
  hints_ = {};
  for (const auto& sealing : sealing_) {
    if (sealing->summary.base >= at.segment) sealing->is_cancelled = true;
  }
  std::erase_if(sealing_, [](const auto& sealing) { return sealing->is_cancelled; });
  std::erase_if(sealed_, [at](const Sealed& segment) { return segment.summary.base >= at.segment; });

  // Index files and snapshots say what is no longer true once offsets are used again; so they go first, for good.
  std::vector<SegmentName> touched;
  for (const Segment& segment : files_.segments()) {
    if (segment.base >= at.segment) touched.push_back(segment.name());
  }
  for (const SegmentName segment : touched) PYRALOG_CO_TRY(co_await remove_index_files(segment));
  PYRALOG_CO_ASSIGN(const std::vector<Offset> snapshots, co_await list_snapshots());
  for (const Offset offset : snapshots) {
    if (offset > end) PYRALOG_CO_TRY(co_await remove_file(offset, FileKind::kSnapshot));
  }
  PYRALOG_CO_TRY(co_await shard_.store.sync_directory(files_));
  PYRALOG_CO_TRY(co_await shard_.store.truncate(files_, end, at));
  for (const SegmentName segment : touched) {
    if (segment.base > at.segment) forget_file(segment);
  }
  index_ = nullptr;
  inherited_ = {log_end(), files_.active().end};
  co_return Result<>();
}

io::Task<Result<Offset>> PartitionLog::delete_records(Offset before) {
  const Gate::Pass pass = co_await changes_.enter();
  if (before > high_watermark_) co_return ErrorCode::kOutOfRange;
  if (before <= start()) co_return start();
  PYRALOG_CO_TRY(co_await move_start(before, segment_at(before).base));
  co_return start();
}

/// The caller holds the gate of changes. `first_segment` is the base of the first segment that stays.
io::Task<Result<>> PartitionLog::move_start(Offset start, Offset first_segment) {
  std::vector<SegmentName> gone;
  std::uint64_t bytes = 0;
  for (const Segment& segment : files_.segments()) {
    if (segment.base >= first_segment) break;
    gone.push_back(segment.name());
    bytes += segment.end;
  }
  PYRALOG_CO_TRY(co_await shard_.store.set_start(files_, start, first_segment));
  shard_.counters.segments_deleted += gone.size();
  shard_.counters.bytes_deleted += bytes;
  for (const auto& sealing : sealing_) {
    if (sealing->summary.base < first_segment) sealing->is_cancelled = true;
  }
  for (const SegmentName segment : gone) {
    forget_sealed(segment.base);
    forget_file(segment);
    // What remains of a cache is in nobody's way: no segment will have that name again.
    (void)co_await remove_index_files(segment);
  }
  co_return Result<>();
}

io::Task<Result<std::size_t>> PartitionLog::retain(std::optional<WallTime> now) {
  const Gate::Pass pass = co_await changes_.enter();
  // A log that is no longer written to gets old as well.
  if (now.has_value() && must_roll(0, *now)) roll();
  PYRALOG_CO_ASSIGN(const std::size_t count, co_await segments_due(now));
  if (count == 0) co_return count;
  const Offset first = files_.segments()[count].base;
  PYRALOG_CO_TRY(co_await move_start(std::max(first, start()), first));
  co_return count;
}

/// How many of the oldest segments are to be deleted. Reads what is known of a segment only once all before it are due.
io::Task<Result<std::size_t>> PartitionLog::segments_due(std::optional<WallTime> now) {
  constexpr WallTime kNotYet{std::numeric_limits<std::int64_t>::max()};
  std::vector<RetentionCandidate> known;
  for (;;) {
    const auto segments = files_.segments();
    std::vector<RetentionCandidate> candidates = known;
    for (std::size_t i = known.size(); i + 1 < segments.size(); ++i) {
      candidates.push_back({.end = segments[i + 1].base,
                            .bytes = segments[i].end,
                            .max_timestamp = record::kNoTimestamp,
                            .appended_at = kNotYet});
    }
    const RetentionState state{.sealed = candidates,
                               .active_bytes = segments.back().end,
                               .start = start(),
                               .high_watermark = high_watermark_};
    const std::size_t count = segments_to_delete(state, *settings_, now);
    const bool by_time = settings_->deletes_old && settings_->retention_ms >= 0 && now.has_value();
    if (count < known.size() || count == candidates.size() || !by_time) co_return count;
    // All that is known goes, and more by size or for being unreadable perhaps; the first that stays may be old too.
    for (std::size_t i = known.size(); i <= count; ++i) {
      const Offset base = files_.segments()[i].base;
      RetentionCandidate candidate = candidates[i];
      if (i == count) {
        PYRALOG_CO_ASSIGN(const SegmentSummary summary, co_await summary_of(base));
        candidate.max_timestamp = summary.peak.timestamp;
        candidate.appended_at = summary.appended_at;
      }
      known.push_back(candidate);
    }
  }
}

}  // namespace pyralog::storage
