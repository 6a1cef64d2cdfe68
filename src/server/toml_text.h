#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace pyralog::server {

/// One value of a TOML document: where it stands ("kafka", "idle_timeout") and its text.
struct TomlValue {
  std::vector<std::string> path;
  std::string text;
  bool is_empty_table = false;  ///< a section without values: `text` is empty
  unsigned line = 0;            ///< from 1
};

inline constexpr std::size_t kTomlBytesMax = 1u << 20;
inline constexpr std::size_t kTomlLineBytesMax = 4096;  ///< bounds how deep a key can nest tables

/// All values and empty sections of `document`, in the order of their lines. Numbers and booleans become their text;
/// arrays and dates are refused, since no setting has one. kInvalidArgument: "line 3: …"; kTooLarge.
Result<std::vector<TomlValue>> read_toml(std::string_view document);

}  // namespace pyralog::server
