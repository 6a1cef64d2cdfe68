#include "storage/segment_index.h"

#include <algorithm>

namespace pyralog::storage {
namespace {

/// The last entry of a run that is within the bound, by binary search.
template <class Entry>
std::optional<Entry> find_last(const std::vector<Entry>& entries, const typename Entry::Bound& bound) noexcept {
  const auto after =
      std::partition_point(entries.begin(), entries.end(), [&bound](const Entry& entry) { return entry.within(bound); });
  if (after == entries.begin()) return std::nullopt;
  return *std::prev(after);
}

/// What a file holds, as far as it is good: whole blocks are counted and left there, the rest is taken to memory.
template <class Entry>
struct Adopted {
  std::vector<Entry> loose;
  std::optional<Entry> last;
  std::uint32_t in_file = 0;
};

/// `believable` rejects entries beyond what the segment is known to hold.
template <class Entry, class Believable>
io::Task<Result<Adopted<Entry>>> adopt_file(io::File& file, Offset base, Believable believable) {
  Adopted<Entry> adopted;
  IndexBlock block;
  for (std::uint32_t index = 0;; ++index) {
    const auto read = co_await read_index_block<Entry>(file, base, index, block);
    if (!read.ok() && read.error() == ErrorCode::kCorrupt) co_return adopted;
    PYRALOG_CO_TRY(read);
    PYRALOG_CO_ASSIGN(const auto view, IndexBlockView<Entry>::parse(block, base));
    std::size_t good = 0;
    std::optional<Entry> last = adopted.last;
    for (; good < view.count(); ++good) {
      const Entry entry = view.at(good);
      if (!believable(entry) || (last.has_value() && !entry.rises_after(*last))) break;
      last = entry;
    }
    adopted.last = last;
    if (good == kEntriesPerBlock<Entry>) {
      adopted.in_file += static_cast<std::uint32_t>(good);
      continue;
    }
    for (std::size_t i = 0; i < good; ++i) adopted.loose.push_back(view.at(i));
    co_return adopted;
  }
}

template <class Entry>
std::uint32_t next_block(std::uint32_t entries_in_file) noexcept {
  return entries_in_file / static_cast<std::uint32_t>(kEntriesPerBlock<Entry>);
}

/// Writes the first `count` entries and drops those in whole blocks from memory.
template <class Entry>
Result<> spill_entries(io::File& file, Offset base, std::vector<Entry>& entries, std::size_t count,
                       std::uint32_t& in_file) {
  PYRALOG_TRY(write_index_blocks<Entry>(file, base, next_block<Entry>(in_file), std::span(entries).first(count)));
  const std::size_t whole = count - count % kEntriesPerBlock<Entry>;
  entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(whole));
  in_file += static_cast<std::uint32_t>(whole);
  return {};
}

template <class Entry>
std::size_t count_below(const std::vector<Entry>& entries, Offset end) noexcept {
  const auto after =
      std::partition_point(entries.begin(), entries.end(), [end](const Entry& entry) { return entry.offset < end; });
  return static_cast<std::size_t>(after - entries.begin());
}

}  // namespace

void IndexTail::note(const record::BatchHeader& batch, std::uint64_t position) {
  constexpr std::uint64_t kInterval = log_format::index::kIntervalBytes;
  if (!last_sparse.has_value() || position >= last_sparse->position + kInterval) {
    last_sparse = SparseEntry{batch.base_offset(), position, static_cast<std::uint32_t>(batch.batch_bytes())};
    sparse.push_back(*last_sparse);
  }
  peak.note(batch);
  if (peak.batch_base < Offset(0)) return;
  const bool rose = !last_time.has_value() || peak.timestamp > last_time->timestamp;
  if (rose && (!last_time.has_value() || position >= last_time_position + kInterval)) {
    last_time = TimeEntry{peak.timestamp, batch.base_offset()};
    last_time_position = position;
    times.push_back(*last_time);
  }
}

bool SegmentIndex::block_waits(Offset durable_end) const noexcept {
  constexpr std::size_t kSparse = kEntriesPerBlock<SparseEntry>;
  constexpr std::size_t kTimes = kEntriesPerBlock<TimeEntry>;
  return (tail_.sparse.size() >= kSparse && tail_.sparse[kSparse - 1].offset < durable_end) ||
         (tail_.times.size() >= kTimes && tail_.times[kTimes - 1].offset < durable_end);
}

std::optional<SegmentMark> SegmentIndex::find_resident(const SparseEntry::Bound& bound) const noexcept {
  if (const auto entry = find_last(tail_.sparse, bound)) return SegmentMark{entry->offset, entry->position};
  if (!is_complete_) {
    if (inherited_.offset <= bound.offset_max && inherited_.position <= bound.position_max) return inherited_;
    return std::nullopt;
  }
  if (tail_.sparse_in_file == 0) return SegmentMark{base_, 0};
  return std::nullopt;
}

io::Task<Result<SegmentMark>> SegmentIndex::find(SparseEntry::Bound bound, SharedFile index) const {
  if (const auto mark = find_resident(bound)) co_return *mark;
  PYRALOG_ASSERT(is_complete_, "a look-up in an index that is not complete");
  if (index == nullptr) co_return ErrorCode::kCorrupt;
  PYRALOG_CO_ASSIGN(const auto entry, co_await find_in_index<SparseEntry>(*index, base_, tail_.sparse_in_file, bound));
  co_return entry.has_value() ? SegmentMark{entry->offset, entry->position} : SegmentMark{base_, 0};
}

io::Task<Result<std::optional<TimeEntry>>> SegmentIndex::find_time(WallTime before, SharedFile times) const {
  PYRALOG_ASSERT(is_complete_, "a look-up in an index that is not complete");
  const TimeEntry::Bound bound{before};
  if (const auto entry = find_last(tail_.times, bound)) co_return entry;
  if (tail_.times_in_file == 0) co_return std::optional<TimeEntry>();
  if (times == nullptr) co_return ErrorCode::kCorrupt;
  co_return co_await find_in_index<TimeEntry>(*times, base_, tail_.times_in_file, bound);
}

io::Task<Result<>> SegmentIndex::complete(SegmentSource source, SharedFile index, SharedFile times) {
  if (is_complete_) co_return Result<>();
  IndexTail found;
  PYRALOG_CO_TRY(co_await adopt(index, std::move(times), found));
  PYRALOG_CO_TRY(co_await scan_rest(std::move(source), std::move(index), found));
  merge(std::move(found));
  co_return Result<>();
}

io::Task<Result<>> SegmentIndex::adopt(SharedFile index, SharedFile times, IndexTail& found) const {
  if (index == nullptr || times == nullptr) co_return Result<>();
  const SegmentMark end = inherited_;
  const auto sparse_believable = [end](const SparseEntry& entry) {
    return entry.offset < end.offset && entry.position < end.position && entry.batch_bytes <= end.position - entry.position;
  };
  PYRALOG_CO_ASSIGN(auto sparse, co_await adopt_file<SparseEntry>(*index, base_, sparse_believable));
  const auto time_believable = [end](const TimeEntry& entry) { return entry.offset < end.offset; };
  PYRALOG_CO_ASSIGN(auto time, co_await adopt_file<TimeEntry>(*times, base_, time_believable));
  found.sparse = std::move(sparse.loose);
  found.last_sparse = sparse.last;
  found.sparse_in_file = sparse.in_file;
  found.times = std::move(time.loose);
  found.last_time = time.last;
  found.times_in_file = time.in_file;
  if (time.last.has_value()) found.peak = {time.last->timestamp, time.last->offset};
  co_return Result<>();
}

io::Task<Result<>> SegmentIndex::scan_rest(SegmentSource source, SharedFile index, IndexTail& found) const {
  SegmentMark at{base_, 0};
  if (found.last_sparse.has_value() && found.last_time.has_value()) {
    // The newest timestamp is known up to the last time entry only.
    const SparseEntry::Bound bound{.offset_max = std::min(found.last_sparse->offset, found.last_time->offset)};
    std::optional<SparseEntry> from = find_last(found.sparse, bound);
    if (!from.has_value() && found.sparse_in_file > 0) {
      PYRALOG_CO_ASSIGN(from, co_await find_in_index<SparseEntry>(*index, base_, found.sparse_in_file, bound));
    }
    if (from.has_value()) {
      at = {from->offset, from->position};
      found.last_time_position = from->position;
    }
  }
  BatchCursor cursor(std::move(source), BatchCursor::Window::kScan);
  while (at.position < inherited_.position) {
    if (!cursor.covers(at.position)) PYRALOG_CO_TRY(co_await cursor.load(at.position));
    PYRALOG_CO_ASSIGN(const record::BatchHeader header, cursor.header_at(at.position));
    if (header.base_offset() < at.offset || header.batch_bytes() > inherited_.position - at.position) {
      co_return Error(ErrorCode::kCorrupt, "a segment is not a run of batches");
    }
    found.note(header, at.position);
    at = {header.end_offset(), at.position + header.batch_bytes()};
  }
  if (at.offset > inherited_.offset) co_return Error(ErrorCode::kCorrupt, "a segment holds offsets beyond its end");
  co_return Result<>();
}

void SegmentIndex::merge(IndexTail found) {
  // What was noted since knew nothing of the newest timestamp before it.
  for (TimeEntry entry : tail_.times) {
    entry.timestamp = std::max(entry.timestamp, found.peak.timestamp);
    if (found.last_time.has_value() && !entry.rises_after(*found.last_time)) continue;
    found.times.push_back(entry);
    found.last_time = entry;
    found.last_time_position = tail_.last_time_position;
  }
  if (!tail_.sparse.empty()) {
    found.sparse.insert(found.sparse.end(), tail_.sparse.begin(), tail_.sparse.end());
    found.last_sparse = tail_.last_sparse;
  }
  if (tail_.peak.timestamp > found.peak.timestamp) found.peak = tail_.peak;
  tail_ = std::move(found);
  is_complete_ = true;
}

Result<> SegmentIndex::spill(io::File& index, io::File& times, Offset durable_end, Spill what) {
  PYRALOG_ASSERT(is_complete_, "an incomplete index would leave a hole in its file");
  std::size_t sparse_count = count_below(tail_.sparse, durable_end);
  std::size_t time_count = count_below(tail_.times, durable_end);
  if (what == Spill::kWholeBlocks) {
    sparse_count -= sparse_count % kEntriesPerBlock<SparseEntry>;
    time_count -= time_count % kEntriesPerBlock<TimeEntry>;
  }
  PYRALOG_TRY(spill_entries(index, base_, tail_.sparse, sparse_count, tail_.sparse_in_file));
  return spill_entries(times, base_, tail_.times, time_count, tail_.times_in_file);
}

Result<> SegmentIndex::seal(io::File& index, io::File& times, const SegmentSummary& summary) {
  PYRALOG_TRY(spill(index, times, summary.end, Spill::kAll));
  IndexBlock header;
  const ByteView piece = header;
  encode_index_header<SparseEntry>(summary, sparse_count(), header);
  PYRALOG_TRY(index.write_now(0, {&piece, 1}));
  encode_index_header<TimeEntry>(summary, time_count(), header);
  return times.write_now(0, {&piece, 1});
}

}  // namespace pyralog::storage
