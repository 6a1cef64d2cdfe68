#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pyralog {

/// What went wrong, as far as callers act differently on it. The table is `core/errors.def`.
enum class ErrorCode : std::uint8_t {
#define PYRALOG_ERROR(name, retriable, text) name,
#include "core/errors.def"
#undef PYRALOG_ERROR
};

/// The code's fixed text, without a trailing period.
std::string_view error_text(ErrorCode code) noexcept;

/// The code's name as written in the table, for logs and tests.
std::string_view error_name(ErrorCode code) noexcept;

/// True if the same request may succeed later without anybody changing it.
bool is_retriable(ErrorCode code) noexcept;

/// A failure: a code for the program and an optional detail for a person (cause first, then the remedy). Making one
/// without a detail allocates nothing, so it is fit for the record path.
class Error {
 public:
  Error(ErrorCode code) noexcept : code_(code) {}  // NOLINT: codes convert to errors on purpose
  Error(ErrorCode code, std::string detail) : detail_(std::move(detail)), code_(code) {}

  ErrorCode code() const noexcept { return code_; }
  const std::string& detail() const noexcept { return detail_; }

  /// One line: "corrupt data: journal/0/3.journal at byte 8192: bad checksum".
  std::string to_string() const;

  /// The same error with `prefix` and ": " before its detail.
  Error with_context(std::string_view prefix) const;

  friend bool operator==(const Error& error, ErrorCode code) noexcept { return error.code_ == code; }

 private:
  std::string detail_;
  ErrorCode code_;
};

}  // namespace pyralog
