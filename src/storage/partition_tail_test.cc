// Before an append continues a block that only the disk has, the block is checked.
#include <gtest/gtest.h>

#include "storage/log_world.h"

namespace pyralog::storage {
namespace {

using fixture::LogWorld;
using io::CrashMode;

/// A log whose last block is partly written, synced, and nowhere in memory.
class PartitionTailTest : public ::testing::Test {
 protected:
  void fill(int batches, std::size_t value_bytes) {
    for (int i = 0; i < batches; ++i) world.append_synced({.value_bytes = value_bytes});
    world.settle();
    EXPECT_EQ(images(), 0u);
    EXPECT_NE(files().active().end % world.node.options.geometry.block_bytes, 0u);
    listen();
  }
  void listen() {
    world.node.store->set_on_damage([this](const SegmentDamage& damage) { found.push_back(damage); });
  }
  void flip(std::uint64_t position) { world.node.disk().flip_bit(path, position * 8 + 3); }
  PartitionFiles& files() { return world.node.partition(); }
  std::uint64_t images() { return world.node.store->counters().images; }

  /// The next append goes to a new segment, and the old one stays as it is.
  void expect_avoided() {
    const Offset end = world.log().log_end();
    const auto before = world.node.disk().contents(path);
    EXPECT_EQ(world.append_synced({.records = 2}).base, end);
    EXPECT_EQ(files().active().base, end);
    EXPECT_EQ(images(), 0u);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].path, path);
    EXPECT_EQ(world.node.store->counters().segment_damage, 1u);
    world.settle();
    EXPECT_EQ(world.node.disk().contents(path), before);
    EXPECT_EQ(world.read({.offset = end, .bytes_max = 1u << 20}).second, end + OffsetDelta(2));
    world.append_synced({});
    EXPECT_EQ(files().active().base, end);
    EXPECT_EQ(found.size(), 1u);
  }

  LogWorld world{31, LogSettings{}};
  std::string path = world.path(Offset(0), FileKind::kLog);
  std::vector<SegmentDamage> found;
};

TEST_F(PartitionTailTest, AnUndamagedBlockIsContinued) {
  fill(5, 100);
  world.append_synced({});
  EXPECT_EQ(files().active().base, Offset(0));
  EXPECT_EQ(images(), 1u);
  EXPECT_TRUE(found.empty());
}

TEST_F(PartitionTailTest, ADamagedBlockIsNot) {
  fill(5, 100);
  flip(files().active().end - 20);
  expect_avoided();
}

TEST_F(PartitionTailTest, NorIsOneWithTheEndOfADamagedBatch) {
  fill(2, 10'000);
  flip(files().active().end - 9'000);
  expect_avoided();
}

TEST_F(PartitionTailTest, NorIsOneWhoseOffsetsAreWrong) {
  fill(5, 100);
  flip(files().active().end / 5 * 4 + 6);  // of the last batch's base
  expect_avoided();
}

TEST_F(PartitionTailTest, NorAfterAStart) {
  fill(300, 100);
  world.crash(CrashMode::kPowerLoss);
  listen();
  flip(files().active().end - 20);
  expect_avoided();
}

TEST_F(PartitionTailTest, PreparingChecksItToo) {
  fill(5, 100);
  flip(files().active().end - 20);
  ASSERT_TRUE(world.run(world.log().prepare()).ok());
  EXPECT_EQ(found.size(), 1u);
  expect_avoided();
}

}  // namespace
}  // namespace pyralog::storage
