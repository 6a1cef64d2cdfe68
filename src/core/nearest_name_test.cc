#include "core/nearest_name.h"

#include <gtest/gtest.h>

#include <array>

namespace pyralog {
namespace {

TEST(NearestName, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("ab", "ba"), 1u);
  EXPECT_EQ(edit_distance("listne", "listen"), 1u);
}

TEST(NearestName, SuggestsOnlyWhatIsNear) {
  constexpr std::array<std::string_view, 3> kNames = {"retention.ms", "retention.bytes", "segment.ms"};
  EXPECT_EQ(nearest_name("retention.mss", kNames), "retention.ms");
  EXPECT_EQ(nearest_name("retention_bytes", kNames), "retention.bytes");
  EXPECT_EQ(nearest_name("colour", kNames), "");
  EXPECT_EQ(nearest_name("", kNames), "");
}

}  // namespace
}  // namespace pyralog
