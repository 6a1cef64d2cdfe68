#pragma once

#include <cstdint>

#include "core/bytes.h"

namespace pyralog {

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`, with the usual inversions before and after:
/// crc32c("123456789") == 0xE3069283. `seed` is the result for the bytes before, to checksum in pieces.
std::uint32_t crc32c(ByteView bytes, std::uint32_t seed = 0) noexcept;

}  // namespace pyralog
