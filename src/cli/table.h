#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/json_text.h"

namespace pyralog::cli {

enum class OutputFormat : std::uint8_t { kTable, kJson };

/// What one place of a listing holds; nothing is "-" in a table and null in JSON.
using Cell = std::variant<std::monostate, std::string, std::int64_t, bool>;

/// A listing: aligned columns for people, an array of objects for programs. Column names are JSON's (snake_case).
class Table {
 public:
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  void add(std::vector<Cell> row);

  /// A header line and a line per row; numbers are aligned to the right.
  std::string text() const;
  void write_json(JsonWriter& json) const;
  /// The listing on stdout.
  void print(OutputFormat format) const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace pyralog::cli
