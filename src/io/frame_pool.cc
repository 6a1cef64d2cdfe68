#include "io/frame_pool.h"

#include <array>
#include <new>
#include <utility>

namespace pyralog::io {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PYRALOG_NO_FRAME_POOL 1
#endif
#endif

#ifndef PYRALOG_NO_FRAME_POOL

struct Free {
  Free* next;
};

/// What one thread keeps.
struct Kept {
  struct List {
    Free* first = nullptr;
    std::size_t count = 0;
  };
  ~Kept() {
    for (List& list : lists) {
      while (list.first != nullptr) ::operator delete(std::exchange(list.first, list.first->next));
    }
    gone = true;
  }
  static std::size_t index(std::size_t bytes) noexcept { return (bytes + FramePool::kStepBytes - 1) / FramePool::kStepBytes; }

  std::array<List, FramePool::kPooledBytesMax / FramePool::kStepBytes + 1> lists;
  bool gone = false;  ///< a frame that is freed while the thread ends
};

thread_local Kept kept;

#endif

}  // namespace

#ifdef PYRALOG_NO_FRAME_POOL

void* FramePool::take(std::size_t bytes) { return ::operator new(bytes); }
void FramePool::give(void* frame, std::size_t) noexcept { ::operator delete(frame); }

#else

void* FramePool::take(std::size_t bytes) {
  if (bytes > kPooledBytesMax) return ::operator new(bytes);
  const std::size_t index = Kept::index(bytes);
  Kept::List& list = kept.lists[index];
  if (list.first == nullptr) return ::operator new(index * kStepBytes);
  --list.count;
  return std::exchange(list.first, list.first->next);
}

void FramePool::give(void* frame, std::size_t bytes) noexcept {
  Kept::List& list = kept.lists[bytes > kPooledBytesMax ? 0 : Kept::index(bytes)];
  if (bytes > kPooledBytesMax || list.count == kKeptPerSizeMax || kept.gone) {
    ::operator delete(frame);
    return;
  }
  list.first = ::new (frame) Free{list.first};
  ++list.count;
}

#endif

}  // namespace pyralog::io
