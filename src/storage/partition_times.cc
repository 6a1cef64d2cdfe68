// Reading by time: time index, then headers, then the records of one batch.
#include <algorithm>

#include "record/record_iterator.h"
#include "storage/partition_log.h"

namespace pyralog::storage {
namespace {

using Found = Result<std::optional<TimestampedOffset>>;

/// A segment that vanished while it was looked at: asking again finds what is there now.
Found or_again(Found found) {
  if (!found.ok() && found.error() == ErrorCode::kOutOfRange) return ErrorCode::kAborted;
  return found;
}

/// Looks until compaction has not replaced segments meanwhile.
template <class Look>
io::Task<Found> until_unmoved(const PartitionFiles& files, Look look) {
  for (;;) {
    const std::uint64_t replacements = files.replacements();
    Found found = or_again(co_await look());
    if (replacements == files.replacements()) co_return found;
  }
}

}  // namespace

io::Task<Result<std::optional<TimestampedOffset>>> PartitionLog::offset_for_time(WallTime timestamp, ReadLimit limit) {
  const auto look = [&] { return search(timestamp, limit_of(limit)); };
  co_return co_await until_unmoved(files_, look);
}

io::Task<Result<std::optional<TimestampedOffset>>> PartitionLog::newest_timestamp(ReadLimit limit) {
  const auto look = [&] { return search_newest(limit_of(limit)); };
  co_return co_await until_unmoved(files_, look);
}

io::Task<Result<std::optional<TimestampedOffset>>> PartitionLog::search_newest(Offset limit) {
  WallTime newest = record::kNoTimestamp;
  Offset base = files_.segments().front().base;
  for (bool more = true; more;) {
    PYRALOG_CO_ASSIGN(const WallTime peak, co_await segment_peak(base));
    newest = std::max(newest, peak);
    const Offset next = segment_end(base);
    more = next != base && files_.find_segment(next) != nullptr;
    base = next;
  }
  if (newest == record::kNoTimestamp) co_return std::optional<TimestampedOffset>();
  co_return co_await search(newest, limit);
}

io::Task<Result<std::optional<TimestampedOffset>>> PartitionLog::search(WallTime timestamp, Offset limit) {
  Offset base = segment_at(start()).base;
  for (;;) {
    const bool is_active = base == files_.active().base;
    bool may_hold = true;
    if (!is_active) {
      PYRALOG_CO_ASSIGN(const SegmentSummary summary, co_await summary_of(base));
      may_hold = summary.peak.timestamp >= timestamp;
    } else if (files_.state().segment_peak_exact()) {
      may_hold = files_.state().segment_peak().timestamp >= timestamp;
    }
    if (may_hold) {
      PYRALOG_CO_ASSIGN(const auto found, co_await search_segment(base, timestamp, limit));
      if (found.has_value()) co_return found->offset < limit ? found : std::nullopt;
    }
    const Offset next = segment_end(base);
    if (next >= limit || next == base || files_.find_segment(next) == nullptr) {
      co_return std::optional<TimestampedOffset>();
    }
    base = next;
  }
}

io::Task<Result<std::optional<TimestampedOffset>>> PartitionLog::search_segment(Offset base, WallTime timestamp,
                                                                               Offset limit) {
  PYRALOG_CO_ASSIGN(const auto older, co_await find_time(base, timestamp));
  const Offset from = std::max(older.has_value() ? older->offset + OffsetDelta(1) : base, start());
  PYRALOG_CO_ASSIGN(SegmentMark at, co_await find_batch(base, from));
  BatchCursor cursor(source(base), BatchCursor::Window::kScan);
  for (;;) {
    const Segment* segment = files_.find_segment(base);
    if (segment == nullptr) co_return ErrorCode::kOutOfRange;
    if (at.position >= segment->end || at.offset >= limit) co_return std::optional<TimestampedOffset>();
    if (!cursor.covers(at.position)) PYRALOG_CO_TRY(co_await cursor.load(at.position));
    PYRALOG_CO_ASSIGN(const record::BatchHeader header, cursor.header_at(at.position));
    if (header.base_offset() < at.offset) co_return Error(ErrorCode::kCorrupt, "a batch's offsets are out of order");
    const SegmentMark next{header.end_offset(), at.position + header.batch_bytes()};
    if (header.max_timestamp() >= timestamp) {
      PYRALOG_CO_ASSIGN(const Slice batch, co_await cursor.read_batch(at.position, header.batch_bytes()));
      PYRALOG_CO_ASSIGN(const auto found, search_batch(batch, timestamp));
      if (found.has_value()) co_return found;
    }
    at = next;
  }
}

/// The first readable record of the batch that is not older than `timestamp`. A compressed batch may turn out not to hold
/// what its header says (nobody has opened it before), or not to be readable at all: in the latter case its first offset is
/// the answer, from which on nothing wanted is missed.
Result<std::optional<TimestampedOffset>> PartitionLog::search_batch(const Slice& batch, WallTime timestamp) const {
  PYRALOG_ASSIGN(const record::BatchView view, record::BatchView::parse(batch.view()));
  const LeaderEpoch epoch = view.leader_epoch();
  const TimestampedOffset unreadable{std::max(view.base_offset(), start()), view.max_timestamp(), epoch};
  auto records = record::RecordIterator::open(view, shard_.decompressor);
  std::optional<TimestampedOffset> found;
  if (!records.ok()) found = unreadable;
  record::RecordView record;
  while (!found.has_value()) {
    const Result<bool> more = records->next(record);
    if (!more.ok()) {
      found = unreadable;
    } else if (!*more) {
      break;
    } else if (record.timestamp >= timestamp && record.offset >= start()) {
      found = TimestampedOffset{record.offset, record.timestamp, epoch};
    }
  }
  shard_.decompressor.trim();
  return found;
}

io::Task<Result<WallTime>> PartitionLog::segment_peak(Offset base) {
  const bool is_active = base == files_.active().base;
  if (start() <= base) {
    if (!is_active) {
      PYRALOG_CO_ASSIGN(const SegmentSummary summary, co_await summary_of(base));
      co_return summary.peak.timestamp;
    }
    if (!files_.state().segment_peak_exact()) PYRALOG_CO_TRY(co_await complete_index(index_in_memory(base)));
    co_return files_.state().segment_peak().timestamp;
  }
  // Part of the segment was deleted, perhaps with its newest record: only a look at what remains can tell.
  TimestampPeak peak;
  PYRALOG_CO_ASSIGN(SegmentMark at, co_await find_batch(base, start()));
  BatchCursor cursor(source(base), BatchCursor::Window::kScan);
  for (;;) {
    const Segment* segment = files_.find_segment(base);
    if (segment == nullptr) co_return ErrorCode::kOutOfRange;
    if (at.position >= segment->end) co_return peak.timestamp;
    if (!cursor.covers(at.position)) PYRALOG_CO_TRY(co_await cursor.load(at.position));
    PYRALOG_CO_ASSIGN(const record::BatchHeader header, cursor.header_at(at.position));
    peak.note(header);
    at = {header.end_offset(), at.position + header.batch_bytes()};
  }
}

}  // namespace pyralog::storage
