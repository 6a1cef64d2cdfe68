#include "storage/directory_syncs.h"

#include <gtest/gtest.h>

#include "io/disk.h"
#include "io/virtual_world.h"
#include "io/when_all.h"

namespace pyralog::storage {
namespace {

constexpr NodeId kNode{1};
constexpr std::chrono::milliseconds kSync(10);

io::Task<> make_and_sync(DirectorySyncs& syncs, io::Disk& disk, std::string name, Duration delay, Result<>& outcome) {
  io::AbortSource never;
  co_await io::sleep_for(delay, never);
  (void)co_await disk.make_directories("data/" + name);
  outcome = co_await syncs.sync("data");
}

class DirectorySyncsTest : public ::testing::Test {
 protected:
  DirectorySyncsTest() {
    EXPECT_TRUE(world.run(*reactor, reactor->disk().make_directories("data")).ok());
    EXPECT_TRUE(world.run(*reactor, reactor->disk().sync_directory("")).ok());
    world.disk(kNode).options().sync = {kSync, kSync};
  }
  /// Makes `count` names within `span`; returns how the syncs went.
  std::vector<Result<>> make(std::size_t count, Duration span) {
    std::vector<Result<>> outcomes(count);
    std::vector<io::Task<>> tasks;
    for (std::size_t i = 0; i < count; ++i) {
      const Duration delay = span * static_cast<Duration::rep>(i) / static_cast<Duration::rep>(count);
      tasks.push_back(make_and_sync(syncs, reactor->disk(), std::to_string(i), delay, outcomes[i]));
    }
    world.run(*reactor, io::when_all(std::move(tasks)));
    return outcomes;
  }

  io::VirtualWorld world{3};
  io::VirtualReactor* reactor = &world.add_reactor(kNode, ShardId(0));
  DirectorySyncs syncs{reactor->disk()};
};

TEST_F(DirectorySyncsTest, OneSyncIsForAllWhoAskedBeforeItBegan) {
  const MonotonicTime before = world.now();
  for (const Result<>& outcome : make(500, 3 * kSync)) EXPECT_TRUE(outcome.ok());
  EXPECT_LT(world.now() - before, 8 * kSync);
  world.crash(kNode, io::CrashMode::kPowerLoss);
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(world.disk(kNode).has("data/" + std::to_string(i))) << i;
}

TEST_F(DirectorySyncsTest, AFailureIsToldToThoseWhomTheSyncWasFor) {
  world.disk(kNode).fail_next_sync("data");
  const std::vector<Result<>> outcomes = make(100, 3 * kSync);
  EXPECT_FALSE(outcomes.front().ok());
  EXPECT_TRUE(outcomes.back().ok());
  EXPECT_EQ(world.run(*reactor, syncs.sync("nowhere")).error(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace pyralog::storage
