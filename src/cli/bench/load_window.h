#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "cli/bench/latency_recorder.h"
#include "core/time.h"

namespace pyralog::cli {

/// When a load runs and which part of that is measured: [measured, end).
struct LoadWindow {
  MonotonicTime start;
  MonotonicTime measured;
  MonotonicTime end;

  bool holds(MonotonicTime time) const noexcept { return time >= measured && time < end; }
};

/// What was counted inside the window. Throughput counts what was answered there; latencies are those of requests that
/// were due there, whenever they were answered.
struct LoadCounts {
  std::uint64_t requests = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  ///< of whole batches
  LatencyRecorder latency;
  std::map<std::string, std::uint64_t> errors;  ///< of the whole run

  std::uint64_t errors_total() const {
    std::uint64_t total = 0;
    for (const auto& [name, count] : errors) total += count;
    return total;
  }
};

}  // namespace pyralog::cli
