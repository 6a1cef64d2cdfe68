#include "cli/group_seek.h"

#include <gtest/gtest.h>

#include <limits>

namespace pyralog::cli {
namespace {

using Kind = SeekTarget::Kind;

const SeekPartition kPartition{.start = Offset(10), .end = Offset(50), .committed = Offset(30), .at_time = Offset(40)};

std::int64_t sought(Kind kind, std::int64_t value = 0, SeekPartition partition = kPartition) {
  return seek_offset({.kind = kind, .value = value}, partition).value().value;
}

TEST(SeekOffset, StartsEndsAndTimes) {
  EXPECT_EQ(sought(Kind::kStart), 10);
  EXPECT_EQ(sought(Kind::kEnd), 50);
  EXPECT_EQ(sought(Kind::kTime, 1'700'000'000'000), 40);
}

TEST(SeekOffset, ATimeAfterTheLastRecordIsTheEnd) {
  EXPECT_EQ(sought(Kind::kTime, 1, {.start = Offset(10), .end = Offset(50), .committed = {}, .at_time = {}}), 50);
}

TEST(SeekOffset, StaysWithinTheLog) {
  EXPECT_EQ(sought(Kind::kOffset, 20), 20);
  EXPECT_EQ(sought(Kind::kOffset, 0), 10);
  EXPECT_EQ(sought(Kind::kOffset, 1000), 50);
  EXPECT_EQ(sought(Kind::kTime, 1, {.start = Offset(10), .end = Offset(50), .committed = {}, .at_time = Offset(3)}), 10);
}

TEST(SeekOffset, ShiftsFromWhatIsCommitted) {
  EXPECT_EQ(sought(Kind::kShift, 5), 35);
  EXPECT_EQ(sought(Kind::kShift, -5), 25);
  EXPECT_EQ(sought(Kind::kShift, -25), 10);
  EXPECT_EQ(sought(Kind::kShift, 25), 50);
  EXPECT_EQ(sought(Kind::kShift, std::numeric_limits<std::int64_t>::max()), 50);
  EXPECT_EQ(sought(Kind::kShift, std::numeric_limits<std::int64_t>::min()), 10);
}

TEST(SeekOffset, NothingCommittedCannotBeShifted) {
  const SeekPartition partition{.start = Offset(10), .end = Offset(50), .committed = {}, .at_time = {}};
  EXPECT_EQ(seek_offset({.kind = Kind::kShift, .value = 1}, partition).error(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace pyralog::cli
