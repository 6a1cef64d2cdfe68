#pragma once

#include <cstdint>
#include <expected>
#include <limits>

#include "core/errors.h"
#include "core/time.h"
#include "record/batch_view.h"
#include "record/compression.h"

namespace pyralog::record {

/// The log setting `record.validation`: whether compressed batches are opened although nothing in them matters.
enum class RecordValidation : std::uint8_t { kStructure, kFull };

/// Where a batch comes from. A client's batch is fresh: dense deltas, at least one record, base offset 0, no control
/// records, no delete horizon. One from a log (ours or a peer's) may be compacted, empty, a control batch.
enum class BatchOrigin : std::uint8_t { kClient, kLog };

enum class NullKeys : std::uint8_t { kAllowed, kRefused };

struct CheckOptions {
  RecordValidation validation = RecordValidation::kStructure;
  BatchOrigin origin = BatchOrigin::kClient;
  /// kRefused for compacted logs; opens compressed batches.
  NullKeys null_keys = NullKeys::kAllowed;
  /// The log's setting. With kLogAppendTime the records' own timestamps are not looked at.
  TimestampType timestamp_type = TimestampType::kCreateTime;
  /// Inclusive bounds of create times; records without a timestamp are exempt. A compressed batch whose header does not
  /// lie within them is opened.
  WallTime timestamp_min{std::numeric_limits<std::int64_t>::min()};
  WallTime timestamp_max{std::numeric_limits<std::int64_t>::max()};
};

/// What a check learnt about a sound batch.
struct BatchFacts {
  std::int32_t records_count = 0;
  /// The largest timestamp of the records, or what the header says if they were not walked. Where it differs from the
  /// header's, `MutableBatch::set_create_time` corrects the header.
  WallTime max_timestamp = kNoTimestamp;
  /// False for a compressed batch that was not opened; the fields below are then unknown and zero.
  bool records_walked = false;
  std::int32_t null_key_count = 0;
};

/// Why a batch is refused. `code` is one of kInvalidRecord, kInvalidTimestamp, kUnsupportedCodec, kTooLarge.
struct BatchFault {
  ErrorCode code;
  /// The first bad record, or -1 if the batch as a whole is bad (Kafka: BatchIndex of RecordErrors).
  std::int32_t record_index = -1;
  /// Fixed text for a person.
  const char* reason = "";

  Error to_error() const { return Error(code, reason); }
};

/// Checks everything about a batch that `parse` and `verify_crc` have not: header fields against each other and, for
/// uncompressed batches, each record (lengths, deltas, counts, timestamps). Compressed batches are opened only where
/// `options` make their content matter; one that cannot be opened is kInvalidRecord, because its CRC was right: sending
/// it again would not help. `decompressor` is scratch and is trimmed afterwards.
std::expected<BatchFacts, BatchFault> check_structure(const BatchView& batch, const CheckOptions& options,
                                                      Decompressor& decompressor);

}  // namespace pyralog::record
