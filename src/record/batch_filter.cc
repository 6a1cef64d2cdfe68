#include "record/batch_filter.h"

#include <algorithm>

#include "record/format.h"
#include "record/varint.h"

namespace pyralog::record {
namespace {

void begin_output(ByteBuffer& out) {
  out.clear();
  out.room(format::kHeaderBytes);
  out.commit(format::kHeaderBytes);
}

}  // namespace

Result<> BatchFilter::open(const BatchView& batch) {
  batch_ = batch;
  kept_.clear();
  kept_count_ = 0;
  max_timestamp_ = kNoTimestamp;
  records_.reset();
  PYRALOG_ASSIGN(records_, RecordIterator::open(batch, decompressor_));
  return {};
}

Result<bool> BatchFilter::next(RecordView& record) {
  record_at_ = records_->position();
  PYRALOG_ASSIGN(const bool more, records_->next(record));
  record_timestamp_ = record.timestamp;
  return more;
}

void BatchFilter::keep() {
  max_timestamp_ = kept_count_ == 0 ? record_timestamp_ : std::max(max_timestamp_, record_timestamp_);
  ++kept_count_;
  if (!kept_.empty() && kept_.back().end == record_at_) {
    kept_.back().end = records_->position();
  } else {
    kept_.push_back({record_at_, records_->position()});
  }
}

Result<ByteView> BatchFilter::finish(std::optional<WallTime> delete_horizon) {
  if (kept_count_ == batch_->records_count() && !delete_horizon.has_value()) return batch_->bytes();
  begin_output(plain_);
  PYRALOG_TRY(append_records(delete_horizon));
  PYRALOG_ASSIGN(const Codec codec, compress());
  ByteBuffer& out = codec == Codec::kNone ? plain_ : compressed_;
  write_header(out, codec, delete_horizon);
  return out.view();
}

Result<> BatchFilter::append_records(std::optional<WallTime> delete_horizon) {
  std::int64_t shift = 0;
  if (delete_horizon.has_value() &&
      __builtin_sub_overflow(batch_->base_timestamp().ms, delete_horizon->ms, &shift)) {
    return ErrorCode::kInvalidTimestamp;
  }
  for (const Run& run : kept_) {
    if (shift == 0) {
      plain_.append({run.begin, run.end});
    } else {
      PYRALOG_TRY(append_moved(run, shift));
    }
  }
  return {};
}

/// The same records, told relative to a base timestamp that is `shift` earlier. They have been parsed before.
Result<> BatchFilter::append_moved(const Run& run, std::int64_t shift) {
  for (const std::byte* at = run.begin; at != run.end;) {
    std::int32_t length = 0;
    std::int64_t delta = 0;
    at = read_varint(at, run.end, length);
    const std::byte* const end = at + length;
    const std::byte attributes = *at;
    const std::byte* const rest = read_varint(at + 1, end, delta);
    if (__builtin_add_overflow(delta, shift, &delta)) return ErrorCode::kInvalidTimestamp;
    const std::size_t rest_bytes = static_cast<std::size_t>(end - rest);
    const auto body = static_cast<std::int32_t>(1 + varint_bytes(delta) + rest_bytes);
    std::byte* const start = plain_.room(format::kVarintBytesMax + static_cast<std::size_t>(body)).data();
    std::byte* to = write_varint(start, body);
    *to++ = attributes;
    to = write_varint(to, delta);
    to = std::copy(rest, end, to);
    plain_.commit(static_cast<std::size_t>(to - start));
    at = end;
  }
  return {};
}

Result<Codec> BatchFilter::compress() {
  const ByteView records = plain_.view().subspan(format::kHeaderBytes);
  if (batch_->codec() == Codec::kNone || records.empty()) return Codec::kNone;
  begin_output(compressed_);
  PYRALOG_TRY(compressor_.compress(batch_->codec(), records, compressed_));
  const std::size_t compressed_bytes = compressed_.size() - format::kHeaderBytes;
  if (records.size() > DecompressionLimits().output_bytes_for(compressed_bytes)) return Codec::kNone;
  return batch_->codec();
}

void BatchFilter::write_header(ByteBuffer& out, Codec codec, std::optional<WallTime> delete_horizon) const {
  std::byte* const to = out.data();
  const ByteView old = batch_->bytes();
  std::copy_n(old.data(), format::kHeaderBytes, to);
  std::int16_t attributes = static_cast<std::int16_t>(batch_->attributes() & ~format::kCodecMask);
  attributes = static_cast<std::int16_t>(attributes | static_cast<std::int16_t>(codec));
  if (delete_horizon.has_value()) {
    attributes = static_cast<std::int16_t>(attributes | format::kDeleteHorizonBit);
    store_big(to + format::kBaseTimestampAt, delete_horizon->ms);
  }
  store_big(to + format::kAttributesAt, attributes);
  store_big(to + format::kBatchLengthAt, static_cast<std::int32_t>(out.size() - format::kLengthOverheadBytes));
  store_big(to + format::kRecordsCountAt, kept_count_);
  // An empty batch keeps its time: it is what its producer's last retry is answered with.
  if (kept_count_ > 0) store_big(to + format::kMaxTimestampAt, max_timestamp_.ms);
  store_big(to + format::kCrcAt, batch_crc(out.view()));
}

}  // namespace pyralog::record
