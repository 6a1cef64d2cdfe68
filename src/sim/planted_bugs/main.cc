// Shows that the simulation notices bugs of the server: plants each in turn and looks for a seed that fails.
// `sim_planted_bugs [name]`; exits 1 if a bug goes unnoticed, or if a seed fails without one.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "core/random.h"
#include "io/virtual_seeds.h"
#include "sim/simulation.h"
#include "storage/planted.h"

namespace pyralog::sim {
namespace {

using storage::Bug;

/// What the runs that are to show a bug lean towards, besides what their seed says.
enum class Lean : std::uint8_t {
  kNone,
  kCrashes,
  kCrashesInWrites,
  kCutsAndRetries,
  kGroups,
  kGroupsAndCrashes,
  kCompaction,
};

struct Planted {
  Bug bug;
  Lean lean;
  const char* name;
};

constexpr Planted kPlanted[] = {
    {Bug::kAcknowledgeBeforeSync, Lean::kCrashes, "acknowledge before the sync"},
    {Bug::kMetadataNotAwaited, Lean::kCrashes, "metadata acknowledged before it is durable"},
    {Bug::kProducerIdsOverlap, Lean::kCrashes, "producer ids handed out again"},
    {Bug::kWrongBaseOfRetry, Lean::kCutsAndRetries, "a retry is told a wrong offset"},
    {Bug::kLastBlockNotRestored, Lean::kCrashesInWrites, "last block not restored"},
    {Bug::kNoImage, Lean::kCrashesInWrites, "no image"},
    {Bug::kBodyNotSynced, Lean::kCrashes, "body not synced"},
    {Bug::kNoDirectorySync, Lean::kCrashes, "no directory sync"},
    {Bug::kGroupAppendNotAwaited, Lean::kGroupsAndCrashes, "offsets acknowledged before they are durable"},
    {Bug::kGroupBatchLoadedInPart, Lean::kGroupsAndCrashes, "offsets loaded in part"},
    {Bug::kOldGenerationAdmitted, Lean::kGroups, "commits of an old generation"},
    {Bug::kOlderRecordWins, Lean::kCompaction, "compaction keeps an older record"},
    {Bug::kReplacedSegmentsGoFirst, Lean::kCompaction, "compaction removes segments before their replacement is durable"},
};

constexpr std::uint64_t kSeedsMax = 1000;
constexpr std::uint64_t kSoundSeeds = 20;
constexpr std::uint64_t kFaults = 12;
constexpr std::uint64_t kSeedStep = 1'000'000;  // to a plan that has what is wanted

void add_faults(Plan& plan, std::initializer_list<FaultKind> kinds) {
  Random random(plan.seed);
  plan.faults.clear();
  for (std::uint64_t i = 0; i < kFaults; ++i) {
    plan.faults.push_back({.at = std::chrono::milliseconds(50) + plan.length / kFaults * static_cast<int>(i),
                           .kind = *(kinds.begin() + random.below(kinds.size())),
                           .span = std::chrono::milliseconds(random.between(50, 500)),
                           .detail = random.next()});
  }
}

Plan plan_of(std::uint64_t seed, Lean lean) {
  Plan plan = make_plan(seed);
  const bool needs_groups = lean == Lean::kGroups || lean == Lean::kGroupsAndCrashes;
  const auto has_keyed = [&] { return std::ranges::find(plan.logs, LogUse::kKeyed, &LogPlan::use) != plan.logs.end(); };
  while ((needs_groups && plan.groups.empty()) || (lean == Lean::kCompaction && !has_keyed())) {
    plan = make_plan(plan.seed + kSeedStep);
  }
  const bool has_crashes = lean == Lean::kCrashes || lean == Lean::kGroupsAndCrashes || lean == Lean::kCompaction;
  if (has_crashes) add_faults(plan, {FaultKind::kCrash, FaultKind::kCrashAtStep});
  if (lean == Lean::kCrashesInWrites) {
    add_faults(plan, {FaultKind::kCrashInWrite});
    plan.server.upkeep_delay_max = std::chrono::milliseconds(50);
  }
  if (lean == Lean::kCutsAndRetries) add_faults(plan, {FaultKind::kReset, FaultKind::kCut, FaultKind::kLossyLink});
  return plan;
}

bool is_well(std::uint64_t seed, Lean lean) {
  Simulation simulation(plan_of(seed, lean));
  const Report report = simulation.run();
  if (report.violation.has_value()) fmt::print("  seed {}: {}\n", seed, *report.violation);
  return !report.violation.has_value();
}

bool fails(std::uint64_t first, std::uint64_t count, Lean lean) {
  const auto body = [lean](std::uint64_t seed) { return is_well(seed, lean); };
  return !io::failing_seeds({.first = first, .count = count, .per_child = count}, body).empty();
}

bool caught(const Planted& planted) {
  storage::planted_bug = planted.bug;
  std::uint64_t seed = 1;
  while (seed <= kSeedsMax && !fails(seed, 1, planted.lean)) ++seed;
  storage::planted_bug = Bug::kNone;
  if (seed > kSeedsMax) {
    fmt::print("NOT CAUGHT in {} seeds: {}\n", kSeedsMax, planted.name);
    return false;
  }
  fmt::print("caught by seed {:4}: {}\n", seed, planted.name);
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
  for (const Lean lean : {Lean::kNone, Lean::kCrashes, Lean::kCrashesInWrites, Lean::kCutsAndRetries, Lean::kGroups,
                          Lean::kGroupsAndCrashes, Lean::kCompaction}) {
    if (!only.empty() || !fails(1, kSoundSeeds, lean)) continue;
    fmt::print("fails without a planted bug\n");
    ++missed;
  }
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pyralog::sim

int main(int argc, char** argv) { return pyralog::sim::run(argc > 1 ? argv[1] : ""); }
