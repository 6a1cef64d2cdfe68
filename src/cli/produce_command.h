#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/session.h"
#include "client/producer.h"

namespace pyralog::cli {

struct ProduceCommand {
  SessionOptions session;
  std::string log;
  std::string file;                          ///< empty or "-": standard input
  std::string delimiter = "\n";              ///< between records
  std::optional<std::string> key_separator;  ///< what lies before it in a record is its key
  std::optional<std::int32_t> partition;
  std::vector<std::pair<std::string, std::string>> headers;  ///< of every record
  client::ProducerOptions producer;
};

/// `pyralog produce`: one record a line. How many were acknowledged is noted on stderr.
int run_produce(const ProduceCommand& command);

}  // namespace pyralog::cli
