#include "cli/record_format.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <iterator>

#include "cli/json_text.h"

namespace pyralog::cli {
namespace {

constexpr std::string_view kFields = "kvoptThl";
// What std::gmtime can show: years 1 to 9999.
constexpr std::int64_t kTimeMsMin = -62'135'596'800'000;
constexpr std::int64_t kTimeMsMax = 253'402'300'799'999;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_bytes(std::string& out, const std::optional<ByteView>& bytes) {
  if (bytes.has_value()) out += as_text(*bytes);
}

void append_headers(std::string& out, const record::HeaderList& headers) {
  bool is_first = true;
  for (const record::HeaderView& header : headers) {
    if (!is_first) out += ',';
    is_first = false;
    out.append(header.key).append("=");
    append_bytes(out, header.value);
  }
}

void json_bytes(JsonWriter& json, std::string_view name, const std::optional<ByteView>& bytes) {
  if (!bytes.has_value()) {
    json.key(name);
    json.null();
  } else if (is_utf8(as_text(*bytes))) {
    json.field(name, as_text(*bytes));
  } else {
    json.field(std::string(name) + "_base64", base64(as_text(*bytes)));
  }
}

}  // namespace

std::string iso_time(WallTime time) {
  if (time.ms < kTimeMsMin || time.ms > kTimeMsMax) return "-";
  std::int64_t seconds = time.ms / 1000;
  std::int64_t ms = time.ms % 1000;
  if (ms < 0) --seconds, ms += 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(seconds)), ms);
}

Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char next = ++i < text.size() ? text[i] : '\0';
    static constexpr std::string_view kNames = "nrt0\\";
    static constexpr std::string_view kMeanings("\n\r\t\0\\", 5);
    const std::size_t known = next == '\0' ? std::string_view::npos : kNames.find(next);
    if (known != std::string_view::npos) {
      out += kMeanings[known];
    } else if (next == 'x' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      return Error(ErrorCode::kInvalidArgument, fmt::format("\"{}\": \\n, \\r, \\t, \\0, \\\\ and \\xHH are known", text));
    }
  }
  return out;
}

Result<RecordFormat> RecordFormat::parse(std::string_view text) {
  RecordFormat format;
  std::string literal;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      literal += text[i];
      continue;
    }
    const char field = ++i < text.size() ? text[i] : '\0';
    if (field == '%') {
      literal += '%';
    } else if (field == '\0' || kFields.find(field) == std::string_view::npos) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("format \"{}\": %k %v %o %p %t %T %h %l and %% are known", text));
    } else {
      PYRALOG_ASSIGN(std::string before, unescape(literal));
      if (!before.empty()) format.parts_.push_back({.literal = std::move(before)});
      literal.clear();
      format.parts_.push_back({.field = field, .literal = {}});
    }
  }
  PYRALOG_ASSIGN(std::string rest, unescape(literal));
  if (!rest.empty()) format.parts_.push_back({.literal = std::move(rest)});
  return format;
}

void RecordFormat::append(std::string& out, std::string_view log, PartitionIndex partition,
                          const record::RecordView& record) const {
  for (const Part& part : parts_) {
    switch (part.field) {
      case 'k': append_bytes(out, record.key); break;
      case 'v': append_bytes(out, record.value); break;
      case 'o': fmt::format_to(std::back_inserter(out), "{}", record.offset.value); break;
      case 'p': fmt::format_to(std::back_inserter(out), "{}", partition.value); break;
      case 't': fmt::format_to(std::back_inserter(out), "{}", record.timestamp.ms); break;
      case 'T': out += iso_time(record.timestamp); break;
      case 'h': append_headers(out, record.headers); break;
      case 'l': out += log; break;
      default: out += part.literal;
    }
  }
}

void append_json(std::string& out, std::string_view log, PartitionIndex partition, const record::RecordView& record) {
  JsonWriter json;
  json.begin_object();
  json.field("log", log);
  json.field("partition", partition.value);
  json.field("offset", record.offset.value);
  json.field("timestamp", record.timestamp.ms);
  json_bytes(json, "key", record.key);
  json_bytes(json, "value", record.value);
  json.key("headers");
  json.begin_array();
  for (const record::HeaderView& header : record.headers) {
    json.begin_object();
    json.field("key", header.key);
    json_bytes(json, "value", header.value);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  out.append(json.text()).append("\n");
}

}  // namespace pyralog::cli
