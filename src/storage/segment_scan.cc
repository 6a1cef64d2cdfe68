#include "storage/segment_scan.h"

#include <fmt/format.h>

#include <algorithm>

namespace pyralog::storage {
namespace {

Error damaged(std::uint64_t position, std::string_view why) {
  return Error(ErrorCode::kCorrupt, fmt::format("at byte {} of the segment: {}", position, why));
}

}  // namespace

Result<SegmentScan::Step> SegmentScan::step() {
  if (next_ == end_) return Step::kEnd;
  const ByteView bytes = ByteView(buffer_).subspan(std::min<std::size_t>(buffer_.size(), next_ - buffer_at_));
  wanted_bytes_ = record::format::kHeaderBytes;
  if (end_ - next_ < wanted_bytes_) return damaged(next_, "the segment ends within a batch");
  if (bytes.size() < wanted_bytes_) return Step::kNeedsBytes;
  const auto header = record::BatchHeader::parse(bytes);
  if (!header.ok()) return damaged(next_, header.error().to_string());
  wanted_bytes_ = header->batch_bytes();
  if (end_ - next_ < wanted_bytes_) return damaged(next_, "the segment ends within a batch");
  if (bytes.size() < wanted_bytes_) return Step::kNeedsBytes;
  PYRALOG_ASSIGN(batch_, record::BatchView::parse(bytes));
  if (!batch_->verify_crc().ok()) return damaged(next_, "bad checksum of a batch");
  if (batch_->base_offset() < next_offset_) return damaged(next_, "a batch's offsets are out of order");
  next_offset_ = batch_->end_offset();
  position_ = next_;
  next_ += wanted_bytes_;
  return Step::kBatch;
}

io::Task<Result<>> SegmentScan::fill() {
  batch_.reset();
  const std::uint64_t wanted = std::min<std::uint64_t>(std::max(wanted_bytes_, kReadBytes), end_ - next_);
  buffer_.resize(wanted);
  buffer_at_ = next_;
  std::size_t done = 0;
  while (done < buffer_.size()) {
    PYRALOG_CO_ASSIGN(const std::size_t got, co_await file_->read(next_ + done, MutableBytes(buffer_).subspan(done)));
    if (got == 0) co_return damaged(next_ + done, "the file ends before the segment does");
    done += got;
  }
  co_return Result<>();
}

}  // namespace pyralog::storage
