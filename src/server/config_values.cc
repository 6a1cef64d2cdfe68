#include "server/config_values.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <span>
#include <utility>

namespace pyralog::server {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t size;
};

// Largest last: rendering takes the largest that divides.
constexpr std::array<Unit, 5> kDurations = {{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 5> kSizes = {
    {{"B", 1}, {"KiB", 1ll << 10}, {"MiB", 1ll << 20}, {"GiB", 1ll << 30}, {"TiB", 1ll << 40}}};

Error refused(std::string why) { return {ErrorCode::kInvalidArgument, std::move(why)}; }

std::string names_of(std::span<const Unit> units) {
  std::string names;
  for (const Unit& unit : units) names += (names.empty() ? "" : ", ") + std::string(unit.name);
  return names;
}

/// A whole number of `units`; without a unit only what `bare` allows.
enum class Bare { kOnlyZero, kAllowed };
Result<std::int64_t> parse_measure(std::string_view text, std::span<const Unit> units, Bare bare) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc::result_out_of_range) return refused(fmt::format("\"{}\" is too large", text));
  if (error != std::errc() || count < 0) {
    return refused(fmt::format("\"{}\" is not a whole number and a unit ({})", text, names_of(units)));
  }
  std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  while (name.starts_with(' ')) name.remove_prefix(1);
  if (name.empty() && (count == 0 || bare == Bare::kAllowed)) return count;
  if (name.empty()) return refused(fmt::format("\"{}\" lacks a unit: one of {}", text, names_of(units)));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    if (count > INT64_MAX / unit.size) return refused(fmt::format("\"{}\" is too large", text));
    return count * unit.size;
  }
  return refused(fmt::format("\"{}\" has the unknown unit \"{}\": use one of {}", text, name, names_of(units)));
}

std::string render_measure(std::int64_t value, std::span<const Unit> units) {
  const Unit* largest = &units.front();
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.size == 0) largest = &unit;
  }
  return fmt::format("{}{}", value / largest->size, largest->name);
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  PYRALOG_ASSIGN(const std::int64_t ms, parse_measure(text, kDurations, Bare::kOnlyZero));
  return std::chrono::milliseconds(ms);
}

std::string render_duration(std::chrono::milliseconds value) { return render_measure(value.count(), kDurations); }

Result<std::uint64_t> parse_bytes(std::string_view text) {
  PYRALOG_ASSIGN(const std::int64_t bytes, parse_measure(text, kSizes, Bare::kAllowed));
  return static_cast<std::uint64_t>(bytes);
}

std::string render_bytes(std::uint64_t value) { return render_measure(static_cast<std::int64_t>(value), kSizes); }

Result<std::int64_t> parse_whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    return refused(fmt::format("\"{}\" is not a whole number", text));
  return number;
}

Result<bool> parse_switch(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return refused(fmt::format("\"{}\" is neither true nor false", text));
}

}  // namespace pyralog::server
