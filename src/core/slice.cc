#include "core/slice.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace pyralog {
namespace {

void release_own(Chunk* chunk) noexcept {
  std::free(chunk->data());
  delete chunk;
}

}  // namespace

Chunk* Chunk::allocate(std::size_t bytes) {
  const std::size_t rounded = align_up(bytes == 0 ? 1 : bytes, kAlignment);
  auto* data = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
  PYRALOG_ASSERT(data != nullptr, "out of memory");
  // Files are written in whole sectors: what lies behind the bytes goes to disk with them, and is nobody else's memory.
  std::memset(data + bytes, 0, rounded - bytes);
  return new Chunk(data, rounded, release_own, nullptr);
}

Slice Slice::copy_of(ByteView bytes) {
  Slice slice = allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(slice.mutable_data(), bytes.data(), bytes.size());
  return slice;
}

}  // namespace pyralog
