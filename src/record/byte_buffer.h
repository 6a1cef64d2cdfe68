#pragma once

#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>

#include "core/bytes.h"

namespace pyralog::record {

/// Bytes that grow at the end: a vector that does not fill what it grows by, so that room for output can be taken
/// before the output is there. Growing moves the bytes. Move-only.
class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(ByteBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~ByteBuffer() { release(); }

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  ByteView view() const noexcept { return {data_, size_}; }

  /// Makes room for `more` bytes beyond `size` and returns all the room there is. What is written there counts after
  /// `commit`. Memory that has to grow doubles, but not beyond `capacity_max` unless `more` needs it.
  MutableBytes room(std::size_t more, std::size_t capacity_max = std::numeric_limits<std::size_t>::max()) {
    if (capacity_ - size_ < more) grow(more, capacity_max);
    return {data_ + size_, capacity_ - size_};
  }
  /// The next `bytes` of the room are filled.
  void commit(std::size_t bytes) noexcept { size_ += bytes; }

  void append(ByteView bytes) {
    if (bytes.empty()) return;
    std::memcpy(room(bytes.size()).data(), bytes.data(), bytes.size());
    commit(bytes.size());
  }
  /// Drops everything beyond `bytes`; keeps the memory.
  void truncate(std::size_t bytes) noexcept { size_ = bytes; }
  void clear() noexcept { size_ = 0; }
  /// Gives the memory back.
  void release() noexcept;

 private:
  void grow(std::size_t more, std::size_t capacity_max);

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace pyralog::record
