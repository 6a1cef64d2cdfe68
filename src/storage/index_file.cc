#include "storage/index_file.h"

#include <algorithm>

#include "core/checksum.h"

namespace pyralog::storage {

namespace format = log_format::index;

namespace {

std::uint64_t block_position(std::uint32_t index) noexcept { return (std::uint64_t{index} + 1) * format::kBlockBytes; }

}  // namespace

template <class Entry>
void encode_index_block(std::span<const Entry> entries, Offset segment_base, IndexBlock& block) {
  PYRALOG_ASSERT(entries.size() <= kEntriesPerBlock<Entry>, "too many entries for a block");
  block.fill(std::byte{0});
  store_little(block.data() + format::kBlockKindAt, Entry::kKind);
  store_little(block.data() + format::kBlockVersionAt, format::kBlockVersion);
  store_little(block.data() + format::kBlockCountAt, static_cast<std::uint16_t>(entries.size()));
  store_little(block.data() + format::kBlockBaseAt, segment_base.value);
  std::byte* to = block.data() + format::kEntriesAt;
  for (const Entry& entry : entries) {
    entry.store(to);
    to += Entry::kBytes;
  }
  const ByteView covered = ByteView(block).subspan(format::kBlockKindAt);
  store_little(block.data() + format::kBlockCrcAt, crc32c(covered));
}

template <class Entry>
Result<IndexBlockView<Entry>> IndexBlockView<Entry>::parse(ByteView block, Offset segment_base) {
  if (block.size() < format::kBlockBytes) return ErrorCode::kCorrupt;
  block = block.first(format::kBlockBytes);
  const std::uint32_t crc = load_little<std::uint32_t>(block.data() + format::kBlockCrcAt);
  const std::size_t count = load_little<std::uint16_t>(block.data() + format::kBlockCountAt);
  const bool ours = load_little<std::uint8_t>(block.data() + format::kBlockKindAt) == Entry::kKind &&
                    load_little<std::uint8_t>(block.data() + format::kBlockVersionAt) == format::kBlockVersion &&
                    load_little<std::int64_t>(block.data() + format::kBlockBaseAt) == segment_base.value;
  if (!ours || count == 0 || count > kEntriesPerBlock<Entry> || crc != crc32c(block.subspan(format::kBlockKindAt))) {
    return ErrorCode::kCorrupt;
  }
  const IndexBlockView view(block.data() + format::kEntriesAt, count);
  for (std::size_t i = 1; i < count; ++i) {
    if (!view.at(i).rises_after(view.at(i - 1))) return ErrorCode::kCorrupt;
  }
  return view;
}

template <class Entry>
std::optional<Entry> IndexBlockView<Entry>::find(const typename Entry::Bound& bound) const noexcept {
  std::size_t low = 0;  // entries below it are within the bound
  std::size_t high = count_;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (at(middle).within(bound)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return std::nullopt;
  return at(low - 1);
}

template <class Entry>
void encode_index_header(const SegmentSummary& summary, std::uint32_t entry_count, IndexBlock& block) {
  block.fill(std::byte{0});
  store_little(block.data(), Entry::kMagic);
  store_little(block.data() + format::kVersionAt, format::kVersion);
  store_little(block.data() + format::kSegmentBaseAt, summary.base.value);
  store_little(block.data() + format::kEndOffsetAt, summary.end.value);
  store_little(block.data() + format::kEndPositionAt, summary.end_position);
  store_little(block.data() + format::kEntryCountAt, entry_count);
  store_little(block.data() + format::kPeakTimestampAt, summary.peak.timestamp.ms);
  store_little(block.data() + format::kPeakBaseAt, summary.peak.batch_base.value);
  store_little(block.data() + format::kAppendedAt, summary.appended_at.ms);
  store_little(block.data() + format::kHeaderCrcAt, crc32c(ByteView(block).first(format::kHeaderBytes)));
}

template <class Entry>
Result<IndexHeader> decode_index_header(ByteView block, Offset segment_base) {
  if (block.size() < format::kHeaderBytes) return ErrorCode::kTruncated;
  if (load_little<std::uint64_t>(block.data()) != Entry::kMagic) return ErrorCode::kCorrupt;
  if (load_little<std::uint32_t>(block.data() + format::kVersionAt) != format::kVersion) {
    return ErrorCode::kUnsupportedVersion;
  }
  std::array<std::byte, format::kHeaderBytes> covered;
  std::ranges::copy(block.first(format::kHeaderBytes), covered.begin());
  store_little(covered.data() + format::kHeaderCrcAt, std::uint32_t{0});
  if (crc32c(covered) != load_little<std::uint32_t>(block.data() + format::kHeaderCrcAt)) return ErrorCode::kCorrupt;

  IndexHeader header;
  SegmentSummary& summary = header.summary;
  summary.base = Offset(load_little<std::int64_t>(block.data() + format::kSegmentBaseAt));
  summary.end = Offset(load_little<std::int64_t>(block.data() + format::kEndOffsetAt));
  summary.end_position = load_little<std::uint64_t>(block.data() + format::kEndPositionAt);
  summary.peak.timestamp = WallTime{load_little<std::int64_t>(block.data() + format::kPeakTimestampAt)};
  summary.peak.batch_base = Offset(load_little<std::int64_t>(block.data() + format::kPeakBaseAt));
  summary.appended_at = WallTime{load_little<std::int64_t>(block.data() + format::kAppendedAt)};
  header.entry_count = load_little<std::uint32_t>(block.data() + format::kEntryCountAt);
  if (summary.base != segment_base || summary.end < summary.base) return ErrorCode::kCorrupt;
  return header;
}

template <class Entry>
io::Task<Result<IndexHeader>> read_index_header(io::File& file, Offset segment_base) {
  std::array<std::byte, format::kHeaderBytes> bytes;
  PYRALOG_CO_ASSIGN(const std::size_t got, co_await file.read(0, bytes));
  co_return decode_index_header<Entry>(ByteView(bytes).first(got), segment_base);
}

template <class Entry>
io::Task<Result<>> read_index_block(io::File& file, Offset segment_base, std::uint32_t index, IndexBlock& block) {
  PYRALOG_CO_ASSIGN(const std::size_t got, co_await file.read(block_position(index), block));
  if (got < block.size()) co_return ErrorCode::kCorrupt;
  PYRALOG_CO_TRY(IndexBlockView<Entry>::parse(block, segment_base));
  co_return Result<>();
}

template <class Entry>
io::Task<Result<std::optional<Entry>>> find_in_index(io::File& file, Offset segment_base, std::uint32_t entry_count,
                                                     typename Entry::Bound bound) {
  constexpr std::uint32_t kPerBlock = static_cast<std::uint32_t>(kEntriesPerBlock<Entry>);
  IndexBlock block;
  std::optional<Entry> best;
  std::uint32_t low = 0;  // blocks below it start within the bound, and `best` is the last entry of theirs that is
  std::uint32_t high = entry_count / kPerBlock + (entry_count % kPerBlock != 0 ? 1 : 0);
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    PYRALOG_CO_TRY(co_await read_index_block<Entry>(file, segment_base, middle, block));
    PYRALOG_CO_ASSIGN(const auto view, IndexBlockView<Entry>::parse(block, segment_base));
    if (!view.at(0).within(bound)) {
      high = middle;
      continue;
    }
    best = view.find(bound);
    if (!view.at(view.count() - 1).within(bound)) break;  // the boundary lies in this block
    low = middle + 1;
  }
  co_return best;
}

template <class Entry>
Result<> write_index_blocks(io::File& file, Offset segment_base, std::uint32_t first_block,
                            std::span<const Entry> entries) {
  IndexBlock block;
  while (!entries.empty()) {
    const auto part = entries.first(std::min(entries.size(), kEntriesPerBlock<Entry>));
    encode_index_block(part, segment_base, block);
    const ByteView piece = block;
    PYRALOG_TRY(file.write_now(block_position(first_block), {&piece, 1}));
    entries = entries.subspan(part.size());
    ++first_block;
  }
  return {};
}

#define PYRALOG_INDEX_OF(Entry)                                                                                   \
  template void encode_index_block<Entry>(std::span<const Entry>, Offset, IndexBlock&);                           \
  template class IndexBlockView<Entry>;                                                                           \
  template void encode_index_header<Entry>(const SegmentSummary&, std::uint32_t, IndexBlock&);                    \
  template Result<IndexHeader> decode_index_header<Entry>(ByteView, Offset);                                      \
  template io::Task<Result<IndexHeader>> read_index_header<Entry>(io::File&, Offset);                             \
  template io::Task<Result<>> read_index_block<Entry>(io::File&, Offset, std::uint32_t, IndexBlock&);             \
  template io::Task<Result<std::optional<Entry>>> find_in_index<Entry>(io::File&, Offset, std::uint32_t,          \
                                                                       Entry::Bound);                             \
  template Result<> write_index_blocks<Entry>(io::File&, Offset, std::uint32_t, std::span<const Entry>)
PYRALOG_INDEX_OF(SparseEntry);
PYRALOG_INDEX_OF(TimeEntry);
#undef PYRALOG_INDEX_OF

}  // namespace pyralog::storage
