#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "core/assert.h"
#include "core/bytes.h"

namespace pyralog {

/// A block of memory with a reference count, 4 KiB aligned (fit for O_DIRECT), never moved. Filled by one owner and
/// then shared read-only, except for the header fields that a partition's shard stamps before the first share.
/// References may be dropped on any thread.
class Chunk {
 public:
  static constexpr std::size_t kAlignment = 4096;

  /// Called on the thread that drops the last reference; returns the memory to where it came from.
  using Release = void (*)(Chunk*) noexcept;

  /// A chunk of its own of at least `bytes`, rounded up to kAlignment. Contents are undefined.
  static Chunk* allocate(std::size_t bytes);

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) release_(this);
  }
  bool unique() const noexcept { return references_.load(std::memory_order_acquire) == 1; }

  /// For pools only: memory of `bytes` at `data`, one reference, `release` at its end; `owner` is the pool's.
  Chunk(std::byte* data, std::size_t bytes, Release release, void* owner) noexcept
      : data_(data), size_(bytes), release_(release), owner_(owner) {}
  void* owner() const noexcept { return owner_; }
  void reset_references() noexcept { references_.store(1, std::memory_order_relaxed); }

 private:
  std::byte* data_;
  std::size_t size_;
  Release release_;
  void* owner_;
  std::atomic<std::uint32_t> references_{1};
};

/// A counted reference to part of a chunk. Copying counts, moving does not; empty slices hold no chunk.
class Slice {
 public:
  Slice() = default;
  /// Adopts the caller's reference to `chunk`.
  static Slice adopt(Chunk* chunk, std::size_t begin, std::size_t bytes) noexcept {
    Slice slice;
    slice.chunk_ = chunk;
    slice.data_ = chunk->data() + begin;
    slice.size_ = bytes;
    return slice;
  }
  /// A slice of a fresh chunk with a copy of `bytes`.
  static Slice copy_of(ByteView bytes);
  /// A slice of a fresh chunk of `bytes` undefined bytes.
  static Slice allocate(std::size_t bytes) { return adopt(Chunk::allocate(bytes), 0, bytes); }

  Slice(const Slice& other) noexcept : chunk_(other.chunk_), data_(other.data_), size_(other.size_) {
    if (chunk_ != nullptr) chunk_->retain();
  }
  Slice(Slice&& other) noexcept
      : chunk_(std::exchange(other.chunk_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Slice& operator=(Slice other) noexcept {
    std::swap(chunk_, other.chunk_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Slice() {
    if (chunk_ != nullptr) chunk_->drop();
  }

  const std::byte* data() const noexcept { return data_; }
  /// Only for the owner that fills or stamps the bytes before they are shared.
  std::byte* mutable_data() noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  ByteView view() const noexcept { return {data_, size_}; }
  MutableBytes mutable_view() noexcept { return {data_, size_}; }
  const Chunk* chunk() const noexcept { return chunk_; }

  /// `[begin, begin + bytes)` of this slice, sharing the chunk.
  Slice part(std::size_t begin, std::size_t bytes) const {
    PYRALOG_ASSERT(begin <= size_ && bytes <= size_ - begin, "part outside its slice");
    Slice slice(*this);
    slice.data_ += begin;
    slice.size_ = bytes;
    return slice;
  }

  /// Grows over `next` if that lies right behind this slice in the same chunk; otherwise false.
  bool join(const Slice& next) noexcept {
    if (chunk_ == nullptr || next.chunk_ != chunk_ || next.data_ != data_ + size_) return false;
    size_ += next.size_;
    return true;
  }

 private:
  Chunk* chunk_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pyralog
