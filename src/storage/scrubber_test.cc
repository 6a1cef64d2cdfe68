#include "storage/scrubber.h"

#include <gtest/gtest.h>

#include "storage/store_fixture.h"

namespace pyralog::storage {
namespace {

using fixture::kFirst;
using fixture::StoreWorld;

constexpr int kSegments = 4;  // sealed ones
constexpr std::uint64_t kRate = 64u << 10;

/// A log with sealed segments of some 250 KB, all of it on the disk.
class ScrubberTest : public ::testing::Test {
 protected:
  void open(std::uint64_t rate) {
    node.options.scrub_bytes_per_second = rate;
    node.open();
    node.store->set_on_damage([this](const SegmentDamage& damage) { found.push_back(damage); });
    PartitionFiles& log = node.create();
    for (int segment = 0; segment < kSegments; ++segment) {
      for (int i = 0; i < 5; ++i) node.append(log, 5, 10'000);
      node.store->roll(log);
    }
    node.append(log);
    node.world.run_for(std::chrono::seconds(20));
    EXPECT_EQ(node.store->counters().dirty_bytes, 0u);
    for (const Segment& segment : log.segments().first(kSegments)) sealed_bytes += segment.end;
  }
  std::string path(int segment) {
    const Offset base = node.partition().segments()[static_cast<std::size_t>(segment)].base;
    return file_path("data/" + node.partition().directory(), base, FileKind::kLog);
  }
  const StoreCounters& counters() { return node.store->counters(); }
  /// Returns how long it took.
  Duration run_pass() {
    const std::uint64_t passes = counters().scrub_passes;
    const MonotonicTime before = node.world.now();
    EXPECT_EQ(node.world.run_until([&] { return counters().scrub_passes > passes; }, before + std::chrono::hours(25)),
              io::RunEnd::kDone);
    return node.world.now() - before;
  }

  StoreWorld node{21};
  std::vector<SegmentDamage> found;
  std::uint64_t sealed_bytes = 0;
};

TEST_F(ScrubberTest, ReadsAllSealedSegmentsAtItsRateAndAgainADayLater) {
  open(kRate);
  const Duration first = run_pass();
  EXPECT_EQ(counters().scrubbed_bytes, sealed_bytes);
  EXPECT_EQ(counters().scrub_pass_bytes, sealed_bytes);
  EXPECT_EQ(counters().scrub_pass_done_bytes, sealed_bytes);
  const auto reading = std::chrono::seconds(sealed_bytes / kRate);
  EXPECT_GT(first, reading - std::chrono::seconds(5));
  EXPECT_LT(first, Scrubber::kFirstDelay + reading + std::chrono::seconds(5));
  EXPECT_GT(run_pass(), std::chrono::hours(23));
  EXPECT_EQ(counters().scrubbed_bytes, 2 * sealed_bytes);
  EXPECT_TRUE(found.empty());
  node.close();
}

TEST_F(ScrubberTest, NamesADamagedSegmentAndGoesOnWithTheNext) {
  open(kRate);
  const std::uint64_t batch_bytes = node.partition().segments()[1].end / 5;
  node.disk().flip_bit(path(1), 8 * (2 * batch_bytes + 1000) + 3);  // in the third batch
  run_pass();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].path, path(1));
  EXPECT_EQ(found[0].position, 2 * batch_bytes);
  EXPECT_NE(found[0].what.find("checksum"), std::string::npos) << found[0].what;
  EXPECT_EQ(counters().segment_damage, 1u);
  EXPECT_EQ(counters().scrubbed_bytes, sealed_bytes - 3 * batch_bytes);
  EXPECT_FALSE(node.store->failure().has_value());
  run_pass();
  EXPECT_EQ(found.size(), 2u) << "as long as it is so, each pass says it";
  node.close();
}

TEST_F(ScrubberTest, NamesAFileThatCannotBeReadOrIsGone) {
  open(kRate);
  node.disk().erase(path(0));
  node.disk().fail_next_read(path(1), 1);  // a hiccup
  node.disk().fail_next_read(path(2), 2);
  run_pass();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].path, path(0));
  EXPECT_EQ(found[1].path, path(2));
  node.close();
}

TEST_F(ScrubberTest, WhatIsRemovedOrCutMeanwhileIsNotDamaged) {
  open(kRate);
  const std::uint64_t half = node.partition().segments()[2].end / 5 * 2;
  const Offset base = node.partition().segments()[2].base;
  const auto begun = [&] { return counters().scrub_pass_done_bytes > 0; };
  ASSERT_EQ(node.world.run_until(begun, node.world.now() + std::chrono::hours(1)),
            io::RunEnd::kDone);
  const Offset second = node.partition().segments()[1].base;
  ASSERT_TRUE(node.world.run(*node.reactor, node.store->set_start(node.partition(), second, second)).ok());
  auto cut = node.store->truncate(node.partition(), base + OffsetDelta(10), {base, half});
  ASSERT_TRUE(node.world.run(*node.reactor, std::move(cut)).ok());
  run_pass();
  EXPECT_TRUE(found.empty());
  ASSERT_TRUE(node.world.run(*node.reactor, node.store->remove(kFirst)).ok());
  run_pass();
  EXPECT_TRUE(found.empty());
  EXPECT_EQ(counters().scrub_pass_bytes, 0u);
  node.close();
}

TEST_F(ScrubberTest, StopsWithTheStoreInTheMiddleOfASegment) {
  open(1000);
  ASSERT_EQ(node.world.run_until([&] { return counters().scrubbed_bytes > 0; }, node.world.now() + std::chrono::hours(1)),
            io::RunEnd::kDone);
  const MonotonicTime before = node.world.now();
  node.close();
  EXPECT_LT(node.world.now() - before, std::chrono::seconds(1));
}

TEST_F(ScrubberTest, AtNoRateDoesNothing) {
  open(0);
  node.world.run_for(std::chrono::hours(25));
  EXPECT_EQ(counters().scrubbed_bytes, 0u);
  node.close();
}

}  // namespace
}  // namespace pyralog::storage
