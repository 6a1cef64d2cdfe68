#include "cli/start_position.h"

#include <gtest/gtest.h>

namespace pyralog::cli {
namespace {

using Kind = StartPosition::Kind;

TEST(StartPosition, ReadsEveryForm) {
  const auto at = [](std::string_view text) { return StartPosition::parse(text).value(); };
  EXPECT_EQ(at("start"), (StartPosition{Kind::kStart, 0}));
  EXPECT_EQ(at("end"), (StartPosition{Kind::kEnd, 0}));
  EXPECT_EQ(at("42"), (StartPosition{Kind::kOffset, 42}));
  EXPECT_EQ(at("-10"), (StartPosition{Kind::kBeforeEnd, 10}));
  EXPECT_EQ(at("@1714566615250"), (StartPosition{Kind::kTime, 1714566615250}));
  EXPECT_EQ(at("@2024-05-01T12:30:15.250Z"), (StartPosition{Kind::kTime, 1714566615250}));
}

TEST(StartPosition, RefusesTheRest) {
  for (const char* text : {"", "-", "--1", "@", "first", "1x", "+1", "9223372036854775808", "@2024-13-01", "@2023-02-29",
                           "@2024-05-01T24:00", "@2024-05-01T12", "@2024-05-01x"}) {
    EXPECT_EQ(StartPosition::parse(text).error().code(), ErrorCode::kInvalidArgument) << text;
  }
}

TEST(Time, MayBeShort) {
  EXPECT_EQ(parse_time_ms("1970-01-02").value(), 86'400'000);
  EXPECT_EQ(parse_time_ms("1970-01-01T01:01").value(), 3'660'000);
  EXPECT_EQ(parse_time_ms("1969-12-31T23:59:59").value(), -1000);
}

}  // namespace
}  // namespace pyralog::cli
