#pragma once

#include <cstddef>
#include <optional>

#include "core/limits.h"
#include "core/result.h"
#include "core/slice.h"
#include "protocol/kafka/codec.h"

namespace pyralog::protocol {

/// Splits a byte stream into frames (four bytes of big-endian length, then that many bytes), however the stream is
/// chunked. Bytes are read straight into the buffer and frames are parts of it; only a frame's beginning is copied when
/// the buffer ends within it, and where frames are large, reading stops short of one that would not fit. A frame of up to
/// kFrameBytesTrusted gets its memory when its length is known, a longer one as its bytes arrive, so that announcing a
/// length costs the announcer as much as us.
class FrameReader {
 public:
  static constexpr std::size_t kBufferBytes = 64u << 10;
  static constexpr std::size_t kBulkBufferBytes = 256u << 10;  ///< where frames are large
  static constexpr std::size_t kBulkFrameBytes = 8u << 10;     ///< from here on they are
  static constexpr std::size_t kFrameBytesTrusted = (1u << 20) + (4u << 10);

  explicit FrameReader(std::size_t frame_bytes_max = limits::kFrameBytesMax, AllocateSlice allocate = &Slice::allocate)
      : frame_bytes_max_(frame_bytes_max), allocate_(allocate) {}

  /// Where the stream's next bytes belong; never empty. Valid until the next call of any member. Call it after next() has
  /// given all it has, or frames are copied needlessly.
  MutableBytes prepare();

  /// `bytes` were put at the start of what prepare() returned.
  void commit(std::size_t bytes);

  /// The next frame, without its length; nullopt if bytes are missing. kCorrupt (negative length) and kTooLarge stick:
  /// the stream is lost.
  Result<std::optional<Slice>> next();

  /// For a session that may send more or less from now on.
  void set_frame_bytes_max(std::size_t bytes) noexcept { frame_bytes_max_ = bytes; }

  /// Received but not returned by next().
  std::size_t pending_bytes() const noexcept { return end_ - begin_; }
  ByteView pending() const noexcept { return buffer_.view().subspan(begin_, pending_bytes()); }

  /// What the pending frame takes, its length included, as far as that is known.
  std::size_t frame_bytes() const noexcept;

  /// Gives the buffer back if nothing is pending: an idle connection needs none.
  void release_if_empty() noexcept {
    if (begin_ == end_) buffer_ = Slice(), begin_ = end_ = 0;
  }

 private:
  /// What the pending frame is likely to take: as much as the one before it, until its length is there.
  std::size_t expected_bytes() const noexcept;
  /// How much of the buffer behind the pending bytes may be filled.
  std::size_t room() const noexcept;
  void make_room();

  Slice buffer_;
  std::size_t begin_ = 0;  ///< of the pending bytes in the buffer
  std::size_t end_ = 0;
  std::size_t previous_bytes_ = 0;  ///< of the newest whole frame
  std::size_t frame_bytes_max_;
  AllocateSlice allocate_;
};

}  // namespace pyralog::protocol
