#include <gtest/gtest.h>

#include <cstdio>

#include "io/virtual_seeds.h"
#include "storage/crash_simulation.h"

namespace pyralog::storage::crash {
namespace {

TEST(StoreCrashes, RunsReachTheRarePaths) {
  std::uint64_t bypassed_bytes = 0, images = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Simulation simulation(seed);
    EXPECT_TRUE(simulation.run()) << simulation.error;
    bypassed_bytes += simulation.bypassed_bytes;
    images += simulation.images;
  }
  EXPECT_GT(bypassed_bytes, 1000u);
  EXPECT_GT(images, 20u);
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
