#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"
#include "record/format.h"

namespace pyralog::record {

/// The fixed 61 bytes that start a batch, read in place. Parsing looks at what every later reader relies on: length,
/// magic and ranges; accessors then need no checks. Valid as long as the bytes are.
class BatchHeader {
 public:
  /// `bytes` starts with a header; what follows need not be there. Errors: kTruncated (fewer bytes than a header),
  /// kCorrupt (length below the header's, unknown magic), kInvalidRecord (magic 0 or 1, negative count, offsets that
  /// overflow).
  static Result<BatchHeader> parse(ByteView bytes);

  /// Size of the whole batch, at least kHeaderBytes and less than 2^31 + 12.
  std::size_t batch_bytes() const noexcept {
    return format::kLengthOverheadBytes + static_cast<std::size_t>(load<std::int32_t>(format::kBatchLengthAt));
  }
  Offset base_offset() const noexcept { return Offset(load<std::int64_t>(format::kBaseOffsetAt)); }
  std::int32_t last_offset_delta() const noexcept { return load<std::int32_t>(format::kLastOffsetDeltaAt); }
  Offset last_offset() const noexcept { return base_offset() + OffsetDelta(last_offset_delta()); }
  /// The offset that follows the batch.
  Offset end_offset() const noexcept { return last_offset() + OffsetDelta(1); }
  LeaderEpoch leader_epoch() const noexcept { return LeaderEpoch(load<std::int32_t>(format::kLeaderEpochAt)); }
  std::uint32_t crc() const noexcept { return load<std::uint32_t>(format::kCrcAt); }

  std::int16_t attributes() const noexcept { return load<std::int16_t>(format::kAttributesAt); }
  /// May be a value beyond kCodecLast, which nobody can open.
  Codec codec() const noexcept { return static_cast<Codec>(attributes() & format::kCodecMask); }
  TimestampType timestamp_type() const noexcept {
    return has(format::kLogAppendTimeBit) ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
  }
  bool is_transactional() const noexcept { return has(format::kTransactionalBit); }
  bool is_control() const noexcept { return has(format::kControlBit); }
  bool has_delete_horizon() const noexcept { return has(format::kDeleteHorizonBit); }

  WallTime base_timestamp() const noexcept { return WallTime{load<std::int64_t>(format::kBaseTimestampAt)}; }
  WallTime max_timestamp() const noexcept { return WallTime{load<std::int64_t>(format::kMaxTimestampAt)}; }
  ProducerId producer_id() const noexcept { return ProducerId(load<std::int64_t>(format::kProducerIdAt)); }
  ProducerEpoch producer_epoch() const noexcept { return ProducerEpoch(load<std::int16_t>(format::kProducerEpochAt)); }
  std::int32_t base_sequence() const noexcept { return load<std::int32_t>(format::kBaseSequenceAt); }
  /// base_sequence + last_offset_delta, wrapping from 2^31 - 1 to 0; kNoSequence without a base.
  std::int32_t last_sequence() const noexcept;
  /// As the header claims; `check_structure` compares it with the records.
  std::int32_t records_count() const noexcept { return load<std::int32_t>(format::kRecordsCountAt); }

 protected:
  explicit BatchHeader(const std::byte* data) noexcept : data_(data) {}

  template <std::integral T>
  T load(std::size_t at) const noexcept {
    return load_big<T>(data_ + at);
  }
  bool has(std::int16_t bit) const noexcept { return (attributes() & bit) != 0; }

  const std::byte* data_;
};

/// One whole batch, read in place: the bytes are all there, their content is checked only as far as the caller asks
/// (`verify_crc`, then `check_structure` in `record/batch_check.h`). Valid as long as the bytes are.
class BatchView : public BatchHeader {
 public:
  /// The batch that `bytes` start with; others may follow. Errors: those of BatchHeader, and kTruncated if the batch is
  /// longer than `bytes`.
  static Result<BatchView> parse(ByteView bytes);

  /// The only batch in `bytes`, as a client sends it. Errors: kCorrupt if the bytes end early, kInvalidRecord if
  /// something follows, kTooLarge if there are more than `batch_bytes_max`, else those of `parse`.
  static Result<BatchView> parse_only(ByteView bytes, std::size_t batch_bytes_max);

  /// kCorrupt unless the CRC-32C over everything after it is right.
  Result<> verify_crc() const;

  ByteView bytes() const noexcept { return {data_, batch_bytes()}; }
  /// What follows the header: records, or their compressed form.
  ByteView payload() const noexcept { return bytes().subspan(format::kHeaderBytes); }

 private:
  explicit BatchView(const BatchHeader& header) noexcept : BatchHeader(header) {}
};

/// The sequence number `count` after `sequence`; both are at least 0. Wraps from 2^31 - 1 to 0.
std::int32_t sequence_after(std::int32_t sequence, std::int32_t count) noexcept;

/// The CRC-32C that belongs into the header of the whole batch in `batch`.
std::uint32_t batch_crc(ByteView batch) noexcept;

}  // namespace pyralog::record
