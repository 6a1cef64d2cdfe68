#include "cli/bench/request_schedule.h"

#include <gtest/gtest.h>

namespace pyralog::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonotonicTime kStart{seconds(100)};
constexpr MonotonicTime kEnd = kStart + seconds(10);

TEST(RequestSchedule, ClosedLoopIsAlwaysDueUntilTheEnd) {
  RequestSchedule schedule({.start = kStart, .end = kEnd});
  EXPECT_EQ(schedule.next(kStart + seconds(3)), kStart + seconds(3));
  EXPECT_EQ(schedule.next(kEnd), MonotonicTime::max());
  EXPECT_EQ(schedule.behind(kEnd), 0u);
}

TEST(RequestSchedule, OpenLoopKeepsItsTimesWhileTheServerStalls) {
  RequestSchedule schedule({.requests_per_second = 100, .start = kStart, .end = kEnd});
  schedule.take();
  // Nothing could be sent for two seconds: the next request is still due at 10 ms, and 199 others wait.
  const MonotonicTime now = kStart + seconds(2);
  EXPECT_EQ(schedule.next(now), kStart + milliseconds(10));
  EXPECT_EQ(schedule.behind(now), 199u);
}

TEST(RequestSchedule, OpenLoopEndsWithTheLastRequestDueBeforeTheEnd) {
  RequestSchedule schedule({.requests_per_second = 100, .start = kStart, .end = kEnd});
  std::uint64_t sent = 0;
  for (; schedule.next(kEnd + seconds(5)) != MonotonicTime::max(); ++sent) schedule.take();
  EXPECT_EQ(sent, 1000u);
  EXPECT_EQ(schedule.behind(kEnd + seconds(5)), 0u);
}

TEST(RequestSchedule, CountsItsRequests) {
  RequestSchedule schedule({.start = kStart, .end = kEnd, .requests_max = 2});
  schedule.take();
  EXPECT_EQ(schedule.next(kStart), kStart);
  schedule.take();
  EXPECT_EQ(schedule.next(kStart), MonotonicTime::max());
}

}  // namespace
}  // namespace pyralog::cli
