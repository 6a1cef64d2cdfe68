#include "protocol/kafka/frame_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/bytes.h"

namespace pyralog::protocol {
namespace {

constexpr std::size_t kLengthBytes = 4;

}  // namespace

MutableBytes FrameReader::prepare() {
  // Starting over where nothing refers to the buffer keeps to the memory that is in the processor's cache.
  if (begin_ == end_ && begin_ != 0 && buffer_.chunk()->unique()) begin_ = end_ = 0;
  const std::size_t frame = expected_bytes();
  const bool is_cut_off = frame <= kFrameBytesTrusted && begin_ + frame > buffer_.size();
  if (is_cut_off || end_ == buffer_.size()) make_room();
  return buffer_.mutable_view().subspan(end_, room());
}

void FrameReader::commit(std::size_t bytes) {
  PYRALOG_ASSERT(bytes <= buffer_.size() - end_, "more bytes than there was room for");
  end_ += bytes;
}

Result<std::optional<Slice>> FrameReader::next() {
  if (pending_bytes() < kLengthBytes) return std::optional<Slice>();
  const auto length = load_big<std::int32_t>(buffer_.data() + begin_);
  if (length < 0) return Error(ErrorCode::kCorrupt, fmt::format("frame length {}", length));
  if (static_cast<std::size_t>(length) > frame_bytes_max_) {
    return Error(ErrorCode::kTooLarge, fmt::format("frame of {} bytes, at most {} are accepted", length, frame_bytes_max_));
  }
  if (pending_bytes() - kLengthBytes < static_cast<std::size_t>(length)) return std::optional<Slice>();
  Slice frame = buffer_.part(begin_ + kLengthBytes, static_cast<std::size_t>(length));
  previous_bytes_ = kLengthBytes + static_cast<std::size_t>(length);
  begin_ += previous_bytes_;
  return std::optional<Slice>(std::move(frame));
}

std::size_t FrameReader::frame_bytes() const noexcept {
  if (pending_bytes() < kLengthBytes) return kLengthBytes;
  const auto length = load_big<std::int32_t>(buffer_.data() + begin_);
  // next() refuses such lengths; until then they claim nothing.
  if (length < 0 || static_cast<std::size_t>(length) > frame_bytes_max_) return kLengthBytes;
  return kLengthBytes + static_cast<std::size_t>(length);
}

std::size_t FrameReader::expected_bytes() const noexcept {
  return pending_bytes() < kLengthBytes ? std::max(previous_bytes_, kLengthBytes) : frame_bytes();
}

std::size_t FrameReader::room() const noexcept {
  const std::size_t all = buffer_.size() - end_;
  const std::size_t frame = expected_bytes();
  const std::size_t fitting = (buffer_.size() - begin_) / frame;
  if (frame < kBulkFrameBytes || fitting == 0) return all;
  // Frames of one size are likely to follow each other: the next length may come, but nothing behind it.
  const std::size_t stop = begin_ + fitting * frame + kLengthBytes;
  return stop > end_ ? std::min(all, stop - end_) : all;
}

void FrameReader::make_room() {
  const std::size_t pending = pending_bytes();
  const std::size_t frame = expected_bytes();
  const std::size_t buffer = frame < kBulkFrameBytes ? kBufferBytes : kBulkBufferBytes;
  const std::size_t trusted = std::max(kFrameBytesTrusted, 2 * pending);
  // Whole frames may be pending if the caller did not take them; then what follows them needs room too.
  const std::size_t wanted = frame > pending ? std::min(frame, trusted) : pending + buffer;
  // No frame refers to the buffer any more: use it again from its start.
  if (buffer_.chunk() != nullptr && buffer_.chunk()->unique() && wanted <= buffer_.size()) {
    if (pending != 0) std::memmove(buffer_.mutable_data(), buffer_.data() + begin_, pending);
  } else {
    Slice larger = allocate_(std::max(buffer, wanted));
    if (pending != 0) std::memcpy(larger.mutable_data(), buffer_.data() + begin_, pending);
    buffer_ = std::move(larger);
  }
  begin_ = 0;
  end_ = pending;
}

}  // namespace pyralog::protocol
