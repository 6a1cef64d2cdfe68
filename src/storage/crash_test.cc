#include <gtest/gtest.h>

#include <cstdio>

#include "io/virtual_seeds.h"
#include "storage/crash_simulation.h"

namespace pyralog::storage::crash {
namespace {

TEST(StoreCrashes, RunsReachTheRarePaths) {
  Coverage all;
  for (std::uint64_t seed = 1; seed <= 20 * kEmphases; ++seed) {
    Simulation simulation(seed, static_cast<Emphasis>(seed % kEmphases));
    EXPECT_TRUE(simulation.run()) << "seed " << seed << ": " << simulation.error;
    all.bypassed_bytes += simulation.coverage.bypassed_bytes;
    all.images += simulation.coverage.images;
    all.stopped_by_syncs += simulation.coverage.stopped_by_syncs;
    all.rot_named += simulation.coverage.rot_named;
    all.rot_survived += simulation.coverage.rot_survived;
    all.forged += simulation.coverage.forged;
    all.compacted += simulation.coverage.compacted;
  }
  EXPECT_GT(all.bypassed_bytes, 1000u);
  EXPECT_GT(all.images, 20u);
  EXPECT_GT(all.stopped_by_syncs, 10u);
  EXPECT_GT(all.rot_named, 20u);
  EXPECT_GT(all.rot_survived, 20u);
  EXPECT_GT(all.forged, 5u);
  EXPECT_GT(all.compacted, 100u);
}

bool survives(std::uint64_t seed) {
  Simulation simulation(seed);
  if (simulation.run()) return true;
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), simulation.error.c_str());
  return false;
}

TEST(StoreCrashes, LeaveAStateThatWasIssuedAndNothingAcknowledgedIsMissing) {
  EXPECT_TRUE(io::failing_seeds({.first = 1, .count = 1000}, survives).empty());
}

}  // namespace
}  // namespace pyralog::storage::crash
