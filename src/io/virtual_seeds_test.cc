#include "io/virtual_seeds.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace pyralog::io {
namespace {

TEST(FailingSeeds, FindsSeedsThatAnswerNoAbortOrHang) {
  const auto body = [](std::uint64_t seed) {
    if (seed == 13) std::abort();
    if (seed == 17) {
      for (volatile bool forever = true; forever;) {
      }
    }
    return seed != 11;
  };
  const SeedRange range{.first = 10, .count = 10, .per_child = 4, .each = std::chrono::seconds(1)};
  EXPECT_EQ(failing_seeds(range, body), (std::vector<std::uint64_t>{11, 13, 17}));
}

TEST(FailingSeeds, RunsEverySeedInItsBatchsOwnMemory) {
  int calls = 0;
  const auto body = [&](std::uint64_t seed) { return ++calls == static_cast<int>(seed % 5) + 1; };
  EXPECT_TRUE(failing_seeds({.first = 0, .count = 20, .per_child = 5}, body).empty());
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace pyralog::io
