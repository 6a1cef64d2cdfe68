// Reading by offset: which bytes of which segment, and where they are.
#include <algorithm>

#include "storage/partition_log.h"

namespace pyralog::storage {
namespace {

// Beyond any segment, and far from overflowing a position.
constexpr std::uint64_t kReadBytesMax = std::uint64_t{1} << 48;

}  // namespace

io::Task<Result<ReadResult>> PartitionLog::read(ReadOptions options) {
  ++shard_.counters.reads;
  for (;;) {
    const std::uint64_t replacements = files_.replacements();
    auto found = co_await read_once(options);
    // Positions of segments that compaction has replaced meanwhile: what is there now is found by looking again.
    if (replacements == files_.replacements()) co_return found;
  }
}

io::Task<Result<ReadResult>> PartitionLog::read_once(ReadOptions options) {
  options.bytes_max = std::min(options.bytes_max, kReadBytesMax);
  if (options.offset < start() || options.offset > log_end()) co_return ErrorCode::kOutOfRange;
  ReadResult result{.pieces = {}, .bytes = 0, .end = options.offset};
  const Offset limit = limit_of(options.limit);
  const std::uint32_t cuts = cuts_;
  const std::uint64_t replacements = files_.replacements();
  Offset base = segment_at(options.offset).base;
  while (options.offset < limit) {
    const Segment* segment = files_.find_segment(base);
    if (segment == nullptr) co_return ErrorCode::kOutOfRange;
    PYRALOG_CO_ASSIGN(const Range range, co_await find_range(*segment, options, limit));
    if (range.begin < range.end) {
      PYRALOG_CO_TRY(co_await collect(base, range, result));
      if (cuts != cuts_ || replacements != files_.replacements()) co_return ErrorCode::kAborted;
      result.end = range.end_offset;
      remember_end(range.end_offset, {base, range.end});
      co_return result;
    }
    // Compaction may have taken the segment's last records; those that are wanted then begin with the next one.
    const Offset next = segment_end(base);
    // The last one, if it is empty, ends where it begins.
    if (range.end_offset < next || next == base || files_.find_segment(next) == nullptr) co_return result;
    base = next;
  }
  co_return result;
}

void PartitionLog::forget_moved_hints() noexcept {
  if (hints_replacements_ == files_.replacements()) return;
  hints_replacements_ = files_.replacements();
  hints_ = {};
}

void PartitionLog::remember_end(Offset offset, LogPosition at) noexcept {
  forget_moved_hints();
  hints_[hint_next_] = {offset, at};
  hint_next_ = (hint_next_ + 1) % hints_.size();
}

/// The batch with the record at `offset`, or the first one after it; the segment's end if there is none.
io::Task<Result<SegmentMark>> PartitionLog::find_batch(Offset base, Offset offset) {
  forget_moved_hints();
  for (const ReadHint& hint : hints_) {
    if (hint.offset == offset && hint.at.segment == base) co_return SegmentMark{offset, hint.at.position};
  }
  PYRALOG_CO_ASSIGN(SegmentMark at, co_await find_mark(base, SparseEntry::Bound{.offset_max = offset}));
  BatchCursor cursor(source(base), BatchCursor::Window::kLookup);
  for (;;) {
    const Segment* segment = files_.find_segment(base);
    if (segment == nullptr) co_return ErrorCode::kOutOfRange;
    if (at.position >= segment->end) co_return SegmentMark{segment_end(base), segment->end};
    if (!cursor.covers(at.position)) PYRALOG_CO_TRY(co_await cursor.load(at.position));
    PYRALOG_CO_ASSIGN(const record::BatchHeader header, cursor.header_at(at.position));
    // A batch's checksum does not cover its offsets, so their order is checked wherever they are used.
    if (header.base_offset() < at.offset) co_return Error(ErrorCode::kCorrupt, "a batch's offsets are out of order");
    if (header.last_offset() >= offset) co_return SegmentMark{header.base_offset(), at.position};
    at = {header.end_offset(), at.position + header.batch_bytes()};
  }
}

io::Task<Result<PartitionLog::Range>> PartitionLog::find_range(Segment segment, ReadOptions options, Offset limit) {
  PYRALOG_CO_ASSIGN(const SegmentMark begin, co_await find_batch(segment.base, options.offset));
  Range range{.begin = begin.position, .end = begin.position, .end_offset = begin.offset};
  const Offset end_offset = segment_end(segment.base);
  const Segment* now = files_.find_segment(segment.base);
  if (now == nullptr) co_return ErrorCode::kOutOfRange;
  if (end_offset <= limit && now->end - begin.position <= options.bytes_max) {
    range.end = now->end;
    range.end_offset = end_offset;
    co_return range;
  }
  // Skip what fits for certain: up to the last indexed batch that begins within both bounds.
  const SparseEntry::Bound bound{.offset_max = limit, .position_max = begin.position + options.bytes_max};
  PYRALOG_CO_ASSIGN(const SegmentMark fits, co_await find_mark(segment.base, bound));
  if (fits.position > range.end) {
    range.end = fits.position;
    range.end_offset = fits.offset;
  }
  BatchCursor cursor(source(segment.base), BatchCursor::Window::kLookup);
  while (range.end_offset < limit) {
    if (!cursor.covers(range.end)) PYRALOG_CO_TRY(co_await cursor.load(range.end));
    PYRALOG_CO_ASSIGN(const record::BatchHeader header, cursor.header_at(range.end));
    const std::uint64_t bytes = range.end + header.batch_bytes() - begin.position;
    const bool is_first = range.end == begin.position;
    const bool fits_too = bytes <= options.bytes_max || (is_first && options.first_batch == FirstBatch::kAlways);
    if (header.end_offset() > limit || !fits_too) break;
    if (header.base_offset() < range.end_offset) co_return Error(ErrorCode::kCorrupt, "a batch's offsets are out of order");
    range.end += header.batch_bytes();
    range.end_offset = header.end_offset();
    const Segment* current = files_.find_segment(segment.base);
    if (current == nullptr || range.end >= current->end) break;
  }
  co_return range;
}

io::Task<Result<>> PartitionLog::collect(Offset base, Range range, ReadResult& result) {
  std::uint64_t at = range.begin;
  SegmentSource from = source(base);
  SharedFile file;
  while (at < range.end) {
    files_.locate(base, at, range.end - at, shard_.parts);
    if (shard_.parts.empty()) co_return files_.find_segment(base) == nullptr ? ErrorCode::kOutOfRange : ErrorCode::kCorrupt;
    bool needs_file = false;
    for (StoredPart& part : shard_.parts) {
      if (part.slice.empty() && file == nullptr) {
        needs_file = true;
        break;
      }
      if (part.slice.empty()) {
        shard_.counters.bytes_read_file += part.bytes;
        result.pieces.emplace_back(FileRange{file, part.position, part.bytes});
      } else {
        shard_.counters.bytes_read_memory += part.bytes;
        result.pieces.emplace_back(std::move(part.slice));
      }
      at += part.bytes;
    }
    shard_.parts.clear();
    if (!needs_file) continue;
    PYRALOG_CO_ASSIGN(file, co_await from.file());
  }
  result.bytes = range.end - range.begin;
  co_return Result<>();
}

}  // namespace pyralog::storage
