#include "record/batch_view.h"

#include <limits>

#include "core/checksum.h"

namespace pyralog::record {
namespace {

// The last base offset from which every legal delta, and the end after it, is still an offset.
constexpr std::int64_t kBaseOffsetMax =
    std::numeric_limits<std::int64_t>::max() - std::numeric_limits<std::int32_t>::max() - 1;

}  // namespace

Result<BatchHeader> BatchHeader::parse(ByteView bytes) {
  if (bytes.size() < format::kPrefixBytes) return ErrorCode::kTruncated;
  const BatchHeader header(bytes.data());
  const auto length = header.load<std::int32_t>(format::kBatchLengthAt);
  const auto magic = header.load<std::int8_t>(format::kMagicAt);
  if (length < static_cast<std::int32_t>(format::kLegacyLengthMin)) return ErrorCode::kCorrupt;
  if (magic != format::kMagic) {
    return magic == 0 || magic == 1 ? ErrorCode::kInvalidRecord : ErrorCode::kCorrupt;
  }
  if (length < static_cast<std::int32_t>(format::kBatchLengthMin)) return ErrorCode::kCorrupt;
  if (bytes.size() < format::kHeaderBytes) return ErrorCode::kTruncated;

  const std::int64_t base = header.base_offset().value;
  if (base < 0 || base > kBaseOffsetMax) return ErrorCode::kInvalidRecord;
  if (header.last_offset_delta() < 0 || header.records_count() < 0) return ErrorCode::kInvalidRecord;
  return header;
}

std::int32_t BatchHeader::last_sequence() const noexcept {
  const std::int32_t base = base_sequence();
  return base < 0 ? kNoSequence : sequence_after(base, last_offset_delta());
}

Result<BatchView> BatchView::parse(ByteView bytes) {
  PYRALOG_ASSIGN(const BatchHeader header, BatchHeader::parse(bytes));
  if (header.batch_bytes() > bytes.size()) return ErrorCode::kTruncated;
  return BatchView(header);
}

Result<BatchView> BatchView::parse_only(ByteView bytes, std::size_t batch_bytes_max) {
  if (bytes.size() > batch_bytes_max) return ErrorCode::kTooLarge;
  auto view = parse(bytes);
  if (!view.ok()) {
    // Nothing more will come: a batch that ends early lies about its length.
    if (view.error() == ErrorCode::kTruncated) return ErrorCode::kCorrupt;
    return view;
  }
  if (view->batch_bytes() != bytes.size()) return ErrorCode::kInvalidRecord;
  return view;
}

Result<> BatchView::verify_crc() const {
  if (batch_crc(bytes()) != crc()) return ErrorCode::kCorrupt;
  return {};
}

std::int32_t sequence_after(std::int32_t sequence, std::int32_t count) noexcept {
  const std::uint32_t sum = static_cast<std::uint32_t>(sequence) + static_cast<std::uint32_t>(count);
  return static_cast<std::int32_t>(sum & 0x7FFFFFFFu);
}

std::uint32_t batch_crc(ByteView batch) noexcept { return crc32c(batch.subspan(format::kAttributesAt)); }

}  // namespace pyralog::record
