#include <gtest/gtest.h>

#include <cstdio>

#include "io/virtual_seeds.h"
#include "storage/cached_crash_simulation.h"

namespace pyralog::storage::crash::cached {
namespace {

bool survives(std::uint64_t seed) {
  Simulation simulation(seed);
  const bool passed = simulation.run();
  if (!passed) std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), simulation.error().c_str());
  return passed;
}

TEST(CachedCrashes, LeaveABeginningOfTheLogThatHoldsWhatWasPromised) {
  EXPECT_TRUE(io::failing_seeds({.first = 1, .count = 300}, survives).empty());
}

TEST(CachedCrashes, ReachTheRarePaths) {
  std::uint64_t lost_batches = 0, stopped_by_syncs = 0, rot_named = 0, rot_cut = 0, rot_survived = 0;
  for (std::uint64_t seed = 1; seed <= 90; ++seed) {
    Simulation simulation(seed);
    EXPECT_TRUE(simulation.run()) << "seed " << seed << ": " << simulation.error();
    lost_batches += simulation.lost_batches();
    stopped_by_syncs += simulation.stopped_by_syncs;
    rot_named += simulation.rot_named;
    rot_cut += simulation.rot_cut;
    rot_survived += simulation.rot_survived;
  }
  EXPECT_GT(lost_batches, 100u);
  EXPECT_GT(stopped_by_syncs, 10u);
  EXPECT_GT(rot_named, 10u);
  EXPECT_GT(rot_cut, 5u);
  EXPECT_GT(rot_survived, 20u);
}

}  // namespace
}  // namespace pyralog::storage::crash::cached
