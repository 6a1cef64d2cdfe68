#include "record/batch_check.h"

#include <algorithm>

#include "record/record_parse.h"

namespace pyralog::record {
namespace {

using Checked = std::expected<BatchFacts, BatchFault>;

std::unexpected<BatchFault> refuse(ErrorCode code, const char* reason, std::int32_t record_index = -1) {
  return std::unexpected(BatchFault{code, record_index, reason});
}

/// What the header says about itself, before any record is looked at; nullptr if it may be so.
const char* header_contradiction(const BatchView& batch, BatchOrigin origin) {
  if (origin == BatchOrigin::kLog) {
    if (batch.records_count() > std::int64_t{batch.last_offset_delta()} + 1)
      return "the batch claims more records than offsets";
    return nullptr;
  }
  if (batch.base_offset() != Offset(0)) return "a produced batch must have base offset 0";
  if (batch.is_control()) return "clients must not write control batches";
  if (batch.has_delete_horizon()) return "clients must not set a delete horizon";
  if (batch.records_count() == 0) return "the batch has no records";
  if (batch.records_count() != std::int64_t{batch.last_offset_delta()} + 1)
    return "the record count and the last offset delta disagree";
  if (batch.producer_id() < kNoProducerId) return "the producer id is negative";
  if (batch.producer_id() == kNoProducerId) {
    return batch.is_transactional() ? "a transactional batch must have a producer id" : nullptr;
  }
  if (batch.producer_epoch().value < 0) return "a batch with a producer id must have a producer epoch";
  if (batch.base_sequence() < 0) return "a batch with a producer id must have a base sequence";
  return nullptr;
}

bool timestamps_checked(const CheckOptions& options) {
  return options.origin == BatchOrigin::kClient && options.timestamp_type == TimestampType::kCreateTime;
}

/// True if the timestamps of a compressed batch cannot be taken from its header: outside the bounds, or of a header
/// that no honest producer writes.
bool timestamps_in_doubt(const BatchView& batch, const CheckOptions& options) {
  if (!timestamps_checked(options)) return false;
  return batch.timestamp_type() == TimestampType::kLogAppendTime || batch.max_timestamp() < batch.base_timestamp() ||
         batch.max_timestamp() > options.timestamp_max || batch.base_timestamp() < options.timestamp_min;
}

std::int64_t saturating_difference(std::int64_t a, std::int64_t b) {
  std::int64_t difference;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return a < b ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
}

/// Walks the records of one batch. The loop compares deltas with bounds worked out beforehand, so that a sound record
/// costs a few predictable branches.
class RecordWalk {
 public:
  RecordWalk(const BatchView& batch, const CheckOptions& options)
      : base_timestamp_(batch.base_timestamp().ms),
        records_count_(batch.records_count()),
        last_offset_delta_(batch.last_offset_delta()),
        dense_(options.origin == BatchOrigin::kClient),
        null_keys_refused_(options.null_keys == NullKeys::kRefused && !batch.is_control()) {
    std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
    std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    if (timestamps_checked(options)) {
      lowest = options.timestamp_min.ms;
      highest = options.timestamp_max.ms;
    }
    // The delta itself must not overflow either, so the bounds hold for every origin.
    delta_min_ = saturating_difference(lowest, base_timestamp_);
    delta_max_ = saturating_difference(highest, base_timestamp_);
  }

  Checked run(ByteView records) {
    const std::byte* at = records.data();
    const std::byte* const end = at + records.size();
    std::int64_t delta_largest = std::numeric_limits<std::int64_t>::min();
    std::int32_t null_key_count = 0;
    std::int32_t delta_before = -1;
    for (std::int32_t index = 0; index < records_count_; ++index) {
      ParsedRecord record;
      if (const char* reason = parse_record(at, end, record); reason != nullptr) [[unlikely]]
        return refuse(ErrorCode::kInvalidRecord, reason, index);
      if (dense_ ? record.offset_delta != index
                 : record.offset_delta <= delta_before || record.offset_delta > last_offset_delta_) [[unlikely]]
        return refuse(ErrorCode::kInvalidRecord, "a record's offset delta is out of order", index);
      if (record.timestamp_delta < delta_min_ || record.timestamp_delta > delta_max_) [[unlikely]] {
        if (!is_without_timestamp(record.timestamp_delta))
          return refuse(ErrorCode::kInvalidTimestamp, "a record's timestamp is out of the allowed range", index);
      }
      null_key_count += record.key_bytes < 0 ? 1 : 0;
      if (null_keys_refused_ && null_key_count > 0) [[unlikely]]
        return refuse(ErrorCode::kInvalidRecord, "a compacted log needs a key in each record", index);
      delta_largest = std::max(delta_largest, record.timestamp_delta);
      delta_before = record.offset_delta;
      at = record.end;
    }
    if (at != end)
      return refuse(ErrorCode::kInvalidRecord, "the batch goes on after the last record of its count");

    BatchFacts facts{.records_count = records_count_, .records_walked = true, .null_key_count = null_key_count};
    if (records_count_ > 0) facts.max_timestamp = WallTime{base_timestamp_ + delta_largest};
    return facts;
  }

 private:
  bool is_without_timestamp(std::int64_t delta) const {
    std::int64_t timestamp;
    return !__builtin_add_overflow(base_timestamp_, delta, &timestamp) && timestamp == kNoTimestamp.ms;
  }

  std::int64_t base_timestamp_;
  std::int64_t delta_min_;
  std::int64_t delta_max_;
  std::int32_t records_count_;
  std::int32_t last_offset_delta_;
  bool dense_;
  bool null_keys_refused_;
};

Checked open_and_walk(const BatchView& batch, const CheckOptions& options, Decompressor& decompressor) {
  auto records = decompressor.decompress(batch.codec(), batch.payload());
  if (!records.ok()) {
    const ErrorCode code = records.error().code();
    if (code == ErrorCode::kTooLarge) return refuse(code, "the batch decompresses to more than is allowed");
    if (code == ErrorCode::kUnsupportedCodec) return refuse(code, "the batch's compression is not supported");
    return refuse(ErrorCode::kInvalidRecord, "the batch cannot be decompressed");
  }
  Checked checked = RecordWalk(batch, options).run(*records);
  decompressor.trim();
  return checked;
}

}  // namespace

std::expected<BatchFacts, BatchFault> check_structure(const BatchView& batch, const CheckOptions& options,
                                                      Decompressor& decompressor) {
  if (batch.codec() > kCodecLast) return refuse(ErrorCode::kUnsupportedCodec, "the batch's codec is unknown");
  if (const char* reason = header_contradiction(batch, options.origin); reason != nullptr)
    return refuse(ErrorCode::kInvalidRecord, reason);
  if (options.origin == BatchOrigin::kClient && options.timestamp_type == TimestampType::kLogAppendTime &&
      batch.timestamp_type() == TimestampType::kLogAppendTime)
    return refuse(ErrorCode::kInvalidTimestamp, "producers must not set the log append time");

  Checked checked = BatchFacts{.records_count = batch.records_count(), .max_timestamp = batch.max_timestamp()};
  if (batch.codec() == Codec::kNone) {
    checked = RecordWalk(batch, options).run(batch.payload());
  } else if (options.validation == RecordValidation::kFull || options.null_keys == NullKeys::kRefused ||
             timestamps_in_doubt(batch, options)) {
    checked = open_and_walk(batch, options, decompressor);
  }
  if (checked && options.origin == BatchOrigin::kLog) {
    // The leader has decided: after log append time or compaction the header is right and the records need not be.
    checked->max_timestamp = batch.max_timestamp();
  }
  return checked;
}

}  // namespace pyralog::record
