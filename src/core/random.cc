#include "core/random.h"

#include <cstring>

namespace pyralog {

Uuid Random::uuid() noexcept {
  const std::uint64_t halves[2] = {next(), next()};
  Uuid uuid;
  std::memcpy(uuid.bytes.data(), halves, sizeof halves);
  // RFC 4122 version 4, as Kafka's topic ids.
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0F) | 0x40);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3F) | 0x80);
  return uuid;
}

}  // namespace pyralog
