#include "storage/log_check.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "record/batch_check.h"
#include "storage/index_file.h"
#include "storage/log_walk.h"
#include "storage/producer_state.h"

namespace pyralog::storage {
namespace {

std::string name_of(FileName name) { return file_path("", name.offset, name.kind, name.edition).substr(1); }

void add(LogReport& report, std::vector<LogFinding>& to, FileName file, std::uint64_t position, std::string text) {
  if (to.size() >= LogReport::kFindingsMax) {
    ++report.findings_dropped;
    return;
  }
  to.push_back({name_of(file), position, std::move(text)});
}

/// Entries of an index file, compared with batches as these come by.
template <class Entry>
class IndexCheck {
 public:
  IndexCheck(FileName name, LogReport& report) : name_(name), report_(report) {}

  io::Task<Result<>> load(std::string directory) {
    PYRALOG_CO_ASSIGN(const SharedFile file, co_await open_for_reading(std::move(directory), name_));
    const auto header = co_await read_index_header<Entry>(*file, name_.offset);
    if (header.ok()) header_ = *header;
    IndexBlock block;
    for (std::uint32_t index = 0;; ++index) {
      const auto read = co_await read_index_block<Entry>(*file, name_.offset, index, block);
      if (!read.ok() && !(read.error() == ErrorCode::kCorrupt)) co_return read;
      if (!read.ok()) break;
      PYRALOG_CO_ASSIGN(const auto view, IndexBlockView<Entry>::parse(block, name_.offset));
      for (std::size_t i = 0; i < view.count(); ++i) entries_.push_back(view.at(i));
      if (view.count() < kEntriesPerBlock<Entry>) break;
    }
    if (header_.has_value() && header_->entry_count != entries_.size()) {
      note(fmt::format("{} entries of {} are readable; the rest will be rebuilt", entries_.size(), header_->entry_count));
    }
    co_return Result<>();
  }

  void visit(const record::BatchView& batch, std::uint64_t position, WallTime newest) {
    while (next_ < entries_.size() && entries_[next_].offset < batch.base_offset()) {
      problem(fmt::format("an entry for offset {}, where no batch begins", entries_[next_].offset.value));
      ++next_;
    }
    if (next_ == entries_.size() || entries_[next_].offset != batch.base_offset()) return;
    if (!agrees(entries_[next_], batch, position, newest)) {
      problem(fmt::format("the entry for offset {} is wrong", batch.base_offset().value));
    }
    ++next_;
  }

  /// The segment is known to end where the walk did.
  void finish(const WalkedSegment& walked) {
    if (next_ < entries_.size()) problem("entries for offsets beyond the segment's last batch");
    if (!header_.has_value()) return;
    const bool is_end = name_.edition > 0 ? header_->summary.end >= walked.end : header_->summary.end == walked.end;
    if (!is_end || header_->summary.end_position != walked.position) {
      note("sealed for another end; will be rebuilt");
    }
  }

 private:
  static bool agrees(const SparseEntry& entry, const record::BatchView& batch, std::uint64_t position, WallTime) {
    return entry.position == position && entry.batch_bytes == batch.batch_bytes();
  }
  static bool agrees(const TimeEntry& entry, const record::BatchView&, std::uint64_t, WallTime newest) {
    return entry.timestamp == newest;
  }
  void note(std::string text) { add(report_, report_.notes, name_, 0, std::move(text)); }
  void problem(std::string text) { add(report_, report_.problems, name_, 0, std::move(text)); }

  FileName name_;
  LogReport& report_;
  std::vector<Entry> entries_;
  std::optional<IndexHeader> header_;
  std::size_t next_ = 0;
};

class LogChecker {
 public:
  LogChecker(std::string directory, std::optional<LogBounds> bounds) : directory_(std::move(directory)), bounds_(bounds) {}

  io::Task<Result<LogReport>> run() {
    PYRALOG_CO_ASSIGN(names_, co_await list_partition(directory_));
    std::vector<FileName> segments;
    std::ranges::copy_if(names_, std::back_inserter(segments), [](const FileName& at) { return at.kind == FileKind::kLog; });
    if (!segments.empty()) report_.start = report_.end = segments.front().offset;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const bool is_last = i + 1 == segments.size();
      PYRALOG_CO_TRY(co_await check_segment(segments[i], is_last ? std::nullopt : std::optional(segments[i + 1].offset)));
    }
    if (bounds_.has_value() && report_.end != bounds_->end) {
      const FileName last = segments.empty() ? FileName{Offset(), FileKind::kLog} : segments.back();
      add(report_, report_.problems, last, 0,
          fmt::format("the log ends at offset {}, not at {}", report_.end.value, bounds_->end.value));
    }
    for (const FileName& name : names_) {
      if (name.kind == FileKind::kSnapshot) PYRALOG_CO_TRY(co_await check_snapshot(name));
      const bool is_index = name.kind == FileKind::kIndex || name.kind == FileKind::kTimeIndex;
      const bool has_segment = has({name.offset, FileKind::kLog, name.edition});
      if (is_index && !has_segment) add(report_, report_.notes, name, 0, "belongs to no segment");
    }
    co_return std::move(report_);
  }

 private:
  bool has(FileName name) const { return std::ranges::find(names_, name) != names_.end(); }

  io::Task<Result<>> check_segment(FileName name, std::optional<Offset> next_base) {
    const Offset base = name.offset;
    const FileName sparse_name{base, FileKind::kIndex, name.edition}, times_name{base, FileKind::kTimeIndex, name.edition};
    ++report_.segments;
    IndexCheck<SparseEntry> sparse(sparse_name, report_);
    IndexCheck<TimeEntry> times(times_name, report_);
    if (has(sparse_name)) PYRALOG_CO_TRY(co_await sparse.load(directory_));
    if (has(times_name)) PYRALOG_CO_TRY(co_await times.load(directory_));
    PYRALOG_CO_ASSIGN(SharedFile file, co_await open_for_reading(directory_, name));

    Offset expected = base;
    TimestampPeak peak;
    const std::optional<std::uint64_t> end = next_base.has_value() || !bounds_.has_value()
                                                 ? std::nullopt
                                                 : std::optional(bounds_->end_position);
    BatchVisitor visitor = [&](const record::BatchView& batch, std::uint64_t position) {
      // Behind its end a file may still hold what was there before a truncation.
      if (next_base.has_value() && batch.base_offset() >= *next_base) return false;
      if (end.has_value() && position >= *end) return false;
      check_batch(batch, position, name, expected);
      expected = batch.end_offset();
      peak.note(batch);
      sparse.visit(batch, position, peak.timestamp);
      times.visit(batch, position, peak.timestamp);
      return true;
    };
    PYRALOG_CO_ASSIGN(const WalkedSegment walked, co_await walk_segment(std::move(file), base, epoch_, std::move(visitor)));
    epoch_ = walked.epoch;
    report_.end = walked.end;
    // Compaction may have taken the last records of what it wrote; a segment that is still empty then follows.
    if (name.edition > 0 && next_base.has_value()) report_.end = *next_base;
    if (name.edition > 0 && walked.position == end) report_.end = std::max(walked.end, bounds_->end);
    report_.bytes += walked.position;
    if (judge_end(name, walked, next_base, end)) {
      sparse.finish(walked);
      times.finish(walked);
    }
    co_return Result<>();
  }

  void check_batch(const record::BatchView& batch, std::uint64_t position, FileName name, Offset expected) {
    ++report_.batches;
    report_.records += static_cast<std::uint64_t>(batch.records_count());
    const bool leaves_gaps = name.edition > 0;
    if (leaves_gaps ? batch.base_offset() < expected : batch.base_offset() != expected) {
      add(report_, report_.problems, name, position,
          fmt::format("offset {} follows, {} was expected", batch.base_offset().value, expected.value));
    }
    const record::CheckOptions options{.validation = record::RecordValidation::kFull, .origin = record::BatchOrigin::kLog};
    const auto facts = record::check_structure(batch, options, decompressor_);
    if (!facts.has_value()) {
      add(report_, report_.problems, name, position,
          fmt::format("batch {}: {}", batch.base_offset().value, facts.error().reason));
    }
  }

  /// True if the segment surely ends where the walk did.
  bool judge_end(FileName name, const WalkedSegment& walked, std::optional<Offset> next_base,
                 std::optional<std::uint64_t> end) {
    if (next_base.has_value()) {
      const bool is_compacted = name.edition > 0 && walked.why == WalkEnd::kEndOfFile;
      if (walked.end == *next_base || (is_compacted && walked.end < *next_base)) return true;
      add(report_, report_.problems, name, walked.position,
          fmt::format("{} at offset {}, although the next segment begins at {}", walk_end_text(walked.why),
                      walked.end.value, next_base->value));
    } else if (end.has_value()) {
      if (walked.position == *end) return true;
      add(report_, report_.problems, name, walked.position,
          fmt::format("{}, although the log goes on to byte {}", walk_end_text(walked.why), *end));
    } else {
      if (walked.why == WalkEnd::kEndOfFile || walked.why == WalkEnd::kZeros) return true;
      add(report_, report_.notes, name, walked.position,
          fmt::format("{} after offset {}: the log's end, or damage", walk_end_text(walked.why), walked.end.value));
    }
    return false;
  }

  io::Task<Result<>> check_snapshot(FileName name) {
    PYRALOG_CO_ASSIGN(const SharedFile file, co_await open_for_reading(directory_, name));
    PYRALOG_CO_ASSIGN(const std::uint64_t size, file->size());
    std::vector<std::byte> bytes(static_cast<std::size_t>(std::min<std::uint64_t>(size, kSnapshotBytesMax)));
    PYRALOG_CO_ASSIGN(const std::size_t got, co_await file->read(0, bytes));
    const auto snapshot = ProducerSnapshot::decode(ByteView(bytes).first(got));
    if (!snapshot.ok()) {
      add(report_, report_.notes, name, 0, "damaged or cut off; an older one or the log itself will be read instead");
    } else if (snapshot->offset != name.offset) {
      add(report_, report_.notes, name, 0, fmt::format("is one for offset {}", snapshot->offset.value));
    }
    co_return Result<>();
  }

  static constexpr std::uint64_t kSnapshotBytesMax = 64u << 20;

  std::string directory_;
  std::optional<LogBounds> bounds_;
  std::vector<FileName> names_;
  LogReport report_;
  LeaderEpoch epoch_ = kNoLeaderEpoch;
  record::Decompressor decompressor_;
};

}  // namespace

io::Task<Result<LogReport>> check_log(std::string directory, std::optional<LogBounds> bounds) {
  LogChecker checker(std::move(directory), bounds);
  co_return co_await checker.run();
}

}  // namespace pyralog::storage
