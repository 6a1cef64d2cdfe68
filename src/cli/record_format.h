#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "record/record_iterator.h"

namespace pyralog::cli {

/// How `consume` shows a record: text with fields in it, compiled once.
///
///     %k key   %v value   %o offset   %p partition   %t timestamp (ms)   %T timestamp (ISO 8601, UTC)   %h headers
///     (a=b,c=d) %l log   %% a percent sign      \n \t \0 \\ the usual
///
/// Null keys and values are nothing.
class RecordFormat {
 public:
  /// kInvalidArgument.
  static Result<RecordFormat> parse(std::string_view text);

  /// Appends the record to `out`.
  void append(std::string& out, std::string_view log, PartitionIndex partition, const record::RecordView& record) const;

 private:
  struct Part {
    char field = 0;  ///< 0: `literal`
    std::string literal;
  };
  std::vector<Part> parts_;
};

/// The record as one JSON object on a line. Keys and values that are not UTF-8 go into key_base64 and value_base64.
void append_json(std::string& out, std::string_view log, PartitionIndex partition, const record::RecordView& record);

/// 2024-05-01T12:00:00.000Z; a timestamp that is no time: "-".
std::string iso_time(WallTime time);

/// A text with \n, \t, \0, \\ and \xHH resolved. kInvalidArgument.
Result<std::string> unescape(std::string_view text);

}  // namespace pyralog::cli
