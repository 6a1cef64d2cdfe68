#include "record/batch_builder.h"

#include <algorithm>
#include <limits>

#include "record/batch_view.h"
#include "record/varint.h"

namespace pyralog::record {
namespace {

// Every varint of a record but those of its headers, at their longest: length, timestamp delta, offset delta, key and
// value length, header count; and the attributes byte.
constexpr std::size_t kRecordOverheadBytesMax = 1 + format::kVarlongBytesMax + 5 * format::kVarintBytesMax;

std::size_t length_of(const std::optional<ByteView>& bytes) noexcept { return bytes ? bytes->size() : 0; }

/// Bytes and their length before them; -1 stands for null.
std::size_t prefixed_bytes(const std::optional<ByteView>& bytes) noexcept {
  return varint_bytes(bytes ? static_cast<std::int32_t>(bytes->size()) : -1) + length_of(bytes);
}
std::byte* write_prefixed(std::byte* to, const std::optional<ByteView>& bytes) noexcept {
  to = write_varint(to, bytes ? static_cast<std::int32_t>(bytes->size()) : -1);
  if (length_of(bytes) > 0) std::memcpy(to, bytes->data(), bytes->size());
  return to + length_of(bytes);
}

}  // namespace

std::size_t BatchBuilder::record_bytes_max(const RecordInput& record) noexcept {
  std::size_t bytes = kRecordOverheadBytesMax + length_of(record.key) + length_of(record.value);
  for (const HeaderInput& header : record.headers)
    bytes += 2 * format::kVarintBytesMax + header.key.size() + length_of(header.value);
  return bytes;
}

Result<> BatchBuilder::append(const RecordInput& record) {
  const std::size_t bytes_max = record_bytes_max(record);
  if (bytes_max > limits::kDecompressedBytesMax - (plain_.size() - format::kHeaderBytes)) return ErrorCode::kTooLarge;
  const std::int64_t base = records_count_ == 0 ? record.timestamp.ms : base_timestamp_ms_;
  std::int64_t timestamp_delta;
  if (__builtin_sub_overflow(record.timestamp.ms, base, &timestamp_delta)) return ErrorCode::kInvalidTimestamp;

  const std::int32_t offset_delta = records_count_;
  const auto header_count = static_cast<std::int32_t>(record.headers.size());
  std::size_t body = 1 + varint_bytes(timestamp_delta) + varint_bytes(offset_delta) + prefixed_bytes(record.key) +
                     prefixed_bytes(record.value) + varint_bytes(header_count);
  for (const HeaderInput& header : record.headers)
    body += prefixed_bytes(as_bytes(header.key)) + prefixed_bytes(header.value);

  std::byte* const start = plain_.room(bytes_max).data();
  std::byte* to = write_varint(start, static_cast<std::int32_t>(body));
  *to++ = std::byte{0};  // attributes
  to = write_varint(to, timestamp_delta);
  to = write_varint(to, offset_delta);
  to = write_prefixed(to, record.key);
  to = write_prefixed(to, record.value);
  to = write_varint(to, header_count);
  for (const HeaderInput& header : record.headers) {
    to = write_prefixed(to, as_bytes(header.key));
    to = write_prefixed(to, header.value);
  }
  plain_.commit(static_cast<std::size_t>(to - start));

  base_timestamp_ms_ = base;
  max_timestamp_ms_ = records_count_ == 0 ? record.timestamp.ms : std::max(max_timestamp_ms_, record.timestamp.ms);
  ++records_count_;
  return {};
}

Result<ByteView> BatchBuilder::finish() {
  PYRALOG_ASSERT(records_count_ > 0, "a batch has at least one record");
  if (options_.codec == Codec::kNone) {
    write_header({plain_.data(), plain_.size()});
    return plain_.view();
  }
  const ByteView records = plain_.view().subspan(format::kHeaderBytes);
  compressed_.clear();
  compressed_.room(format::kHeaderBytes);
  compressed_.commit(format::kHeaderBytes);
  PYRALOG_TRY(compressor_.compress(options_.codec, records, compressed_));
  if (records.size() > DecompressionLimits().output_bytes_for(compressed_.size() - format::kHeaderBytes))
    return Error(ErrorCode::kTooLarge, "the records compress beyond the ratio that readers accept; use smaller batches");
  write_header({compressed_.data(), compressed_.size()});
  return compressed_.view();
}

void BatchBuilder::clear() noexcept {
  plain_.clear();
  plain_.room(format::kHeaderBytes);
  plain_.commit(format::kHeaderBytes);
  records_count_ = 0;
}

void BatchBuilder::write_header(MutableBytes batch) const noexcept {
  std::byte* const to = batch.data();
  auto attributes = static_cast<std::int16_t>(options_.codec);
  if (options_.transactional) attributes |= format::kTransactionalBit;
  if (options_.control) attributes |= format::kControlBit;
  store_big(to + format::kBaseOffsetAt, options_.base_offset.value);
  store_big(to + format::kBatchLengthAt, static_cast<std::int32_t>(batch.size() - format::kLengthOverheadBytes));
  store_big(to + format::kLeaderEpochAt, options_.leader_epoch.value);
  store_big(to + format::kMagicAt, format::kMagic);
  store_big(to + format::kAttributesAt, attributes);
  store_big(to + format::kLastOffsetDeltaAt, records_count_ - 1);
  store_big(to + format::kBaseTimestampAt, base_timestamp_ms_);
  store_big(to + format::kMaxTimestampAt, max_timestamp_ms_);
  store_big(to + format::kProducerIdAt, options_.producer_id.value);
  store_big(to + format::kProducerEpochAt, options_.producer_epoch.value);
  store_big(to + format::kBaseSequenceAt, options_.base_sequence);
  store_big(to + format::kRecordsCountAt, records_count_);
  store_big(to + format::kCrcAt, batch_crc(batch));
}

}  // namespace pyralog::record
