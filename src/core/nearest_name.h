#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace pyralog {

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (each counted once).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that somebody who wrote `name` most likely meant: the least distant, if that is at most a third of the
/// name's length (at least 2); else empty. Of equally distant ones the first.
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace pyralog
