#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>

namespace pyralog::protocol {

/// Memory for one request: arrays of a decoded message and of the answer being built. Everything in it dies together, so
/// elements have trivial destructors and freeing costs nothing. The first kInlineBytes are part of the object: messages
/// with few partitions allocate nothing. Not thread safe; never moved, because messages point into it.
class Arena {
 public:
  static constexpr std::size_t kInlineBytes = 1024;  ///< with it a request's coroutine frame is one that io's pool keeps
  static constexpr std::size_t kBlockBytesMin = 4096;
  static constexpr std::size_t kBlockBytesMax = 256u << 10;  ///< blocks double up to this, larger arrays get their own
  static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

  Arena() noexcept : at_(inline_), end_(inline_ + kInlineBytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { free_blocks(); }

  /// `count` value-initialised elements.
  template <class T>
  std::span<T> make(std::size_t count) {
    return make_within<T>(count, kNoLimit);
  }

  /// The same, or an empty span if the arena would take more than `reserved_bytes_max` from the heap in total.
  template <class T>
  std::span<T> make_within(std::size_t count, std::size_t reserved_bytes_max) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= alignof(std::max_align_t));
    if (count == 0 || count > kNoLimit / 2 / sizeof(T)) return {};
    auto* memory = static_cast<T*>(allocate(count * sizeof(T), alignof(T), reserved_bytes_max));
    if (memory == nullptr) return {};
    std::uninitialized_value_construct_n(memory, count);
    return {memory, count};
  }

  /// A copy of `text` that lives as long as the arena's contents.
  std::string_view copy(std::string_view text);

  /// Bytes taken from the heap since construction or reset().
  std::size_t reserved_bytes() const noexcept { return reserved_bytes_; }

  /// Forgets all contents and gives heap memory back.
  void reset() noexcept;

 private:
  struct Block {
    Block* previous;
  };

  void* allocate(std::size_t bytes, std::size_t alignment, std::size_t reserved_bytes_max) {
    const std::size_t padding = -reinterpret_cast<std::uintptr_t>(at_) & (alignment - 1);
    const auto left = static_cast<std::size_t>(end_ - at_);
    if (padding > left || bytes > left - padding) return allocate_block(bytes, reserved_bytes_max);
    std::byte* memory = at_ + padding;
    at_ = memory + bytes;
    return memory;
  }
  void* allocate_block(std::size_t bytes, std::size_t reserved_bytes_max);
  void free_blocks() noexcept;

  std::byte* at_;
  std::byte* end_;
  Block* blocks_ = nullptr;
  std::size_t reserved_bytes_ = 0;
  std::size_t next_block_bytes_ = kBlockBytesMin;
  alignas(std::max_align_t) std::byte inline_[kInlineBytes];
};

}  // namespace pyralog::protocol
