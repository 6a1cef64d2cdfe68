#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/assert.h"

namespace pyralog::cli {
namespace {

std::string cell_text(const Cell& cell) {
  struct Text {
    std::string operator()(std::monostate) const { return "-"; }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(bool truth) const { return truth ? "yes" : "no"; }
  };
  return std::visit(Text{}, cell);
}

std::string heading(const std::string& column) {
  std::string text = column;
  for (char& c : text) c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

void Table::add(std::vector<Cell> row) {
  PYRALOG_ASSERT(row.size() == columns_.size(), "a row has a cell for each column");
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<std::vector<std::string>> lines{{}};
  for (const std::string& column : columns_) lines.front().push_back(heading(column));
  for (const auto& row : rows_) {
    auto& line = lines.emplace_back();
    for (const Cell& cell : row) line.push_back(cell_text(cell));
  }
  std::string text;
  std::vector<std::size_t> widths(columns_.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (std::size_t row = 0; row < lines.size(); ++row) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool is_number = !rows_.empty() && std::holds_alternative<std::int64_t>(rows_[row == 0 ? 0 : row - 1][i]);
      line += is_number ? fmt::format("{:>{}}", lines[row][i], widths[i]) : fmt::format("{:<{}}", lines[row][i], widths[i]);
      if (i + 1 < columns_.size()) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

void Table::write_json(JsonWriter& json) const {
  json.begin_array();
  for (const auto& row : rows_) {
    json.begin_object();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      json.key(columns_[i]);
      if (const auto* text = std::get_if<std::string>(&row[i])) {
        json.value(*text);
      } else if (const auto* number = std::get_if<std::int64_t>(&row[i])) {
        json.value(*number);
      } else if (const auto* truth = std::get_if<bool>(&row[i])) {
        json.value(*truth);
      } else {
        json.null();
      }
    }
    json.end_object();
  }
  json.end_array();
}

void Table::print(OutputFormat format) const {
  if (format == OutputFormat::kTable) {
    fmt::print("{}", text());
    return;
  }
  JsonWriter json;
  write_json(json);
  fmt::print("{}\n", json.text());
}

}  // namespace pyralog::cli
