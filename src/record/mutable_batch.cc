#include "record/mutable_batch.h"

namespace pyralog::record {

Result<MutableBatch> MutableBatch::parse(MutableBytes bytes) {
  PYRALOG_ASSIGN(const BatchView view, BatchView::parse(bytes));
  return MutableBatch(view, bytes.data());
}

void MutableBatch::stamp(Offset base_offset, LeaderEpoch epoch) noexcept {
  PYRALOG_ASSERT(base_offset.value >= 0, "a base offset is not negative");
  store_big(data_ + format::kBaseOffsetAt, base_offset.value);
  store_big(data_ + format::kLeaderEpochAt, epoch.value);
}

void MutableBatch::set_log_append_time(WallTime now) noexcept {
  set_timestamps(view_.attributes() | format::kLogAppendTimeBit, now);
}

void MutableBatch::set_create_time(WallTime max_timestamp) noexcept {
  set_timestamps(view_.attributes() & ~format::kLogAppendTimeBit, max_timestamp);
}

void MutableBatch::set_timestamps(std::int16_t attributes, WallTime max_timestamp) noexcept {
  store_big(data_ + format::kAttributesAt, attributes);
  store_big(data_ + format::kMaxTimestampAt, max_timestamp.ms);
  store_big(data_ + format::kCrcAt, batch_crc(view_.bytes()));
}

}  // namespace pyralog::record
