#include "core/checksum.h"

#include <isa-l/crc.h>
#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

namespace pyralog {
namespace {

// Below this many bytes the library's set-up costs more than it saves.
[[maybe_unused]] constexpr std::size_t kInlineBytesMax = 256;

#if defined(__SSE4_2__)
std::uint32_t crc32c_inline(ByteView bytes, std::uint32_t state) noexcept {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t wide = state;
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  state = static_cast<std::uint32_t>(wide);
  for (; left > 0; ++at, --left) state = _mm_crc32_u8(state, static_cast<std::uint8_t>(*at));
  return state;
}
#endif

}  // namespace

std::uint32_t crc32c(ByteView bytes, std::uint32_t seed) noexcept {
#if defined(__SSE4_2__)
  if (bytes.size() < kInlineBytesMax) return ~crc32c_inline(bytes, ~seed);
#endif
  // The library neither pre- nor post-inverts, takes a non-const pointer and an int length.
  std::uint32_t state = ~seed;
  while (!bytes.empty()) {
    const std::size_t piece = bytes.size() < (1u << 30) ? bytes.size() : (1u << 30);
    auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
    state = crc32_iscsi(data, static_cast<int>(piece), state);
    bytes = bytes.subspan(piece);
  }
  return ~state;
}

}  // namespace pyralog
