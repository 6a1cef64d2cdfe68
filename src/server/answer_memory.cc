#include "server/answer_memory.h"

#include "io/reactor.h"

namespace pyralog::server {
namespace {

constexpr std::size_t kSharedChunkBytes = 64u << 10;
constexpr std::size_t kSharedBytesMax = 8u << 10;

}  // namespace

Slice allocate_answer(std::size_t bytes) {
  if (bytes > kSharedBytesMax) return Slice::allocate(bytes);
  thread_local Slice shared;
  if (shared.size() < bytes) shared = Slice::allocate(kSharedChunkBytes);
  Slice answer = shared.part(0, bytes);
  shared = shared.part(bytes, shared.size() - bytes);
  return answer;
}

Slice allocate_received(std::size_t bytes) { return io::Reactor::current().chunks().take_slice(bytes); }

}  // namespace pyralog::server
