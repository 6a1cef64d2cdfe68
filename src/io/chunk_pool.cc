#include "io/chunk_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <memory>

namespace pyralog::io {

struct ChunkPool::Pooled : Chunk {
  Pooled(std::byte* data, std::size_t bytes, std::size_t size_class, Shared* shared)
      : Chunk(data, bytes, &ChunkPool::release, shared), which(size_class) {}
  ~Pooled() { ::munmap(data(), size()); }

  Pooled* next = nullptr;
  const std::size_t which;
};

/// What the pool and its chunks share; the last of them ends it.
struct ChunkPool::Shared {
  explicit Shared(std::size_t bytes) : free_bytes_max(bytes) {}
  ~Shared() {
    for (auto& stack : returned) {
      for (Pooled* chunk = stack.load(std::memory_order_acquire); chunk != nullptr;) {
        delete std::exchange(chunk, chunk->next);
      }
    }
  }
  void drop() noexcept {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  const std::size_t free_bytes_max;
  std::atomic<std::size_t> references{1};  // the pool and every chunk in use
  std::atomic<std::size_t> free_bytes{0};
  std::atomic<std::size_t> used_bytes{0};
  std::atomic<bool> pool_gone{false};
  // Dropped chunks, newest first. Pushed by any thread, and only ever taken as a whole, so that no node can come back
  // between a look and an exchange.
  std::array<std::atomic<Pooled*>, kClassBytes.size()> returned{};
};

ChunkPool::ChunkPool(std::size_t free_bytes_max) : shared_(new Shared(free_bytes_max)) {}

ChunkPool::~ChunkPool() {
  shared_->pool_gone.store(true, std::memory_order_release);
  for (FreeList& list : free_) give_back(list, list.count);
  shared_->drop();
}

std::size_t ChunkPool::free_bytes() const noexcept { return shared_->free_bytes.load(std::memory_order_relaxed); }
std::size_t ChunkPool::used_bytes() const noexcept { return shared_->used_bytes.load(std::memory_order_relaxed); }

Chunk* ChunkPool::take(std::size_t bytes) {
  const auto fits = std::find_if(kClassBytes.begin(), kClassBytes.end(), [&](std::size_t size) { return bytes <= size; });
  const auto which = static_cast<std::size_t>(fits - kClassBytes.begin());
  Pooled* chunk = nullptr;
  if (which != kOwnClass) {
    FreeList& list = free_[which];
    if (list.first == nullptr) collect(which);
    if (list.first != nullptr) {
      chunk = list.first;
      list.first = chunk->next;
      --list.count;
      list.unused = std::min(list.unused, list.count);
      shared_->free_bytes.fetch_sub(chunk->size(), std::memory_order_relaxed);
      chunk->reset_references();
    }
  }
  if (chunk == nullptr) {
    const std::size_t size = which == kOwnClass ? align_up(bytes, Chunk::kAlignment) : kClassBytes[which];
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    PYRALOG_ASSERT(memory != MAP_FAILED, "out of memory");
    chunk = new Pooled(static_cast<std::byte*>(memory), size, which, shared_);
  }
  shared_->references.fetch_add(1, std::memory_order_relaxed);
  shared_->used_bytes.fetch_add(chunk->size(), std::memory_order_relaxed);
  return chunk;
}

void ChunkPool::release(Chunk* dropped) noexcept {
  auto* chunk = static_cast<Pooled*>(dropped);
  auto* shared = static_cast<Shared*>(chunk->owner());
  const std::size_t size = chunk->size();
  shared->used_bytes.fetch_sub(size, std::memory_order_relaxed);
  bool keep = chunk->which != kOwnClass && !shared->pool_gone.load(std::memory_order_acquire);
  if (keep && shared->free_bytes.fetch_add(size, std::memory_order_relaxed) + size > shared->free_bytes_max) {
    shared->free_bytes.fetch_sub(size, std::memory_order_relaxed);
    keep = false;
  }
  if (keep) {
    std::atomic<Pooled*>& stack = shared->returned[chunk->which];
    Pooled* head = stack.load(std::memory_order_relaxed);
    do {
      chunk->next = head;
    } while (!stack.compare_exchange_weak(head, chunk, std::memory_order_release, std::memory_order_relaxed));
  } else {
    delete chunk;
  }
  shared->drop();
}

void ChunkPool::collect(std::size_t which) noexcept {
  FreeList& list = free_[which];
  for (Pooled* chunk = shared_->returned[which].exchange(nullptr, std::memory_order_acquire); chunk != nullptr;) {
    Pooled* next = chunk->next;
    chunk->next = list.first;
    list.first = chunk;
    ++list.count;
    chunk = next;
  }
}

void ChunkPool::give_back(FreeList& list, std::size_t count) noexcept {
  for (; count > 0; --count) {
    const std::unique_ptr<Pooled> chunk(list.first);
    list.first = chunk->next;
    --list.count;
    shared_->free_bytes.fetch_sub(chunk->size(), std::memory_order_relaxed);
  }
}

void ChunkPool::trim() noexcept {
  for (std::size_t which = 0; which < free_.size(); ++which) {
    FreeList& list = free_[which];
    give_back(list, list.unused);
    collect(which);
    list.unused = list.count;
  }
}

}  // namespace pyralog::io
