#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "core/time.h"
#include "record/batch_view.h"
#include "record/byte_buffer.h"
#include "record/compression.h"
#include "record/record_iterator.h"

namespace pyralog::record {

/// A log's batch without some of its records, as compaction writes it: offsets, sequences, producer and epoch stay what they
/// were, so base offset and last offset delta do too, and a batch may end up without any record. Opens one batch after
/// another, in memory that it keeps. Not thread-safe.
class BatchFilter {
 public:
  /// `decompressor` outlives the filter, and is its alone between `open` and the end of `finish`.
  explicit BatchFilter(Decompressor& decompressor) : decompressor_(decompressor) {}

  /// Begins with a batch, whose bytes stay until the result of `finish` is done with. Errors: as RecordIterator::open.
  Result<> open(const BatchView& batch);

  /// As RecordIterator::next. A record goes unless `keep` is called before the next one is asked for.
  Result<bool> next(RecordView& record);
  void keep();

  std::int32_t kept_count() const noexcept { return kept_count_; }

  /// The batch with the records that were kept; all have been asked for. Its own bytes if nothing changes. With
  /// `delete_horizon` (KIP-534) that becomes the batch's base timestamp and is marked as such; the records' timestamps stay.
  /// Records are compressed as they were, unless readers would then take the batch for a decompression bomb. Valid until
  /// `open`. kInvalidTimestamp: a record's timestamp is too far from the horizon to be told relative to it.
  Result<ByteView> finish(std::optional<WallTime> delete_horizon);

 private:
  struct Run {
    const std::byte* begin;
    const std::byte* end;
  };

  Result<> append_records(std::optional<WallTime> delete_horizon);
  Result<> append_moved(const Run& run, std::int64_t shift);
  Result<Codec> compress();
  void write_header(ByteBuffer& out, Codec codec, std::optional<WallTime> delete_horizon) const;

  Decompressor& decompressor_;
  Compressor compressor_;
  std::optional<BatchView> batch_;
  std::optional<RecordIterator> records_;
  const std::byte* record_at_ = nullptr;  // of the record asked for last
  WallTime record_timestamp_;
  std::vector<Run> kept_;                 // side by side where nothing went between them
  WallTime max_timestamp_ = kNoTimestamp;
  std::int32_t kept_count_ = 0;
  ByteBuffer plain_;       // header, then records
  ByteBuffer compressed_;  // header, then the records compressed
};

}  // namespace pyralog::record
