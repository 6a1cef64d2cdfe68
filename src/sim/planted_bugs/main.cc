// Shows that the simulation notices bugs of the server: plants each in turn and looks for a seed that fails.
// `sim_planted_bugs [name]`; exits 1 if a bug goes unnoticed, or if a seed fails without one.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <string_view>

#include "io/virtual_seeds.h"
#include "sim/simulation.h"
#include "storage/planted.h"

namespace pyralog::sim {
namespace {

using storage::Bug;

struct Planted {
  Bug bug;
  const char* name;
};

constexpr Planted kPlanted[] = {
    {Bug::kAcknowledgeBeforeSync, "acknowledge before the sync"},
    {Bug::kMetadataNotAwaited, "metadata acknowledged before it is durable"},
    {Bug::kProducerIdsOverlap, "producer ids handed out again"},
    {Bug::kWrongBaseOfRetry, "a retry is told a wrong offset"},
    {Bug::kLastBlockNotRestored, "last block not restored"},
    {Bug::kNoImage, "no image"},
    {Bug::kBodyNotSynced, "body not synced"},
    {Bug::kNoDirectorySync, "no directory sync"},
};

constexpr std::uint64_t kSeedsAtOnce = 10;
constexpr std::uint64_t kSeedsMax = 2000;

bool is_well(std::uint64_t seed) {
  Simulation simulation(seed);
  const Report report = simulation.run();
  if (report.violation.has_value()) fmt::print("  seed {}: {}\n", seed, *report.violation);
  return !report.violation.has_value();
}

bool fails(std::uint64_t first) {
  return !io::failing_seeds({.first = first, .count = kSeedsAtOnce, .per_child = kSeedsAtOnce}, is_well).empty();
}

bool caught(const Planted& planted) {
  storage::planted_bug = planted.bug;
  std::uint64_t first = 1;
  while (first <= kSeedsMax && !fails(first)) first += kSeedsAtOnce;
  storage::planted_bug = Bug::kNone;
  if (first > kSeedsMax) {
    fmt::print("NOT CAUGHT: {}\n", planted.name);
    return false;
  }
  fmt::print("caught within {:5} seeds: {}\n", first + kSeedsAtOnce - 1, planted.name);
  return true;
}

int run(std::string_view only) {
  spdlog::set_level(spdlog::level::off);
  int missed = 0;
  for (const Planted& planted : kPlanted) {
    if (!only.empty() && only != planted.name) continue;
    if (!caught(planted)) ++missed;
    std::fflush(stdout);
  }
  if (only.empty() && fails(1)) {
    fmt::print("fails without a planted bug\n");
    ++missed;
  }
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pyralog::sim

int main(int argc, char** argv) { return pyralog::sim::run(argc > 1 ? argv[1] : ""); }
