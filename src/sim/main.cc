// One run, or many: see --help.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "io/virtual_seeds.h"
#include "sim/simulation.h"

namespace pyralog::sim {
namespace {

constexpr std::string_view kHelp =
    "sim --seed N [--trace]     runs one seed; --trace tells what happens\n"
    "sim --seed N --events      the same, with every event of network, disk and shards (io/virtual_world.h)\n"
    "sim --first N --count M    runs a range of seeds\n"
    "Exit code 1: a rule was broken.\n";

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t count = 1;
  bool trace = false;
  bool events = false;
  bool is_range = false;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--trace" || name == "--events") {
      arguments.trace = true;
      arguments.events |= name == "--events";
      continue;
    }
    std::uint64_t* into = name == "--seed" || name == "--first" ? &arguments.first
                          : name == "--count"                   ? &arguments.count
                                                                : nullptr;
    if (into == nullptr || i + 1 == argc) return false;
    const std::string_view text = argv[++i];
    if (std::from_chars(text.data(), text.data() + text.size(), *into).ptr != text.data() + text.size()) return false;
    arguments.is_range |= name == "--count";
  }
  return true;
}

void say(const std::string& line) { fmt::print("{}\n", line); }

void say_event(const io::VirtualWorld::TraceEvent& event) {
  fmt::print("{:12.6f} ms  event {} {:x} {:x}\n", static_cast<double>(event.time.time_since_epoch().count()) / 1e6, event.kind,
             event.first, event.second);
}

bool run_one(std::uint64_t seed, bool trace, bool events, io::SharedCounts* happened = nullptr) {
  RunOptions options;
  if (trace) options.note = say;
  if (events) options.trace = say_event;
  Simulation simulation(seed, std::move(options));
  const Report report = simulation.run();
  if (trace) {
    fmt::print("trace {:016x}, {:.1f} s of virtual time\n", report.trace_hash,
               static_cast<double>(report.virtual_time.count()) / 1e9);
  }
  for (std::size_t kind = 0; happened != nullptr && kind < kHappenedKinds; ++kind) {
    happened->all()[kind] += report.coverage.count(kind);
  }
  if (!report.violation.has_value()) return true;
  fmt::print("seed {}: {}\nrepeat: sim --seed {} --trace\n", seed, *report.violation, seed);
  return false;
}

int run(const Arguments& arguments) {
  spdlog::set_level(arguments.trace ? spdlog::level::info : spdlog::level::off);
  if (!arguments.is_range) return run_one(arguments.first, arguments.trace, arguments.events) ? 0 : 1;
  const io::SeedRange range{.first = arguments.first, .count = arguments.count, .per_child = 20};
  io::SharedCounts happened(kHappenedKinds);
  const auto failing = io::failing_seeds(
      range, [&](std::uint64_t seed) { return run_one(seed, arguments.trace, false, &happened); });
  bool is_complete = true;
  for (std::size_t kind = 0; kind < kHappenedKinds; ++kind) {
    fmt::print("{:12} {}\n", happened.all()[kind].load(), kHappenedText[kind]);
    is_complete &= happened.all()[kind] > 0 || arguments.count < kSeedsThatReachAll;
  }
  if (!is_complete) fmt::print("something never happened\n");
  fmt::print("{} seeds from {} on: {} failed\n", arguments.count, arguments.first, failing.size());
  return failing.empty() && is_complete ? 0 : 1;
}

}  // namespace
}  // namespace pyralog::sim

int main(int argc, char** argv) {
  pyralog::sim::Arguments arguments;
  if (!pyralog::sim::parse(argc, argv, arguments)) {
    fmt::print(stderr, "{}", pyralog::sim::kHelp);
    return 2;
  }
  return pyralog::sim::run(arguments);
}
