#include "server/toml_text.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace pyralog::server {
namespace {

struct Walk {
  std::vector<TomlValue> values;
  std::vector<std::string> path;

  Result<> table(const toml::table& table) {
    for (const auto& [key, node] : table) {
      path.emplace_back(key.str());
      PYRALOG_TRY(this->node(node));
      path.pop_back();
    }
    return {};
  }

  Result<> node(const toml::node& node) {
    TomlValue value{.path = path, .line = node.source().begin.line};
    if (const auto* inner = node.as_table()) {
      if (!inner->empty()) return table(*inner);
      value.is_empty_table = true;
    } else if (const auto* text = node.as_string()) {
      value.text = text->get();
    } else if (const auto* integer = node.as_integer()) {
      value.text = fmt::format("{}", integer->get());
    } else if (const auto* number = node.as_floating_point()) {
      value.text = fmt::format("{}", number->get());
    } else if (const auto* boolean = node.as_boolean()) {
      value.text = boolean->get() ? "true" : "false";
    } else {
      return Error(ErrorCode::kInvalidArgument, fmt::format("line {}: {}: a setting is a text, a number, true or false",
                                                            value.line, fmt::join(path, ".")));
    }
    values.push_back(std::move(value));
    return {};
  }
};

Result<> check_lines(std::string_view document) {
  for (unsigned line = 1; !document.empty(); ++line) {
    const std::size_t bytes = std::min(document.find('\n'), document.size());
    if (bytes > kTomlLineBytesMax) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("line {} has more than {} bytes", line, kTomlLineBytesMax));
    }
    document.remove_prefix(std::min(bytes + 1, document.size()));
  }
  return {};
}

}  // namespace

Result<std::vector<TomlValue>> read_toml(std::string_view document) {
  if (document.size() > kTomlBytesMax) return Error(ErrorCode::kTooLarge, "a configuration has at most 1 MiB");
  PYRALOG_TRY(check_lines(document));
  Walk walk;
  try {
    PYRALOG_TRY(walk.table(toml::parse(document)));
  } catch (const toml::parse_error& error) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("line {}: {}", error.source().begin.line, error.description()));
  }
  std::ranges::sort(walk.values, [](const TomlValue& a, const TomlValue& b) {
    return std::tie(a.line, a.path) < std::tie(b.line, b.path);
  });
  return std::move(walk.values);
}

}  // namespace pyralog::server
