#include <gtest/gtest.h>

#include <cstdio>

#include "io/virtual_seeds.h"
#include "storage/crash_simulation.h"

namespace pyralog::storage::crash {
namespace {

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
