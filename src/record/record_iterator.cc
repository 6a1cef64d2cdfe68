#include "record/record_iterator.h"

#include "record/record_parse.h"

namespace pyralog::record {
namespace {

std::optional<ByteView> nullable(const std::byte* data, std::int32_t bytes) noexcept {
  if (bytes < 0) return std::nullopt;
  return ByteView(data, static_cast<std::size_t>(bytes));
}

}  // namespace

void HeaderList::Iterator::load() noexcept {
  if (left_ == 0) return;
  ParsedHeader parsed;
  at_ = parse_header(at_, end_, parsed);
  PYRALOG_ASSERT(at_ != nullptr, "headers are checked before they are listed");
  header_.key = as_text({parsed.key, static_cast<std::size_t>(parsed.key_bytes)});
  header_.value = nullable(parsed.value, parsed.value_bytes);
}

Result<RecordIterator> RecordIterator::open(const BatchView& batch, Decompressor& decompressor) {
  PYRALOG_ASSIGN(const ByteView records, decompressor.decompress(batch.codec(), batch.payload()));
  return RecordIterator(batch, records);
}

RecordIterator::RecordIterator(const BatchView& batch, ByteView records) noexcept
    : at_(records.data()),
      end_(records.data() + records.size()),
      base_offset_(batch.base_offset()),
      base_timestamp_(batch.base_timestamp()),
      left_(batch.records_count()),
      last_offset_delta_(batch.last_offset_delta()) {
  if (batch.timestamp_type() == TimestampType::kLogAppendTime) append_time_ = batch.max_timestamp();
}

Result<bool> RecordIterator::next(RecordView& record) {
  if (left_ == 0) {
    if (at_ != end_) return Error(ErrorCode::kInvalidRecord, "the batch goes on after the last record of its count");
    return false;
  }
  ParsedRecord parsed;
  if (const char* reason = parse_record(at_, end_, parsed); reason != nullptr) [[unlikely]]
    return Error(ErrorCode::kInvalidRecord, reason);
  if (parsed.offset_delta <= offset_delta_before_ || parsed.offset_delta > last_offset_delta_) [[unlikely]]
    return Error(ErrorCode::kInvalidRecord, "a record's offset delta is out of order");
  std::int64_t timestamp;
  if (__builtin_add_overflow(base_timestamp_.ms, parsed.timestamp_delta, &timestamp)) [[unlikely]]
    return Error(ErrorCode::kInvalidRecord, "a record's timestamp is out of range");

  record.offset = base_offset_ + OffsetDelta(parsed.offset_delta);
  record.timestamp = append_time_.value_or(WallTime{timestamp});
  record.key = nullable(parsed.key, parsed.key_bytes);
  record.value = nullable(parsed.value, parsed.value_bytes);
  record.headers = HeaderList({parsed.headers, parsed.end}, parsed.header_count);
  offset_delta_before_ = parsed.offset_delta;
  at_ = parsed.end;
  --left_;
  return true;
}

}  // namespace pyralog::record
