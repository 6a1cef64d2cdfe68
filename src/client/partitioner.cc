#include "client/partitioner.h"

namespace pyralog::client {
namespace {

constexpr std::uint32_t kSeed = 0x9747b28c;
constexpr std::uint32_t kMultiplier = 0x5bd1e995;
constexpr int kShift = 24;

}  // namespace

std::uint32_t key_hash(ByteView key) noexcept {
  std::uint32_t hash = kSeed ^ static_cast<std::uint32_t>(key.size());
  for (; key.size() >= 4; key = key.subspan(4)) {
    std::uint32_t word = load_little<std::uint32_t>(key.data());
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash *= kMultiplier;
    hash ^= word;
  }
  if (!key.empty()) {
    for (std::size_t i = key.size(); i-- > 0;) hash ^= std::to_integer<std::uint32_t>(key[i]) << (8 * i);
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

}  // namespace pyralog::client
