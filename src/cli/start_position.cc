#include "cli/start_position.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <optional>

namespace pyralog::cli {
namespace {

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
  return number;
}

/// Takes `digits` digits from the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int number = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> calendar_time_ms(std::string_view text) {
  using namespace std::chrono;
  const auto y = take_number(text, 4);
  if (!y || !take(text, '-')) return std::nullopt;
  const auto m = take_number(text, 2);
  if (!m || !take(text, '-')) return std::nullopt;
  const auto d = take_number(text, 2);
  if (!d) return std::nullopt;
  const year_month_day date(year(*y), month(static_cast<unsigned>(*m)), day(static_cast<unsigned>(*d)));
  if (!date.ok()) return std::nullopt;
  std::optional<int> hour = 0, minute = 0, second = 0, ms = 0;
  if (take(text, 'T')) {
    hour = take_number(text, 2);
    if (!hour || !take(text, ':')) return std::nullopt;
    minute = take_number(text, 2);
    if (take(text, ':')) second = take_number(text, 2);
    if (take(text, '.')) ms = take_number(text, 3);
  }
  (void)take(text, 'Z');
  if (!text.empty() || !minute || !second || !ms || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const auto days = sys_days(date).time_since_epoch();
  return duration_cast<milliseconds>(days + hours(*hour) + minutes(*minute) + seconds(*second)).count() + *ms;
}

}  // namespace

Result<std::int64_t> parse_time_ms(std::string_view text) {
  if (!text.empty()) {
    if (const auto number = whole_number(text)) return *number;
    if (const auto ms = calendar_time_ms(text)) return *ms;
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("\"{}\" is no time: milliseconds, or 2024-05-01T12:30:15.250Z", text));
}

Result<StartPosition> StartPosition::parse(std::string_view text) {
  if (text == "start") return StartPosition{.kind = Kind::kStart};
  if (text == "end") return StartPosition{.kind = Kind::kEnd};
  if (text.starts_with('@')) {
    PYRALOG_ASSIGN(const std::int64_t ms, parse_time_ms(text.substr(1)));
    return StartPosition{.kind = Kind::kTime, .value = ms};
  }
  const bool before_end = text.starts_with('-');
  const std::string_view digits = text.substr(before_end ? 1 : 0);
  const auto number = digits.empty() ? std::nullopt : whole_number(digits);
  if (number) return StartPosition{.kind = before_end ? Kind::kBeforeEnd : Kind::kOffset, .value = *number};
  return Error(ErrorCode::kInvalidArgument, fmt::format("\"{}\" must be start, end, an offset, -N or @TIME", text));
}

}  // namespace pyralog::cli
