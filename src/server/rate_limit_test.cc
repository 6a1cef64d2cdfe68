#include "server/rate_limit.h"

#include <gtest/gtest.h>

namespace pyralog::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonotonicTime kStart{std::chrono::hours(1)};

TEST(RateLimit, LetsABurstOfASecondPassThenSpacesOut) {
  RateLimit limit(10);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(limit.take(kStart), Duration::zero()) << i;
  EXPECT_EQ(limit.take(kStart), milliseconds(100));
  EXPECT_EQ(limit.take(kStart + milliseconds(100)), milliseconds(100)) << "the one before has just happened";
}

TEST(RateLimit, HoldsTheRateOverALongTime) {
  RateLimit limit(100);
  MonotonicTime now = kStart;
  int events = 0;
  for (; now < kStart + seconds(60); ++events) now += limit.take(now);
  EXPECT_NEAR(events, 60 * 100 + 100, 2);
}

TEST(RateLimit, QuietTimeEarnsOneBurstOnly) {
  RateLimit limit(5);
  const MonotonicTime later = kStart + seconds(100);
  int at_once = 0;
  while (limit.try_take(later)) ++at_once;
  EXPECT_EQ(at_once, 5);
}

TEST(RateLimit, WhatIsNotTakenIsNotCounted) {
  RateLimit limit(1);
  EXPECT_TRUE(limit.try_take(kStart));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(limit.try_take(kStart + milliseconds(i)));
  EXPECT_TRUE(limit.try_take(kStart + seconds(1)));
}

TEST(RateLimit, TakesAnyRate) {
  RateLimit none(0);
  EXPECT_EQ(none.take(kStart), Duration::zero());
  RateLimit endless(5'000'000'000);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(endless.take(kStart), Duration::zero());
}

}  // namespace
}  // namespace pyralog::server
