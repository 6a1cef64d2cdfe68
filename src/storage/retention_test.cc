#include "storage/retention.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace pyralog::storage {
namespace {

constexpr WallTime kNow{1'700'000'000'000};
constexpr std::int64_t kHour = 60 * 60 * 1000;
constexpr std::int64_t kDay = 24 * kHour;

/// Segments of 10 offsets and 100 bytes, written and stamped at the given ages.
class RetentionTest : public testing::Test {
 protected:
  void add(std::int64_t age_ms) { add(age_ms, age_ms); }
  void add(std::int64_t stamped_age_ms, std::int64_t appended_age_ms) {
    segments_.push_back({.end = Offset(static_cast<std::int64_t>(segments_.size() + 1) * 10),
                         .bytes = 100,
                         .max_timestamp = WallTime{kNow.ms - stamped_age_ms},
                         .appended_at = WallTime{kNow.ms - appended_age_ms}});
    high_watermark_ = segments_.back().end + OffsetDelta(5);
  }
  std::size_t decide(std::optional<WallTime> now = kNow) const {
    return segments_to_delete({.sealed = segments_, .active_bytes = 50, .start = start_, .high_watermark = high_watermark_},
                              settings_, now);
  }

  std::vector<RetentionCandidate> segments_;
  Offset start_;
  Offset high_watermark_;
  LogSettings settings_;
};

TEST_F(RetentionTest, ByTimeOldestFirst) {
  for (int days = 10; days >= 1; --days) add(days * kDay);
  settings_.retention_ms = 7 * kDay;
  EXPECT_EQ(decide(), 3u);  // 10, 9, 8; exactly seven days is not older than seven days
}

TEST_F(RetentionTest, ByTimeStopsAtTheFirstYoungSegment) {
  add(10 * kDay);
  add(1 * kDay);
  add(10 * kDay);
  EXPECT_EQ(decide(), 1u);
}

TEST_F(RetentionTest, BySizeKeepsAtLeastTheBound) {
  for (int i = 0; i < 10; ++i) add(0);  // 1050 bytes with the active segment
  settings_.retention_bytes = 450;
  EXPECT_EQ(decide(), 6u);
  settings_.retention_bytes = 451;
  EXPECT_EQ(decide(), 5u);
  settings_.retention_bytes = 0;
  EXPECT_EQ(decide(), 10u);
}

TEST_F(RetentionTest, EitherBoundDeletes) {
  for (int days = 10; days >= 1; --days) add(days * kDay);
  settings_.retention_ms = 7 * kDay;
  settings_.retention_bytes = 450;
  EXPECT_EQ(decide(), 6u);
  settings_.retention_bytes = 950;
  EXPECT_EQ(decide(), 3u);
}

TEST_F(RetentionTest, NoBoundDeletesNothing) {
  add(1000 * kDay);
  settings_.retention_ms = LogSettings::kUnbounded;
  EXPECT_EQ(decide(), 0u);
}

TEST_F(RetentionTest, ACompactedLogOnlyLosesWhatIsBelowItsStart) {
  add(1000 * kDay);
  add(1000 * kDay);
  settings_.deletes_old = false;
  settings_.retention_bytes = 0;
  EXPECT_EQ(decide(), 0u);
  start_ = Offset(19);
  EXPECT_EQ(decide(), 1u);
  start_ = Offset(20);
  EXPECT_EQ(decide(), 2u);
}

TEST_F(RetentionTest, WhatIsNotCommittedStays) {
  for (int i = 0; i < 3; ++i) add(100 * kDay);
  high_watermark_ = Offset(19);
  EXPECT_EQ(decide(), 1u);
}

TEST_F(RetentionTest, FutureTimestampsDoNotKeepASegmentForEver) {
  add(/*stamped=*/-1000 * kDay, /*appended=*/8 * kDay);
  add(std::numeric_limits<std::int64_t>::min() / 2, 8 * kDay);
  EXPECT_EQ(decide(), 2u);
}

TEST_F(RetentionTest, SlightlyFutureTimestampsCount) {
  add(-kHour, 100 * kDay);
  EXPECT_EQ(decide(), 0u);
}

TEST_F(RetentionTest, SegmentsWithoutTimestampsAgeByTheirAppend) {
  add(0, 8 * kDay);
  segments_.back().max_timestamp = WallTime{-1};
  EXPECT_EQ(decide(), 1u);
}

TEST_F(RetentionTest, AnUntrustedClockDeletesNothingByTimeButStillBySize) {
  for (int i = 0; i < 3; ++i) add(100 * kDay);
  EXPECT_EQ(decide(std::nullopt), 0u);
  settings_.retention_bytes = 150;
  EXPECT_EQ(decide(std::nullopt), 2u);
}

TEST(ClockGuard, FollowsAnHonestClock) {
  ClockGuard guard;
  for (int minute = 0; minute < 100; minute += 5) {
    const WallTime wall{kNow.ms + minute * 60'000};
    EXPECT_EQ(guard.observe(wall, MonotonicTime(std::chrono::minutes(minute))), wall);
  }
}

TEST(ClockGuard, BelievesAJumpedClockOnlyAfterItRanSteadily) {
  for (const std::int64_t jump : {365 * kDay, -365 * kDay}) {
    ClockGuard guard;
    EXPECT_TRUE(guard.observe(kNow, MonotonicTime()).has_value());
    for (int minute = 5; minute < 65; minute += 5) {
      const WallTime wall{kNow.ms + jump + minute * 60'000};
      EXPECT_EQ(guard.observe(wall, MonotonicTime(std::chrono::minutes(minute))), std::nullopt) << minute;
    }
    const WallTime wall{kNow.ms + jump + 65 * 60'000};
    EXPECT_EQ(guard.observe(wall, MonotonicTime(std::chrono::minutes(65))), wall);
  }
}

TEST(ClockGuard, AJumpBackToTheTruthIsAJumpToo) {
  ClockGuard guard;
  (void)guard.observe(kNow, MonotonicTime());
  EXPECT_EQ(guard.observe(WallTime{kNow.ms + kDay}, MonotonicTime(std::chrono::minutes(5))), std::nullopt);
  EXPECT_EQ(guard.observe(WallTime{kNow.ms + 600'000}, MonotonicTime(std::chrono::minutes(10))), std::nullopt);
  EXPECT_TRUE(guard.observe(WallTime{kNow.ms + 70 * 60'000}, MonotonicTime(std::chrono::minutes(70))).has_value());
}

}  // namespace
}  // namespace pyralog::storage
