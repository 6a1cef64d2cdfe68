#include "storage/key_map.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace pyralog::storage {
namespace {

std::string key_of(std::uint64_t number) { return "key " + std::to_string(number); }

TEST(KeyMap, KnowsTheLastOffsetOfEachKey) {
  Random random(1);
  KeyMap map(1u << 20);
  map.clear(random);
  std::map<std::string, Offset> model;
  for (std::int64_t offset = 0; offset < 20'000; ++offset) {
    const std::string key = key_of(random.below(3000));
    ASSERT_TRUE(map.put(as_bytes(key), Offset(offset)));
    model[key] = Offset(offset);
  }
  EXPECT_EQ(map.size(), model.size());
  for (const auto& [key, offset] : model) EXPECT_EQ(map.find(as_bytes(key)), offset) << key;
  EXPECT_EQ(map.find(as_bytes(std::string_view("nobody"))), std::nullopt);
}

TEST(KeyMap, TellsAnEmptyKeyFromNone) {
  Random random(2);
  KeyMap map(1u << 20);
  map.clear(random);
  EXPECT_EQ(map.find({}), std::nullopt);
  ASSERT_TRUE(map.put({}, Offset(0)));
  EXPECT_EQ(map.find({}), Offset(0));
}

TEST(KeyMap, StaysWithinItsMemoryAndStillTakesKnownKeys) {
  constexpr std::size_t kBytes = 100'000;
  Random random(3);
  KeyMap map(kBytes);
  map.clear(random);
  std::int64_t offset = 0;
  while (map.put(as_bytes(key_of(static_cast<std::uint64_t>(offset))), Offset(offset))) {
    ASSERT_LE(map.memory_bytes(), kBytes);
    ++offset;
  }
  EXPECT_GE(map.size(), kBytes / KeyMap::kEntryBytes / 3) << "much of the memory is of use";
  EXPECT_EQ(map.size(), static_cast<std::size_t>(offset));
  EXPECT_EQ(map.find(as_bytes(key_of(static_cast<std::uint64_t>(offset)))), std::nullopt);
  EXPECT_TRUE(map.put(as_bytes(key_of(5)), Offset(offset)));
  EXPECT_EQ(map.find(as_bytes(key_of(5))), Offset(offset));
}

TEST(KeyMap, HasRoomForSomethingHoweverSmallItIs) {
  Random random(4);
  KeyMap map(0);
  map.clear(random);
  for (std::uint64_t i = 0; i < KeyMap::kEntriesMin; ++i) {
    EXPECT_TRUE(map.put(as_bytes(key_of(i)), Offset(static_cast<std::int64_t>(i))));
  }
}

TEST(KeyMap, ForgetsWhenCleared) {
  Random random(5);
  KeyMap map(1u << 20);
  map.clear(random);
  ASSERT_TRUE(map.put(as_bytes(key_of(1)), Offset(1)));
  map.clear(random);
  EXPECT_EQ(map.size(), 0u);
  EXPECT_EQ(map.memory_bytes(), 0u);
  EXPECT_EQ(map.find(as_bytes(key_of(1))), std::nullopt);
}

}  // namespace
}  // namespace pyralog::storage
