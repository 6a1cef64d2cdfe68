#include "multiraft/node_liveness.h"

#include <gtest/gtest.h>

#include <string>

namespace pyralog::multiraft {
namespace {

using std::chrono::milliseconds;

const raft::ReplicaId kPeer{.node = NodeId(2)};

struct LivenessTest : ::testing::Test {
  LivenessTest() { liveness.add(kPeer, now); }
  void hear(std::uint64_t boot = 7, std::vector<std::uint32_t> counters = {1}) {
    HeartbeatBatch batch{.boot = BootId(boot), .sequence = ++sequence, .shard_counters = std::move(counters)};
    liveness.heard(kPeer, batch, now);
  }
  /// Ticks every interval; what changed, as "-" and "+" with the shard.
  std::string pass(int ms) {
    std::string text;
    for (int i = 0; i < ms / 25; ++i) {
      now += milliseconds(25);
      liveness.tick(now);
      text += changes();
    }
    return text;
  }
  std::string changes() {
    std::string text;
    for (const LivenessChange& change : liveness.take_changes()) {
      text += (change.is_alive ? "+" : "-") + (change.shard ? std::to_string(change.shard->value) : std::string());
    }
    return text;
  }
  NodeLiveness liveness;
  MonotonicTime now{};
  std::uint64_t sequence = 0;
};

TEST_F(LivenessTest, WhoIsNotHeardIsSuspectedAndThenTrustedAgain) {
  hear();
  EXPECT_EQ(pass(100), "");
  EXPECT_EQ(pass(25), "-");
  EXPECT_EQ(pass(500), "") << "once";
  hear();
  EXPECT_EQ(changes(), "+");
  EXPECT_FALSE(liveness.is_suspected(kPeer));
}

TEST_F(LivenessTest, AnyFrameReplacesAHeartbeat) {
  hear();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(pass(100), "");
    liveness.heard_frame(kPeer, now);
  }
  EXPECT_EQ(pass(125), "-");
  liveness.heard_frame(kPeer, now);
  EXPECT_EQ(changes(), "") << "it may have restarted: its heartbeat will tell";
}

TEST_F(LivenessTest, AResetConnectionShortensTheWait) {
  hear();
  liveness.connection_reset(kPeer, now);
  EXPECT_EQ(pass(25), "-");
  hear();
  liveness.connection_reset(kPeer, now);
  hear();
  EXPECT_EQ(pass(100), "+") << "it has connected again";
}

TEST_F(LivenessTest, ARestartIsASuspicion) {
  hear(7);
  sequence = 0;
  hear(8);
  EXPECT_EQ(changes(), "-+");
  HeartbeatBatch batch;
  liveness.fill(batch, kPeer);
  EXPECT_EQ(batch.heard_boot, BootId(8));
  EXPECT_EQ(batch.heard_sequence, 1U);
  EXPECT_EQ(batch.suspicions, 1U);
}

TEST_F(LivenessTest, WhatComesFromAnEarlierLifeOrLateSaysNothing) {
  hear(7);
  hear(8);
  changes();
  pass(125);
  hear(7);
  liveness.heard(kPeer, {.boot = BootId(8), .sequence = 1, .shard_counters = {1}}, now);
  EXPECT_EQ(changes(), "");
  EXPECT_TRUE(liveness.is_suspected(kPeer));
}

TEST_F(LivenessTest, ALateNodeSuspectsNobody) {
  hear();
  pass(25);
  now += milliseconds(400);  // held up: what came in is not read yet
  liveness.tick(now);
  EXPECT_EQ(changes(), "");
  hear();
  EXPECT_EQ(pass(100), "");
}

TEST_F(LivenessTest, LatenessIsAllowedForOnlyForAWhile) {
  hear();
  pass(25);
  now += milliseconds(5'000);
  liveness.tick(now);
  EXPECT_EQ(changes(), "-") << "more than is allowed for";
  hear();
  EXPECT_EQ(pass(100), "+");
  EXPECT_EQ(pass(100), "-") << "its own delay is forgotten by and by";
}

TEST_F(LivenessTest, AShardThatStandsStillIsSuspectedAlone) {
  std::string text;
  for (std::uint32_t i = 0; i < 25; ++i) {
    hear(7, {i, 5, i});
    text += pass(25);
  }
  EXPECT_EQ(text, "-1");
  EXPECT_TRUE(liveness.is_suspected(kPeer, ShardId(1)));
  EXPECT_FALSE(liveness.is_suspected(kPeer, ShardId(0)));
  hear(7, {90, 6, 90});
  EXPECT_EQ(changes(), "+1");
}

TEST_F(LivenessTest, NobodyKnowsStrangers) {
  const raft::ReplicaId stranger{.node = NodeId(3)};
  liveness.heard(stranger, {.boot = BootId(1), .sequence = 1, .shard_counters = {1}}, now);
  EXPECT_TRUE(liveness.is_suspected(stranger));
  EXPECT_EQ(changes(), "");
}

TEST(Heartbeats, WhatCannotBeIsCorrupt) {
  HeartbeatBatch batch{.boot = BootId(1), .sequence = 1, .shard_counters = {1}};
  EXPECT_TRUE(check_batch(batch).ok());
  batch.shard_counters.resize(kShardsPerNodeMax + 1);
  EXPECT_FALSE(check_batch(batch).ok());
  EXPECT_FALSE(check_batch({.boot = BootId(1), .sequence = 0, .shard_counters = {1}}).ok());
  EXPECT_FALSE(check_batch({.boot = BootId(0), .sequence = 1, .shard_counters = {1}}).ok());
  EXPECT_FALSE(check_batch({.boot = BootId(1), .sequence = 1}).ok());
  batch.shard_counters.resize(1);
  batch.groups.resize(kGroupsPerHeartbeatMax + 1);
  EXPECT_FALSE(check_batch(batch).ok());
}

}  // namespace
}  // namespace pyralog::multiraft
