#include "core/errors.h"

#include <array>

namespace pyralog {
namespace {

struct Row {
  std::string_view name;
  std::string_view text;
  bool retriable;
};

constexpr auto kRows = std::to_array<Row>({
#define PYRALOG_ERROR(name, retriable, text) {#name, text, retriable},
#include "core/errors.def"
#undef PYRALOG_ERROR
});

const Row& row(ErrorCode code) noexcept { return kRows[static_cast<std::size_t>(code)]; }

}  // namespace

std::string_view error_text(ErrorCode code) noexcept { return row(code).text; }
std::string_view error_name(ErrorCode code) noexcept { return row(code).name; }
bool is_retriable(ErrorCode code) noexcept { return row(code).retriable; }

std::string Error::to_string() const {
  std::string line(error_text(code_));
  if (!detail_.empty()) line.append(": ").append(detail_);
  return line;
}

Error Error::with_context(std::string_view prefix) const {
  std::string detail(prefix);
  if (!detail_.empty()) detail.append(": ").append(detail_);
  return Error(code_, std::move(detail));
}

}  // namespace pyralog
