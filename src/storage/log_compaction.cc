#include "storage/log_compaction.h"

#include <algorithm>

#include <fmt/format.h>

#include "io/reactor.h"
#include "storage/compacted_segment.h"

namespace pyralog::storage {

struct LogCompaction::Output {
  Output(ShardStore& store, const PartitionFiles& files, const Segment& first)
      : file(store, files, {first.base, first.edition + 1}), index(first.base, {first.base, 0}) {}

  CompactedSegment file;
  SegmentIndex index;
  WallTime appended_at;
  bool begun = false;     // until something changes, there is nothing to write
  bool is_named = false;  // it is one of the log's segments
  std::uint64_t end = 0;

  void note(const record::BatchView& batch) {
    index.note(batch, end);
    end += batch.batch_bytes();
  }
};

LogCompaction::LogCompaction(PartitionLog& log, Options options, io::AbortSource& abort)
    : log_(log), options_(std::move(options)), abort_(abort) {}

io::Task<Result<>> LogCompaction::run(WallTime now) {
  PYRALOG_CO_TRY(co_await log_.prepare());
  PYRALOG_CO_ASSIGN(const CompactionBacklog backlog, co_await log_.compaction_backlog(now));
  // What supersedes a record must be there after a crash as surely as what takes its place.
  if (log_.files_.durability() == DurabilityClass::kCached) {
    PYRALOG_CO_TRY(co_await log_.shard_.store.sync_cached(log_.files_));
  }
  report_.bytes_before = log_.bytes();
  report_.segments_before = log_.files_.segments().size();
  Result<> done;
  KeyMap keys(options_.map_bytes_max);
  for (Offset from = backlog.from;;) {
    keys.clear(io::Reactor::current().random());
    ++report_.passes;
    const auto noted = co_await note_all(keys, from, backlog.end);
    if (!noted.ok()) {
      done = noted.error();
      break;
    }
    const CompactionPass::Rules rules{.noted_end = *noted, .now = now,
                                      .delete_retention_ms = log_.settings().delete_retention_ms};
    CompactionPass pass(keys, log_.shard_.decompressor, log_.files_.state(), rules);
    done = co_await rewrite_all(pass, *noted);
    CompactionCounts& counts = report_.counts;
    counts.records_read += pass.counts().records_read;
    counts.superseded += pass.counts().superseded;
    counts.tombstones += pass.counts().tombstones;
    counts.without_key += pass.counts().without_key;
    counts.batches_unreadable += pass.counts().batches_unreadable;
    if (!done.ok()) break;
    from = report_.end = *noted;
    log_.files_.state().set_compaction({*noted, pass.horizon()});
    if (from >= backlog.end) break;
  }
  log_.shard_.decompressor.trim();
  report_.bytes_after = log_.bytes();
  report_.segments_after = log_.files_.segments().size();
  co_return done;
}

std::vector<Segment> LogCompaction::segments_below(Offset end) const {
  const auto all = log_.files_.segments();
  std::vector<Segment> below;
  for (std::size_t i = 0; i + 1 < all.size() && all[i].base < end; ++i) below.push_back(all[i]);
  return below;
}

/// Neighbours that together are no more than a segment may be become one, so that the small ones do not pile up.
std::vector<LogCompaction::Group> LogCompaction::groups_below(Offset end) const {
  std::vector<Group> groups;
  std::uint64_t bytes = 0;
  for (const Segment& segment : segments_below(end)) {
    if (groups.empty() || bytes + segment.end > log_.settings().segment_bytes) {
      groups.emplace_back();
      bytes = 0;
    }
    bytes += segment.end;
    groups.back().sources.push_back(segment);
    groups.back().end = log_.segment_end(segment.base);
  }
  return groups;
}

io::Task<Result<SegmentScan>> LogCompaction::open(const Segment& segment) {
  const FileKey key{log_.files_.incarnation(), segment.base, FileKind::kLog, segment.edition};
  std::string path = file_path(log_.directory_path(), segment.base, FileKind::kLog, segment.edition);
  auto file = co_await log_.shard_.files.open(key, std::move(path));
  // Retention or a deletion was quicker.
  if (!file.ok() && file.error() == ErrorCode::kNotFound) co_return ErrorCode::kAborted;
  PYRALOG_CO_TRY(file);
  co_return SegmentScan(std::move(*file), segment.base, segment.end);
}

Error LogCompaction::in_segment(const Segment& segment, const Error& error) const {
  if (error.code() != ErrorCode::kCorrupt) return error;
  return error.with_context(file_path(log_.files_.directory(), segment.base, FileKind::kLog, segment.edition));
}

io::Task<Result<>> LogCompaction::pace(std::uint64_t bytes) {
  unpaced_bytes_ += bytes;
  if (unpaced_bytes_ < kPaceBytes) co_return Result<>();
  io::Reactor& reactor = io::Reactor::current();
  co_await reactor.yield();
  if (options_.bytes_per_second > 0) {
    const double seconds = static_cast<double>(unpaced_bytes_) / static_cast<double>(options_.bytes_per_second);
    due_ = std::max(due_, reactor.now()) + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    const Duration ahead = due_ - reactor.now();
    if (ahead > std::chrono::milliseconds(10)) (void)co_await io::sleep_for(ahead, abort_);
  }
  unpaced_bytes_ = 0;
  const bool cancelled = abort_.aborted() || (options_.cancelled && options_.cancelled());
  co_return cancelled || !log_.settings().compacts ? Result<>(ErrorCode::kAborted) : Result<>();
}

io::Task<Result<Offset>> LogCompaction::note_all(KeyMap& keys, Offset from, Offset end) {
  for (const Segment& segment : segments_below(end)) {
    if (log_.segment_end(segment.base) <= from) continue;
    PYRALOG_CO_ASSIGN(SegmentScan scan, co_await open(segment));
    for (;;) {
      const auto step = scan.step();
      if (!step.ok()) co_return in_segment(segment, step.error());
      if (*step == SegmentScan::Step::kEnd) break;
      if (*step == SegmentScan::Step::kNeedsBytes) {
        const Result<> filled = co_await scan.fill();
        if (!filled.ok()) co_return in_segment(segment, filled.error());
        continue;
      }
      const std::size_t bytes = scan.batch().batch_bytes();
      report_.bytes_read += bytes;
      const Offset noted = note_keys(keys, scan.batch(), from, log_.shard_.decompressor);
      if (noted < scan.batch().end_offset()) co_return noted;
      if (unpaced_bytes_ + bytes < kPaceBytes) {
        unpaced_bytes_ += bytes;
      } else {
        PYRALOG_CO_TRY(co_await pace(bytes));
      }
    }
  }
  co_return end;
}

io::Task<Result<>> LogCompaction::rewrite_all(CompactionPass& pass, Offset end) {
  for (Group& group : groups_below(end)) PYRALOG_CO_TRY(co_await rewrite(pass, std::move(group)));
  co_return Result<>();
}

io::Task<Result<>> LogCompaction::rewrite(CompactionPass& pass, Group group) {
  std::uint64_t bytes = 0;
  for (const Segment& source : group.sources) bytes += source.end;
  PYRALOG_CO_ASSIGN(const bool has_room, co_await log_.shard_.store.has_room(bytes));
  if (!has_room) {
    co_return Error(ErrorCode::kNoSpace,
                    fmt::format("up to {} bytes beside the old segments, and storage.free_bytes_min leaves less", bytes));
  }
  Output output(log_.shard_.store, log_.files_, group.sources.front());
  Result<> done;
  if (group.sources.size() > 1) {
    output.begun = true;
    done = co_await output.file.begin();
  }
  for (const Segment& source : group.sources) {
    if (done.ok()) done = co_await rewrite_source(pass, source, output);
  }
  if (done.ok() && !output.begun) co_return done;
  if (done.ok()) done = co_await swap(group, output);
  if (!output.is_named && output.begun) co_await output.file.discard();
  co_return done;
}

io::Task<Result<>> LogCompaction::rewrite_source(CompactionPass& pass, const Segment& source, Output& output) {
  const auto summary = co_await log_.summary_of(source.base);
  if (!summary.ok()) co_return summary.error() == ErrorCode::kOutOfRange ? ErrorCode::kAborted : summary.error();
  output.appended_at = std::max(output.appended_at, summary->appended_at);
  PYRALOG_CO_ASSIGN(SegmentScan scan, co_await open(source));
  for (;;) {
    const auto step = scan.step();
    if (!step.ok()) co_return in_segment(source, step.error());
    if (*step == SegmentScan::Step::kEnd) co_return Result<>();
    if (*step == SegmentScan::Step::kNeedsBytes) {
      const Result<> filled = co_await scan.fill();
      if (!filled.ok()) co_return in_segment(source, filled.error());
      continue;
    }
    const std::size_t bytes = scan.batch().batch_bytes();
    report_.bytes_read += bytes;
    const ByteView kept = pass.apply(scan.batch());
    if (!output.begun && kept.data() != scan.batch().bytes().data()) PYRALOG_CO_TRY(co_await copy_prefix(scan, output));
    if (!kept.empty()) {
      output.note(record::BatchView::parse(kept).value());
      if (output.begun) {
        report_.bytes_written += kept.size();
        PYRALOG_CO_TRY(co_await output.file.append(kept));
      }
    }
    if (unpaced_bytes_ + bytes + kept.size() < kPaceBytes) {
      unpaced_bytes_ += bytes + kept.size();
    } else {
      PYRALOG_CO_TRY(co_await pace(bytes + kept.size()));
    }
  }
}

/// Up to the batch at hand, the segment stays as it is.
io::Task<Result<>> LogCompaction::copy_prefix(SegmentScan& scan, Output& output) {
  output.begun = true;
  PYRALOG_CO_TRY(co_await output.file.begin());
  std::vector<std::byte> piece;
  for (std::uint64_t at = 0; at < scan.position();) {
    piece.resize(std::min<std::uint64_t>(scan.position() - at, kPaceBytes));
    PYRALOG_CO_ASSIGN(const std::size_t got, co_await scan.file().read(at, piece));
    if (got == 0) co_return Error(ErrorCode::kCorrupt, "a segment's file became shorter");
    PYRALOG_CO_TRY(co_await output.file.append(ByteView(piece).first(got)));
    report_.bytes_written += got;
    PYRALOG_CO_TRY(co_await pace(2 * got));
    at += got;
  }
  co_return Result<>();
}

bool LogCompaction::is_unchanged(const Group& group) const {
  const auto segments = log_.files_.segments();
  auto at = std::ranges::find(segments, group.sources.front().base, &Segment::base);
  for (const Segment& source : group.sources) {
    if (at == segments.end() || at->name() != source.name() || at->end != source.end) return false;
    ++at;
  }
  return at != segments.end() && at->base == group.end;
}

io::Task<Result<>> LogCompaction::swap(const Group& group, Output& output) {
  PYRALOG_CO_ASSIGN(const Segment written, co_await output.file.finish());
  const Gate::Pass pass = co_await log_.changes_.enter();
  const Gate::Pass index_pass = co_await log_.index_work_.enter();
  if (!is_unchanged(group)) co_return ErrorCode::kAborted;
  const Offset first = group.sources.front().base;
  const bool is_front = first == log_.files_.segments().front().base;
  const Offset before = is_front ? first : log_.segment_at(first - OffsetDelta(1)).base;
  std::vector<Segment> replacements{written};
  // The segment before covers these offsets too, then. The log's first one stays, as what begins where the log does.
  if (written.end == 0 && !is_front) replacements.clear();
  // Whoever wants them known again waits for the gate.
  for (const Segment& source : group.sources) log_.forget_sealed(source.base);
  if (replacements.empty()) log_.forget_sealed(before);
  const std::uint64_t replaced_before = log_.files_.replacements();
  const auto replaced = co_await log_.shard_.store.replace_segments(log_.files_, first, group.end, replacements);
  // From then on the file is the log's, also where the store failed behind that: nobody removes it here.
  output.is_named = log_.files_.replacements() != replaced_before && !replacements.empty();
  PYRALOG_CO_TRY(replaced);
  for (const Segment& source : group.sources) log_.forget_file(source.name());
  if (replacements.empty()) co_return Result<>();
  const SegmentSummary summary{first, group.end, written.end, output.index.peak(), output.appended_at};
  const auto files = co_await log_.open_index_files(first, io::Existence::kMayCreate);
  // Without them the index is made when it is next asked for.
  if (!files.ok() || !output.index.seal(*files->sparse, *files->times, summary).ok()) co_return Result<>();
  log_.remember_sealed({summary, output.index.sparse_count(), output.index.time_count()});
  co_return Result<>();
}

}  // namespace pyralog::storage
