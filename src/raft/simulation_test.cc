#include <gtest/gtest.h>

#include <cstdlib>

#include "raft/scenario.h"

namespace pyralog::raft {
namespace {

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// RAFT_SEED=… with RAFT_SEEDS=1 repeats a seed that failed.
TEST(RaftSimulation, EverySeedHoldsAndEverythingHappens) {
  const std::uint64_t first = number_of("RAFT_SEED", 1);
  const std::uint64_t seeds = number_of("RAFT_SEEDS", 1'500);
  SimulatedCluster::Counts happened{};
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    Scenario scenario(seed);
    ASSERT_TRUE(scenario.run()) << "RAFT_SEED=" << seed << " RAFT_SEEDS=1: " << scenario.failure() << "\n"
                                << scenario.describe();
    for (std::size_t i = 0; i < happened.size(); ++i) happened[i] += scenario.counts()[i];
  }
  if (seeds < 1'500) return;  // too few for what is rare
  for (std::size_t i = 0; i < happened.size(); ++i) EXPECT_GT(happened[i], 0U) << "never happened: kind " << i;
}

TEST(RaftSimulation, ASeedGivesTheSameTraceAgain) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Scenario once(seed);
    Scenario again(seed);
    ASSERT_EQ(once.run(), again.run());
    ASSERT_EQ(once.trace(), again.trace()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace pyralog::raft
