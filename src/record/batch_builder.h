#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"
#include "record/byte_buffer.h"
#include "record/compression.h"
#include "record/format.h"

namespace pyralog::record {

/// A header to write. A null value and an empty one differ.
struct HeaderInput {
  std::string_view key;
  std::optional<ByteView> value;
};

/// A record to write; copied by `BatchBuilder::append`.
struct RecordInput {
  WallTime timestamp = kNoTimestamp;
  std::optional<ByteView> key;
  std::optional<ByteView> value;
  std::span<const HeaderInput> headers;
};

/// What a batch says about itself beside its records. The defaults are those of a producer without idempotence.
struct BatchBuilderOptions {
  Codec codec = Codec::kNone;
  Offset base_offset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch = kNoProducerEpoch;
  std::int32_t base_sequence = kNoSequence;
  bool transactional = false;
  bool control = false;
};

/// Builds one batch after another from records, in memory that it keeps. Not thread-safe.
class BatchBuilder {
 public:
  explicit BatchBuilder(const BatchBuilderOptions& options = {}) : options_(options) { clear(); }

  /// Adds a record with the next offset. Errors, which leave the batch as it was: kTooLarge (more than readers would
  /// open: `limits::kDecompressedBytesMax`), kInvalidTimestamp (too far from the first record's).
  Result<> append(const RecordInput& record);

  std::int32_t records_count() const noexcept { return records_count_; }
  bool empty() const noexcept { return records_count_ == 0; }
  /// Size of the batch as it is, before compression.
  std::size_t bytes_uncompressed() const noexcept { return plain_.size(); }
  /// What `record` would add at most; for deciding beforehand whether it still fits.
  static std::size_t record_bytes_max(const RecordInput& record) noexcept;

  /// The batch, ready to send; valid until the next call of any member. Needs a record. Errors: kTooLarge if the
  /// records compress so well that readers would take the batch for a decompression bomb.
  Result<ByteView> finish();

  /// Starts the next batch, with the same options or new ones.
  void clear() noexcept;
  void clear(const BatchBuilderOptions& options) noexcept {
    options_ = options;
    clear();
  }

 private:
  void write_header(MutableBytes batch) const noexcept;

  BatchBuilderOptions options_;
  ByteBuffer plain_;       // header, then records
  ByteBuffer compressed_;  // header, then the records compressed; unused without a codec
  Compressor compressor_;
  std::int64_t base_timestamp_ms_ = 0;
  std::int64_t max_timestamp_ms_ = 0;
  std::int32_t records_count_ = 0;
};

}  // namespace pyralog::record
