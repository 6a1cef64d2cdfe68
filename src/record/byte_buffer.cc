#include "record/byte_buffer.h"

#include <algorithm>
#include <cstdlib>

#include "core/assert.h"

namespace pyralog::record {
namespace {

constexpr std::size_t kCapacityMin = 512;

}  // namespace

void ByteBuffer::release() noexcept {
  std::free(data_);
  data_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

void ByteBuffer::grow(std::size_t more, std::size_t capacity_max) {
  const std::size_t doubled = std::min(std::max(2 * capacity_, kCapacityMin), capacity_max);
  const std::size_t capacity = std::max(size_ + more, doubled);
  auto* data = static_cast<std::byte*>(std::realloc(data_, capacity));
  PYRALOG_ASSERT(data != nullptr, "out of memory");
  data_ = data;
  capacity_ = capacity;
}

}  // namespace pyralog::record
