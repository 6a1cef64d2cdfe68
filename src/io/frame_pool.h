#pragma once

#include <cstddef>

namespace pyralog::io {

/// Memory of coroutine frames. A request runs through about ten of them, all of a few hundred bytes to two KiB, more than the
/// system's allocator keeps in its quick lists: here each thread keeps freed frames by size and hands them out again.
/// Frames may be freed on another thread than they came from. Bounded per thread and size; under a sanitizer that watches
/// memory everything goes to the system's allocator.
class FramePool {
 public:
  static constexpr std::size_t kStepBytes = 64;
  static constexpr std::size_t kPooledBytesMax = 2048;  ///< larger frames are rare
  static constexpr std::size_t kKeptPerSizeMax = 256;

  static void* take(std::size_t bytes);
  static void give(void* frame, std::size_t bytes) noexcept;
};

}  // namespace pyralog::io
