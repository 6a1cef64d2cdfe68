#include "protocol/kafka/arena.h"

#include <algorithm>
#include <cstring>

namespace pyralog::protocol {
namespace {

constexpr std::size_t kBlockHeaderBytes = alignof(std::max_align_t);

}  // namespace

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return "";
  auto* memory = static_cast<char*>(allocate(text.size(), 1, kNoLimit));
  std::memcpy(memory, text.data(), text.size());
  return {memory, text.size()};
}

void Arena::reset() noexcept {
  free_blocks();
  blocks_ = nullptr;
  reserved_bytes_ = 0;
  next_block_bytes_ = kBlockBytesMin;
  at_ = inline_;
  end_ = inline_ + kInlineBytes;
}

void* Arena::allocate_block(std::size_t bytes, std::size_t reserved_bytes_max) {
  static_assert(sizeof(Block) <= kBlockHeaderBytes);
  const std::size_t available = reserved_bytes_max - std::min(reserved_bytes_max, reserved_bytes_);
  const std::size_t needed = bytes + kBlockHeaderBytes;
  if (needed > available) return nullptr;
  const std::size_t block_bytes = std::max(needed, std::min(next_block_bytes_, available));
  auto* block = static_cast<Block*>(::operator new(block_bytes));
  block->previous = blocks_;
  blocks_ = block;
  reserved_bytes_ += block_bytes;
  next_block_bytes_ = std::min(2 * next_block_bytes_, kBlockBytesMax);
  std::byte* memory = reinterpret_cast<std::byte*>(block) + kBlockHeaderBytes;
  // An array that fills a block of its own leaves the current block in use.
  if (block_bytes > needed) {
    at_ = memory + bytes;
    end_ = reinterpret_cast<std::byte*>(block) + block_bytes;
  }
  return memory;
}

void Arena::free_blocks() noexcept {
  for (Block* block = blocks_; block != nullptr;) {
    Block* previous = block->previous;
    ::operator delete(block);
    block = previous;
  }
}

}  // namespace pyralog::protocol
