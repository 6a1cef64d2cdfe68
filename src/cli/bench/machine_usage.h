#pragma once

#include <cstdint>
#include <optional>

namespace pyralog::cli {

/// CPU time used so far, in seconds, and memory.
struct MachineUsage {
  double client_cpu_seconds = 0;                   ///< of this process
  std::optional<double> machine_cpu_seconds;       ///< of all processes and the kernel
  std::optional<double> server_cpu_seconds;        ///< of the process asked for
  std::optional<std::uint64_t> server_memory_bytes;  ///< resident

  /// `server_pid` 0: nobody is asked for. What cannot be read is absent.
  static MachineUsage now(std::int32_t server_pid);
};

}  // namespace pyralog::cli
