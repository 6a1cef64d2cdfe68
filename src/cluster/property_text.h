#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

/// The text forms of property values, as Kafka reads them. Views point into the text given.
namespace pyralog::cluster {

std::string_view trim(std::string_view text);
std::optional<bool> parse_boolean(std::string_view text);          ///< true or false, in any case
std::optional<std::int64_t> parse_integer(std::string_view text);  ///< decimal, whole text, 64 bits
std::optional<double> parse_double(std::string_view text);         ///< finite
/// Comma separated, each value trimmed; blank text is the empty list.
std::vector<std::string_view> split_list(std::string_view text);
bool list_contains(std::string_view list, std::string_view value);

}  // namespace pyralog::cluster
