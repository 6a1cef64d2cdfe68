#pragma once

#include "record/batch_view.h"

namespace pyralog::record {

/// One whole batch that its leader may still change in place, before anybody else sees the bytes. Valid as long as
/// they are.
class MutableBatch {
 public:
  /// As `BatchView::parse`.
  static Result<MutableBatch> parse(MutableBytes bytes);

  const BatchView& view() const noexcept { return view_; }

  /// Sets base offset and leader epoch. Neither is under the CRC, so the cost does not depend on the batch.
  void stamp(Offset base_offset, LeaderEpoch epoch) noexcept;

  /// Makes `now` the timestamp of all records and renews the CRC.
  void set_log_append_time(WallTime now) noexcept;

  /// Makes the records' own timestamps count, with `max_timestamp` as found by `check_structure`, and renews the CRC.
  void set_create_time(WallTime max_timestamp) noexcept;

 private:
  MutableBatch(const BatchView& view, std::byte* data) noexcept : view_(view), data_(data) {}
  void set_timestamps(std::int16_t attributes, WallTime max_timestamp) noexcept;

  BatchView view_;
  std::byte* data_;
};

}  // namespace pyralog::record
