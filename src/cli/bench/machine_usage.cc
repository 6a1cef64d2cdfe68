#include "cli/bench/machine_usage.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace pyralog::cli {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double per_tick() { return 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)); }

/// user nice system idle iowait irq softirq steal …: what is neither idle nor stolen.
std::optional<double> read_machine_cpu_seconds() {
  std::ifstream file("/proc/stat");
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0;
  if (!(file >> name >> user >> nice >> system >> idle >> waiting >> irq >> softirq)) return std::nullopt;
  return (user + nice + system + irq + softirq) * per_tick();
}

void read_process(std::int32_t pid, MachineUsage& usage) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return;
  // The program's name is in parentheses and may hold anything; the fields that follow start with the state, field 3.
  const std::size_t end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos) return;
  std::istringstream fields(line.substr(end_of_name + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0, rss_pages = 0;
  fields >> user >> system;
  for (int field = 16; field < 24; ++field) fields >> skipped;
  if (!(fields >> rss_pages)) return;
  usage.server_cpu_seconds = (user + system) * per_tick();
  usage.server_memory_bytes = static_cast<std::uint64_t>(rss_pages) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

MachineUsage MachineUsage::now(std::int32_t server_pid) {
  MachineUsage usage;
  rusage own{};
  ::getrusage(RUSAGE_SELF, &own);
  usage.client_cpu_seconds = seconds_of(own.ru_utime) + seconds_of(own.ru_stime);
  usage.machine_cpu_seconds = read_machine_cpu_seconds();
  if (server_pid != 0) read_process(server_pid, usage);
  return usage;
}

}  // namespace pyralog::cli
