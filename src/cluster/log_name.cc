#include "cluster/log_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "core/limits.h"

namespace pyralog::cluster {
namespace {

bool is_legal(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

char without_dot(char c) { return c == '.' ? '_' : c; }

}  // namespace

Result<> check_log_name(std::string_view name) {
  const auto refused = [](std::string why) { return Error(ErrorCode::kInvalidArgument, std::move(why)); };
  if (name.empty()) return refused("the name is empty");
  if (name == "." || name == "..") return refused("the name cannot be '.' or '..'");
  if (name.size() > limits::kLogNameBytesMax) {
    return refused(
        fmt::format("the name has {} characters; at most {} are allowed", name.size(), limits::kLogNameBytesMax));
  }
  if (!std::ranges::all_of(name, is_legal)) {
    return refused("the name has a character other than letters, digits, '.', '_' and '-'");
  }
  return {};
}

bool names_collide(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, without_dot, without_dot);
}

}  // namespace pyralog::cluster
