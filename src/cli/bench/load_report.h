#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/bench/load_options.h"
#include "cli/bench/load_window.h"
#include "cli/bench/machine_usage.h"

namespace pyralog::cli {

/// One direction of a load: what was sent or read, at which rate, how quickly.
struct LoadResult {
  std::string kind;  ///< "produce", "consume", "tail"
  double seconds = 0;
  LoadCounts counts;
  std::vector<std::pair<std::string, LatencyRecorder>> more_latencies;  ///< name (for JSON) and values
  std::uint64_t unanswered = 0;       ///< requests that were due
  std::uint64_t missing_records = 0;  ///< acknowledged and not read
};

struct LoadReport {
  std::vector<std::pair<std::string, std::string>> parameters;  ///< as they were used; numbers unquoted in JSON
  std::vector<LoadResult> results;  ///< at least one; in JSON the first one's members are the report's own
  MachineUsage before;
  MachineUsage after;

  bool has_errors() const;
  /// On stdout.
  void print(OutputFormat format) const;
};

std::string load_report_text(const LoadReport& report);
std::string load_report_json(const LoadReport& report);

}  // namespace pyralog::cli
