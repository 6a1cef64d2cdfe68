#include "core/ids.h"

#include <cstring>

namespace pyralog {

std::string Uuid::to_string() const {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  text.reserve(22);
  for (std::size_t i = 0; i < 18; i += 3) {
    const auto byte = [&](std::size_t at) -> std::uint32_t { return at < bytes.size() ? bytes[at] : 0; };
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (int shift = 18; shift >= 0 && text.size() < 22; shift -= 6) text.push_back(kAlphabet[group >> shift & 63]);
  }
  return text;
}

}  // namespace pyralog

std::size_t std::hash<pyralog::Uuid>::operator()(const pyralog::Uuid& uuid) const noexcept {
  std::uint64_t halves[2];
  std::memcpy(halves, uuid.bytes.data(), sizeof halves);
  return halves[0] ^ halves[1] * 0x9E3779B97F4A7C15ull;
}
