#pragma once

#include <cstdint>
#include <string_view>

#include "core/result.h"

namespace pyralog::cli {

/// Where reading begins: "start", "end", an offset, "-N" (N records before the end) or "@TIME" (the first record at or
/// after it: milliseconds since 1970, or 2024-05-01[T12:30[:15[.250]]][Z], in UTC).
struct StartPosition {
  enum class Kind : std::uint8_t { kStart, kEnd, kOffset, kBeforeEnd, kTime };
  Kind kind = Kind::kStart;
  std::int64_t value = 0;  ///< an offset, a count, or milliseconds

  /// kInvalidArgument.
  static Result<StartPosition> parse(std::string_view text);
  friend bool operator==(const StartPosition&, const StartPosition&) = default;
};

/// Milliseconds since 1970 of a time as StartPosition takes it.
Result<std::int64_t> parse_time_ms(std::string_view text);

}  // namespace pyralog::cli
