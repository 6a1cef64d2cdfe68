// Where things are: index look-ups in memory and in files, and the background work that keeps the files.
#include <algorithm>

#include "io/disk.h"
#include "io/reactor.h"
#include "storage/partition_log.h"

namespace pyralog::storage {
Segment PartitionLog::segment_at(Offset offset) const noexcept {
  const auto segments = files_.segments();
  const auto after = std::ranges::upper_bound(segments, offset, {}, &Segment::base);
  return after == segments.begin() ? segments.front() : *std::prev(after);
}

Offset PartitionLog::segment_end(Offset base) const noexcept {
  const auto segments = files_.segments();
  const auto after = std::ranges::upper_bound(segments, base, {}, &Segment::base);
  return after == segments.end() ? log_end() : after->base;
}

std::shared_ptr<SegmentIndex> PartitionLog::index_in_memory(Offset base) {
  if (base == files_.active().base) {
    growing_index();
    return index_;
  }
  for (const auto& sealing : sealing_) {
    if (sealing->summary.base == base) return sealing->index;
  }
  return nullptr;
}

io::Task<Result<SharedFile>> PartitionLog::open_index_file(Offset base, FileKind kind, io::Existence existence) {
  const Segment* segment = files_.find_segment(base);
  const FileKey key{files_.incarnation(), base, kind, segment == nullptr ? 0 : segment->edition};
  if (SharedFile open = shard_.files.find(key)) co_return open;
  const std::string path = file_path(directory_path(), base, kind, key.edition);
  auto opened = co_await shard_.files.open(key, path, existence);
  if (opened.ok() || !(opened.error() == ErrorCode::kNotFound)) co_return opened;
  if (existence == io::Existence::kMustExist) co_return SharedFile();
  // The partition's first file may well be one of these.
  PYRALOG_CO_TRY(co_await io::Reactor::current().disk().make_directories(directory_path()));
  co_return co_await shard_.files.open(key, path, existence);
}

/// With kMustExist, files that do not exist are null.
io::Task<Result<PartitionLog::IndexFiles>> PartitionLog::open_index_files(Offset base, io::Existence existence) {
  IndexFiles files;
  PYRALOG_CO_ASSIGN(files.sparse, co_await open_index_file(base, FileKind::kIndex, existence));
  PYRALOG_CO_ASSIGN(files.times, co_await open_index_file(base, FileKind::kTimeIndex, existence));
  co_return files;
}

io::Task<Result<>> PartitionLog::complete_index(std::shared_ptr<SegmentIndex> index) {
  const Gate::Pass pass = co_await index_work_.enter();
  if (!index->is_complete()) {
    PYRALOG_CO_ASSIGN(IndexFiles files, co_await open_index_files(index->base(), io::Existence::kMustExist));
    PYRALOG_CO_TRY(co_await index->complete(source(index->base()), std::move(files.sparse), std::move(files.times)));
  }
  LogState& state = files_.state();
  if (index == index_ && !state.segment_peak_exact()) state.set_segment_peak(index->peak());
  co_return Result<>();
}

const PartitionLog::Sealed* PartitionLog::find_sealed(Offset base) const noexcept {
  const auto at = std::ranges::lower_bound(sealed_, base, {}, [](const Sealed& s) { return s.summary.base; });
  return at != sealed_.end() && at->summary.base == base ? &*at : nullptr;
}

void PartitionLog::remember_sealed(const Sealed& segment) {
  const Offset base = segment.summary.base;
  if (find_sealed(base) != nullptr) return;
  const auto at = std::ranges::lower_bound(sealed_, base, {}, [](const Sealed& s) { return s.summary.base; });
  sealed_.insert(at, segment);
}

io::Task<Result<PartitionLog::Sealed>> PartitionLog::sealed(Offset base) {
  if (const Sealed* known = find_sealed(base)) co_return *known;
  const Gate::Pass pass = co_await index_work_.enter();
  if (const Sealed* known = find_sealed(base)) co_return *known;
  const Segment* segment = files_.find_segment(base);
  if (segment == nullptr) co_return ErrorCode::kOutOfRange;
  if (base == files_.active().base) co_return ErrorCode::kAborted;  // a truncation opened it again
  const std::uint64_t end_position = segment->end;
  const Offset end = segment_end(base);
  PYRALOG_CO_ASSIGN(const IndexFiles files, co_await open_index_files(base, io::Existence::kMustExist));
  std::optional<Sealed> found;
  if (files.sparse != nullptr && files.times != nullptr) {
    const auto sparse = co_await read_index_header<SparseEntry>(*files.sparse, base);
    const auto times = co_await read_index_header<TimeEntry>(*files.times, base);
    if (sparse.ok() && times.ok() && sparse->summary == times->summary) {
      found = Sealed{sparse->summary, sparse->entry_count, times->entry_count};
    }
  }
  if (!found.has_value() || found->summary.end != end || found->summary.end_position != end_position) {
    PYRALOG_CO_ASSIGN(found, co_await rebuild_sealed(base));
  }
  if (files_.find_segment(base) == nullptr) co_return ErrorCode::kOutOfRange;  // deleted meanwhile
  remember_sealed(*found);
  co_return *found;
}

/// The caller holds the gate of index work.
io::Task<Result<PartitionLog::Sealed>> PartitionLog::rebuild_sealed(Offset base) {
  const Segment segment = *files_.find_segment(base);
  const Offset end = segment_end(base);
  SegmentIndex index(base, {end, segment.end});
  PYRALOG_CO_ASSIGN(const IndexFiles old, co_await open_index_files(base, io::Existence::kMustExist));
  PYRALOG_CO_TRY(co_await index.complete(source(base), old.sparse, old.times));
  // When it was appended to is forgotten; taking it for new deletes it too late rather than too early.
  const SegmentSummary summary{base, end, segment.end, index.peak(), io::Reactor::current().wall_now()};
  PYRALOG_CO_ASSIGN(const IndexFiles files, co_await open_index_files(base, io::Existence::kMayCreate));
  if (files_.find_segment(base) == nullptr) co_return ErrorCode::kOutOfRange;
  PYRALOG_CO_TRY(index.seal(*files.sparse, *files.times, summary));
  ++shard_.counters.indexes_rebuilt;
  co_return Sealed{summary, index.sparse_count(), index.time_count()};
}

void PartitionLog::forget_sealed(Offset base) {
  std::erase_if(sealed_, [base](const Sealed& s) { return s.summary.base == base; });
}

io::Task<Result<SegmentSummary>> PartitionLog::summary_of(Offset base) {
  const auto found = std::ranges::find(sealing_, base, [](const auto& sealing) { return sealing->summary.base; });
  if (found == sealing_.end()) {
    PYRALOG_CO_ASSIGN(const Sealed segment, co_await sealed(base));
    co_return segment.summary;
  }
  const std::shared_ptr<Sealing> sealing = *found;
  if (!sealing->peak_known) {
    PYRALOG_CO_TRY(co_await complete_index(sealing->index));
    sealing->summary.peak = sealing->index->peak();
    sealing->peak_known = true;
  }
  co_return sealing->summary;
}

io::Task<Result<SegmentMark>> PartitionLog::find_mark(Offset base, SparseEntry::Bound bound) {
  auto found = co_await find_mark_once(base, bound);
  if (found.ok() || !(found.error() == ErrorCode::kCorrupt)) co_return found;
  // A bad block: what the file said is taken anew from the segment. If that is bad, the second failure stands.
  PYRALOG_CO_TRY(co_await renew_index(base));
  co_return co_await find_mark_once(base, bound);
}

io::Task<Result<SegmentMark>> PartitionLog::find_mark_once(Offset base, SparseEntry::Bound bound) {
  if (const std::shared_ptr<SegmentIndex> index = index_in_memory(base)) {
    if (const auto mark = index->find_resident(bound)) co_return *mark;
    if (!index->is_complete()) PYRALOG_CO_TRY(co_await complete_index(index));
    if (const auto mark = index->find_resident(bound)) co_return *mark;
    PYRALOG_CO_ASSIGN(const IndexFiles files, co_await open_index_files(base, io::Existence::kMustExist));
    co_return co_await index->find(bound, files.sparse);
  }
  PYRALOG_CO_ASSIGN(const Sealed segment, co_await sealed(base));
  PYRALOG_CO_ASSIGN(const IndexFiles files, co_await open_index_files(base, io::Existence::kMustExist));
  if (files.sparse == nullptr) co_return ErrorCode::kCorrupt;
  PYRALOG_CO_ASSIGN(const auto entry,
                    co_await find_in_index<SparseEntry>(*files.sparse, base, segment.sparse_count, bound));
  co_return entry.has_value() ? SegmentMark{entry->offset, entry->position} : SegmentMark{base, 0};
}

io::Task<Result<std::optional<TimeEntry>>> PartitionLog::find_time(Offset base, WallTime before) {
  auto found = co_await find_time_once(base, before);
  if (found.ok() || !(found.error() == ErrorCode::kCorrupt)) co_return found;
  PYRALOG_CO_TRY(co_await renew_index(base));
  co_return co_await find_time_once(base, before);
}

io::Task<Result<std::optional<TimeEntry>>> PartitionLog::find_time_once(Offset base, WallTime before) {
  if (const std::shared_ptr<SegmentIndex> index = index_in_memory(base)) {
    if (!index->is_complete()) PYRALOG_CO_TRY(co_await complete_index(index));
    PYRALOG_CO_ASSIGN(const IndexFiles files, co_await open_index_files(base, io::Existence::kMustExist));
    co_return co_await index->find_time(before, files.times);
  }
  PYRALOG_CO_ASSIGN(const Sealed segment, co_await sealed(base));
  PYRALOG_CO_ASSIGN(const IndexFiles files, co_await open_index_files(base, io::Existence::kMustExist));
  if (files.times == nullptr) co_return ErrorCode::kCorrupt;
  co_return co_await find_in_index<TimeEntry>(*files.times, base, segment.time_count, TimeEntry::Bound{before});
}

io::Task<Result<>> PartitionLog::renew_index(Offset base) {
  const Gate::Pass pass = co_await index_work_.enter();
  if (base == files_.active().base) {
    inherited_ = {log_end(), files_.active().end};
    index_ = nullptr;
    co_return Result<>();
  }
  for (const auto& sealing : sealing_) {
    if (sealing->summary.base != base) continue;
    sealing->index = std::make_shared<SegmentIndex>(base, SegmentMark{sealing->summary.end, sealing->summary.end_position});
    co_return Result<>();
  }
  forget_sealed(base);
  if (files_.find_segment(base) == nullptr) co_return ErrorCode::kOutOfRange;
  PYRALOG_CO_TRY(co_await rebuild_sealed(base));
  co_return Result<>();
}

io::Task<> PartitionLog::spill() {
  is_spilling_ = true;
  const std::shared_ptr<SegmentIndex> index = index_;
  // A failure leaves the entries in memory; the next full block tries again.
  const auto completed = co_await complete_index(index);
  if (completed.ok()) {
    const auto files = co_await open_index_files(index->base(), io::Existence::kMayCreate);
    if (files.ok() && index == index_ && !is_cutting_) {
      (void)index->spill(*files->sparse, *files->times, files_.durable_end(), SegmentIndex::Spill::kWholeBlocks);
    }
  }
  is_spilling_ = false;
}

io::Task<> PartitionLog::seal(std::shared_ptr<Sealing> sealing) {
  // Without final files the segment's index is rebuilt when it is next asked for.
  (void)co_await seal_now(*sealing);
  std::erase(sealing_, sealing);
}

io::Task<Result<>> PartitionLog::seal_now(Sealing& sealing) {
  // Only what is durable may go to an index file.
  PYRALOG_CO_TRY(co_await wait_durable(sealing.round));
  const Offset base = sealing.summary.base;
  PYRALOG_CO_TRY(co_await complete_index(sealing.index));
  PYRALOG_CO_ASSIGN(const IndexFiles files, co_await open_index_files(base, io::Existence::kMayCreate));
  // A truncation or retention may have been here, and it removed the files before it began.
  if (sealing.is_cancelled || files_.find_segment(base) == nullptr) co_return Result<>();
  if (!sealing.index->is_complete()) co_return ErrorCode::kAborted;
  if (!sealing.peak_known) sealing.summary.peak = sealing.index->peak();
  PYRALOG_CO_TRY(sealing.index->seal(*files.sparse, *files.times, sealing.summary));
  remember_sealed({sealing.summary, sealing.index->sparse_count(), sealing.index->time_count()});
  co_return Result<>();
}

io::Task<> PartitionLog::rest() {
  if (index_ != nullptr && index_->resident_count() > 0 && !is_spilling_) {
    const std::shared_ptr<SegmentIndex> index = index_;
    if (index->is_complete() && files_.durable_end() == log_end()) {
      const auto files = co_await open_index_files(index->base(), io::Existence::kMayCreate);
      if (files.ok() && index == index_ && !is_cutting_) {
        (void)index->spill(*files->sparse, *files->times, files_.durable_end(), SegmentIndex::Spill::kAll);
      }
    }
  }
  // Work that holds the index goes on with its own reference; what it learns is learnt again when needed.
  if (!is_spilling_ && !index_work_.held()) {
    index_ = nullptr;
    inherited_ = {log_end(), files_.active().end};
  }
  sealed_ = {};
  hints_ = {};
}

}  // namespace pyralog::storage
