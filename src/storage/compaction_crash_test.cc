#include <gtest/gtest.h>

#include <cstdio>

#include "io/virtual_seeds.h"
#include "storage/compaction_simulation.h"

namespace pyralog::storage::crash {
namespace {

bool survives(std::uint64_t seed) {
  CompactionSimulation simulation(seed);
  if (simulation.run()) return true;
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), simulation.error.c_str());
  return false;
}

TEST(CompactionCrashes, NeverLoseALastValueNorBringADeletedOneBack) {
  EXPECT_TRUE(io::failing_seeds({.first = 1, .count = 500}, survives).empty());
}

TEST(CompactionCrashes, RunsReachTheRarePaths) {
  std::uint64_t compactions = 0, superseded = 0, tombstones = 0, passes = 0, merged = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CompactionSimulation simulation(seed);
    EXPECT_TRUE(simulation.run()) << "seed " << seed << ": " << simulation.error;
    compactions += simulation.compactions;
    superseded += simulation.superseded;
    tombstones += simulation.tombstones;
    passes += simulation.passes;
    merged += simulation.merged;
  }
  EXPECT_GT(compactions, 300u);
  EXPECT_GT(superseded, 1000u);
  EXPECT_GT(tombstones, 100u);
  EXPECT_GT(passes, compactions + 50) << "some keys did not fit into memory";
  EXPECT_GT(merged, 50u);
}

}  // namespace
}  // namespace pyralog::storage::crash
