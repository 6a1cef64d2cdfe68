#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/record_format.h"
#include "cli/session.h"
#include "cli/start_position.h"

namespace pyralog::cli {

enum class RecordOutput : std::uint8_t {
  kText,  ///< `format`
  kRaw,   ///< the bytes of the values, nothing between them
  kJson,  ///< an object a line
};

struct ConsumeCommand {
  SessionOptions session;
  std::string log;
  std::vector<std::int32_t> partitions;  ///< none: all
  StartPosition from;
  std::optional<std::uint64_t> count;  ///< records in total
  bool follow = false;                 ///< goes on at the end instead of stopping there
  RecordOutput output = RecordOutput::kText;
  RecordFormat format;
};

/// `pyralog consume`: records on stdout, those of one partition in order.
int run_consume(const ConsumeCommand& command);

}  // namespace pyralog::cli
