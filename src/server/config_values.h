#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

/// The text forms of values in the configuration.
namespace pyralog::server {

/// A whole number and its unit: ms, s, m, h or d ("100ms", "7d"); 0 needs none. kInvalidArgument.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The shortest text that parse_duration reads back.
std::string render_duration(std::chrono::milliseconds value);

/// A whole number of bytes, or with a unit: B, KiB, MiB, GiB or TiB ("16MiB"). kInvalidArgument.
Result<std::uint64_t> parse_bytes(std::string_view text);
std::string render_bytes(std::uint64_t value);

Result<std::int64_t> parse_whole_number(std::string_view text);
Result<bool> parse_switch(std::string_view text);  ///< true or false

}  // namespace pyralog::server
