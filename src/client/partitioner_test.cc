#include "client/partitioner.h"

#include <gtest/gtest.h>

namespace pyralog::client {
namespace {

// The values that Kafka's own tests expect of its clients.
TEST(KeyHash, AgreesWithKafkasClients) {
  const auto hash = [](std::string_view key) { return static_cast<std::int32_t>(key_hash(as_bytes(key))); };
  EXPECT_EQ(hash("21"), -973932308);
  EXPECT_EQ(hash("foobar"), -790332482);
  EXPECT_EQ(hash("a-little-bit-long-string"), -985981536);
  EXPECT_EQ(hash("a-little-bit-longer-string"), -1486304829);
  EXPECT_EQ(hash("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
  EXPECT_EQ(hash("abc"), 479470107);
}

TEST(PartitionOfKey, IsNeverNegative) {
  for (int i = 0; i < 1000; ++i) {
    const std::string key = std::to_string(i);
    const PartitionIndex partition = partition_of_key(as_bytes(key), 7);
    EXPECT_GE(partition.value, 0);
    EXPECT_LT(partition.value, 7);
  }
}

}  // namespace
}  // namespace pyralog::client
