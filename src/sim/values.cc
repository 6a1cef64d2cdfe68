#include "sim/values.h"

#include <algorithm>

#include "core/random.h"

namespace pyralog::sim {

std::string make_value(ValueId id, std::size_t bytes) {
  std::string value(std::max(bytes, kValueBytesMin), '\0');
  auto* at = reinterpret_cast<std::byte*>(value.data());
  store_little(at, id.value);
  store_little(at + 8, static_cast<std::uint32_t>(value.size()));
  Random random(id.value);
  const bool is_repetitive = random.chance(1, 2);
  std::uint64_t word = random.next();
  for (std::size_t i = kValueBytesMin; i < value.size(); ++i) {
    if (!is_repetitive && i % 8 == 0) word = random.next();
    value[i] = static_cast<char>(word >> i % 8 * 8);
  }
  return value;
}

std::optional<ValueId> identify(ByteView value) {
  if (value.size() < kValueBytesMin) return std::nullopt;
  const ValueId id(load_little<std::uint64_t>(value.data()));
  if (load_little<std::uint32_t>(value.data() + 8) != value.size()) return std::nullopt;
  const std::string wanted = make_value(id, value.size());
  return std::ranges::equal(as_bytes(wanted), value) ? std::optional(id) : std::nullopt;
}

}  // namespace pyralog::sim
