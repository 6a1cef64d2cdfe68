#include "server/request_memory.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/limits.h"

namespace pyralog::server {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;
constexpr std::byte kProduceHead[] = {std::byte{0}, std::byte{0}};
constexpr std::byte kFetchHead[] = {std::byte{0}, std::byte{1}};

TEST(RequestMemory, CountsWhatAFrameIsDecodedInto) {
  EXPECT_EQ(*RequestMemory::units_for(kProduceHead, 10 * kMiB), 10 * kMiB);
  EXPECT_GT(*RequestMemory::units_for(kFetchHead, 100), 800u);
  EXPECT_GT(*RequestMemory::units_for({}, 1), 1u) << "too short to be a produce request";
}

TEST(RequestMemory, RefusesLargeFramesThatAreNotRecords) {
  EXPECT_TRUE(RequestMemory::units_for(kFetchHead, limits::kControlFrameBytesMax).ok());
  EXPECT_EQ(RequestMemory::units_for(kFetchHead, limits::kControlFrameBytesMax + 1).error(), ErrorCode::kTooLarge);
  EXPECT_TRUE(RequestMemory::units_for(kProduceHead, limits::kFrameBytesMax).ok());
}

TEST(RequestMemory, LargeFramesLeaveThePartOfSmallOnesAlone) {
  RequestMemory memory(2 * kMiB);
  auto large = memory.try_acquire(10 * kMiB, 10 * kMiB);
  EXPECT_TRUE(large) << "more than there is takes all there is";
  EXPECT_FALSE(memory.try_acquire(100 * kKiB, 100 * kKiB));
  std::vector<RequestMemory::Charge> small;
  for (;;) {
    auto charge = memory.try_acquire(64 * kKiB, 64 * kKiB);
    if (!charge) break;
    small.push_back(std::move(charge));
  }
  EXPECT_EQ(small.size(), 16u);
  small.pop_back();
  EXPECT_TRUE(memory.try_acquire(1, 1));
  large = RequestMemory::Charge();
  EXPECT_TRUE(memory.try_acquire(100 * kKiB, 100 * kKiB));
}

TEST(RequestMemory, AChargeIsGivenBackOnce) {
  RequestMemory memory(256 * kKiB);
  {
    auto first = memory.try_acquire(1, 128 * kKiB);
    RequestMemory::Charge second = std::move(first);
    EXPECT_FALSE(memory.try_acquire(1, 1));
    second.release();
    second.release();
    first.release();
  }
  EXPECT_TRUE(memory.try_acquire(1, 128 * kKiB));
}

}  // namespace
}  // namespace pyralog::server
