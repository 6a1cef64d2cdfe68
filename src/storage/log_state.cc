#include "storage/log_state.h"

#include <algorithm>

#include "storage/byte_codec.h"
#include "storage/log_format.h"

namespace pyralog::storage {
namespace {

enum Flag : std::uint8_t { kProducersInline = 1, kHasSnapshot = 2, kPeakExact = 4, kCompacted = 8, kFlagsAll = 15 };

}  // namespace

void LogState::apply(const record::BatchHeader& batch, Offset segment_base, WallTime now) {
  // What lies between was deleted before it was seen here. Whoever wrote there may have gone on since: better unknown.
  if (batch.base_offset() > log_end_) producers_.clear();
  if (segment_base != segment_base_) begin_segment(segment_base);
  segment_peak_.note(batch);
  epochs_.note(batch.leader_epoch(), batch.base_offset());
  if (producers_known_) producers_.apply(batch, now);
  log_end_ = batch.end_offset();
  appended_at_ = now;
  if (segment_started_at_ < WallTime{0}) segment_started_at_ = now;
  bytes_since_snapshot_ += batch.batch_bytes();
}

void LogState::truncate(Offset end, Offset segment_base) {
  if (end >= log_end_) return;
  log_end_ = end;
  compaction_.end = std::min(compaction_.end, end);
  epochs_.truncate(end);
  if (!producers_.truncate(end)) producers_known_ = false;
  if (!producers_known_) producers_.clear();
  if (snapshot_.has_value() && *snapshot_ > end) snapshot_.reset();
  if (segment_base != segment_base_ || segment_peak_.batch_base >= end) segment_peak_exact_ = false;
  if (segment_base != segment_base_) segment_peak_ = {};
  segment_base_ = segment_base;
}

void LogState::trim(Offset start) {
  epochs_.trim(start);
  if (start <= log_end_) return;
  log_end_ = start;
  producers_.clear();
  begin_segment(start);
}

void LogState::drop_front(Offset start, Offset first_segment) {
  trim(start);
  if (segment_base_ < first_segment) begin_segment(first_segment);
  if (snapshot_.has_value() && *snapshot_ < first_segment) snapshot_.reset();
}

void LogState::begin_segment(Offset base) {
  segment_base_ = base;
  segment_peak_ = {};
  segment_peak_exact_ = true;
  segment_started_at_ = WallTime{-1};
}

void LogState::set_snapshot(Offset offset, std::uint64_t bytes_covered) {
  snapshot_ = offset;
  bytes_since_snapshot_ -= std::min(bytes_since_snapshot_, bytes_covered);
}

void LogState::set_producers(ProducerTable producers) {
  producers_ = std::move(producers);
  producers_known_ = true;
}

void LogState::forget_producers() {
  producers_.clear();
  producers_known_ = false;
}

void LogState::set_segment_peak(const TimestampPeak& peak) {
  segment_peak_ = peak;
  segment_peak_exact_ = true;
}

void LogState::encode(std::vector<std::byte>& out) const {
  const bool small = producers_.encoded_bytes() <= kProducerBytesInlineMax;
  const bool producers_inline = producers_known_ && (small || !snapshot_.has_value());
  std::uint8_t flags = 0;
  if (producers_inline) flags |= kProducersInline;
  if (snapshot_.has_value()) flags |= kHasSnapshot;
  if (segment_peak_exact_) flags |= kPeakExact;
  if (compaction_ != CompactionProgress()) flags |= kCompacted;
  put_little(out, log_format::kStateVersion);
  put_little(out, flags);
  put_little(out, log_end_.value);
  put_little(out, segment_base_.value);
  put_little(out, segment_peak_.timestamp.ms);
  put_little(out, segment_peak_.batch_base.value);
  put_little(out, appended_at_.ms);
  put_little(out, segment_started_at_.ms);
  put_little(out, bytes_since_snapshot_);
  put_little(out, snapshot_.value_or(Offset(0)).value);
  epochs_.encode(out);
  if (producers_inline) producers_.encode(out);
  if ((flags & kCompacted) == 0) return;
  put_little(out, compaction_.end.value);
  put_little(out, compaction_.horizon.ms);
}

Result<LogState> LogState::decode(ByteView& bytes) {
  std::uint8_t version = 0;
  if (!take_little(bytes, version)) return ErrorCode::kTruncated;
  if (version != log_format::kStateVersion) return ErrorCode::kUnsupportedVersion;
  LogState state;
  std::uint8_t flags = 0;
  Offset snapshot;
  if (!take_little(bytes, flags) || !take_little(bytes, state.log_end_.value) ||
      !take_little(bytes, state.segment_base_.value) || !take_little(bytes, state.segment_peak_.timestamp.ms) ||
      !take_little(bytes, state.segment_peak_.batch_base.value) || !take_little(bytes, state.appended_at_.ms) ||
      !take_little(bytes, state.segment_started_at_.ms) ||
      !take_little(bytes, state.bytes_since_snapshot_) || !take_little(bytes, snapshot.value)) {
    return ErrorCode::kTruncated;
  }
  if (flags > kFlagsAll || state.segment_base_ < Offset(0) || state.log_end_ < state.segment_base_ ||
      snapshot < Offset(0) || snapshot > state.log_end_) {
    return Error(ErrorCode::kCorrupt, "a log's state is malformed");
  }
  if ((flags & kHasSnapshot) != 0) state.snapshot_ = snapshot;
  state.segment_peak_exact_ = (flags & kPeakExact) != 0;
  state.producers_known_ = (flags & kProducersInline) != 0;
  PYRALOG_ASSIGN(state.epochs_, LeaderEpochs::decode(bytes));
  if (state.producers_known_) {
    PYRALOG_ASSIGN(state.producers_, ProducerTable::decode(bytes));
  }
  if ((flags & kCompacted) != 0) {
    CompactionProgress& progress = state.compaction_;
    if (!take_little(bytes, progress.end.value) || !take_little(bytes, progress.horizon.ms)) return ErrorCode::kTruncated;
    if (progress.end < Offset(0) || progress.end > state.log_end_) {
      return Error(ErrorCode::kCorrupt, "a log's state is malformed");
    }
  }
  return state;
}

}  // namespace pyralog::storage
