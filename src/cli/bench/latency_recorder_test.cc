#include "cli/bench/latency_recorder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/random.h"

namespace pyralog::cli {
namespace {

TEST(LatencyRecorder, SmallValuesAreExact) {
  LatencyRecorder latency;
  for (int ns = 1; ns <= 100; ++ns) latency.record(Duration(ns));
  EXPECT_EQ(latency.percentile(0.5), Duration(50));
  EXPECT_EQ(latency.percentile(0.99), Duration(99));
  EXPECT_EQ(latency.percentile(1), Duration(100));
  EXPECT_EQ(latency.percentile(0), Duration(1));
  EXPECT_EQ(latency.mean(), Duration(50));
}

TEST(LatencyRecorder, RanksDoNotSlipByRounding) {
  LatencyRecorder latency;
  for (int i = 0; i < 999; ++i) latency.record(Duration(1));
  latency.record(Duration(200));
  EXPECT_EQ(latency.percentile(0.999), Duration(1));
  EXPECT_EQ(latency.percentile(0.9991), Duration(200));
}

TEST(LatencyRecorder, PercentilesAreWithinOnePercentOfTheTrueOnes) {
  Random random(5);
  LatencyRecorder latency;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    const auto magnitude = random.between(0, 41);
    const auto value = static_cast<std::int64_t>(random.below((std::uint64_t{1} << magnitude) + 1));
    values.push_back(value);
    latency.record(Duration(value));
  }
  std::ranges::sort(values);
  for (const double fraction : {0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(fraction * 20'000));
    const auto exact = static_cast<double>(values[rank - 1]);
    const auto shown = static_cast<double>(latency.percentile(fraction).count());
    EXPECT_GE(shown, exact) << fraction;
    EXPECT_LE(shown, exact * 1.008 + 1) << fraction;
  }
  EXPECT_EQ(latency.max(), Duration(values.back()));
}

TEST(LatencyRecorder, TakesNonsenseAndMerges) {
  LatencyRecorder a, b;
  a.record(Duration(-5));
  b.record(Duration::max());
  a.merge(b);
  EXPECT_EQ(a.count(), 2u);
  EXPECT_EQ(a.percentile(0.5), Duration(0));
  EXPECT_EQ(a.max(), Duration((std::int64_t{1} << 42) - 1));
  EXPECT_EQ(LatencyRecorder().percentile(0.99), Duration(0));
}

}  // namespace
}  // namespace pyralog::cli
