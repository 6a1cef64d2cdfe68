#pragma once

#include <array>
#include <atomic>
#include <cstddef>

#include "core/slice.h"

namespace pyralog::io {

/// A shard's memory for what it receives: chunks of a few sizes that are used again and again instead of being asked of
/// the system, because fresh pages cost more than the copying into them. Chunks are taken on the shard and dropped on any
/// thread, also after the pool is gone. What lies free is bounded and given back to the system when it is not needed.
class ChunkPool {
 public:
  static constexpr std::array<std::size_t, 4> kClassBytes = {64u << 10, 256u << 10, 1u << 20, 4u << 20};
  static constexpr std::size_t kFreeBytesMaxDefault = 32u << 20;

  explicit ChunkPool(std::size_t free_bytes_max = kFreeBytesMaxDefault);
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;

  /// A chunk of at least `bytes` with one reference, contents undefined. Beyond the largest class: of its own.
  Chunk* take(std::size_t bytes);
  Slice take_slice(std::size_t bytes) { return Slice::adopt(take(bytes), 0, bytes); }

  /// Gives back to the system what lay free ever since the previous trim. The shard's loop calls it about once a second.
  void trim() noexcept;

  std::size_t free_bytes() const noexcept;
  std::size_t used_bytes() const noexcept;

 private:
  struct Pooled;
  struct Shared;
  static constexpr std::size_t kOwnClass = kClassBytes.size();

  struct FreeList {
    Pooled* first = nullptr;
    std::size_t count = 0;
    std::size_t unused = 0;  // how many of them were never needed since the last trim
  };

  static void release(Chunk* chunk) noexcept;
  void collect(std::size_t which) noexcept;
  void give_back(FreeList& list, std::size_t count) noexcept;

  Shared* shared_;
  std::array<FreeList, kClassBytes.size()> free_;
};

}  // namespace pyralog::io
