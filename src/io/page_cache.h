#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"

namespace pyralog::io {

/// True if the range `[position, end)` of an open file, which lies within it, is in the page cache, as far as the system
/// tells: kernels from 6.5 do exactly, for older ones a byte in each 64 KiB is tried.
bool is_resident(int fd, std::uint64_t position, std::uint64_t end) noexcept;

/// Reads the range into the page cache. Blocks. `path` is for the error text.
Result<> load_range(int fd, const std::string& path, std::uint64_t position, std::uint64_t end);

}  // namespace pyralog::io
