#include "multiraft/outgoing_heartbeats.h"

#include <gtest/gtest.h>

#include "core/random.h"
#include "multiraft/node_liveness.h"

namespace pyralog::multiraft {
namespace {

constexpr BootId kSelf{1};
constexpr BootId kOther{2};

struct OutgoingTest : ::testing::Test {
  OutgoingTest() { outgoing.heard(kSelf, {.boot = kOther, .heard_boot = kSelf}); }
  HeartbeatBatch next() {
    HeartbeatBatch batch{.boot = kSelf};
    outgoing.fill(batch, [](GroupId group) {
      return raft::Heartbeat{.term = raft::Term(static_cast<std::int32_t>(group.value))};
    });
    return batch;
  }
  void acknowledge(std::uint64_t sequence, std::uint32_t suspicions = 0) {
    outgoing.heard(kSelf, {.boot = kOther, .heard_boot = kSelf, .heard_sequence = sequence, .suspicions = suspicions});
  }
  OutgoingHeartbeats outgoing;
};

TEST_F(OutgoingTest, AGroupIsToldUntilOneBatchIsAcknowledged) {
  outgoing.add(GroupId(5));
  const HeartbeatBatch first = next();
  ASSERT_EQ(first.groups.size(), 1U);
  EXPECT_EQ(first.groups[0].heartbeat.term, raft::Term(5));
  EXPECT_EQ(next().groups.size(), 1U);
  acknowledge(first.sequence);
  EXPECT_TRUE(next().groups.empty());
}

TEST_F(OutgoingTest, AnAcknowledgementOfTheStateBeforeIsNotOne) {
  outgoing.add(GroupId(5));
  const HeartbeatBatch first = next();
  outgoing.changed(GroupId(5));
  acknowledge(first.sequence);
  EXPECT_EQ(next().groups.size(), 1U);
}

TEST_F(OutgoingTest, AllIsToldAgainToWhoRestartedOrSuspected) {
  outgoing.add(GroupId(5));
  outgoing.add(GroupId(6));
  acknowledge(next().sequence);
  ASSERT_TRUE(outgoing.is_empty());
  acknowledge(0, 1);
  EXPECT_EQ(next().groups.size(), 2U);
  acknowledge(next().sequence, 1);
  outgoing.heard(kSelf, {.boot = BootId(3), .heard_boot = kSelf});
  EXPECT_EQ(next().groups.size(), 2U);
}

TEST_F(OutgoingTest, NothingIsToldToWhoDoesNotHear) {
  outgoing.add(GroupId(5));
  outgoing.heard(kSelf, {.boot = kOther, .heard_boot = BootId(99)});
  EXPECT_TRUE(next().groups.empty());
  outgoing.heard(kSelf, {.boot = kOther, .heard_boot = kSelf});
  EXPECT_EQ(next().groups.size(), 1U);
}

TEST_F(OutgoingTest, GroupsBeyondABatchTakeTurns) {
  for (std::uint64_t i = 1; i <= kGroupsPerHeartbeatMax + 10; ++i) outgoing.add(GroupId(i));
  EXPECT_EQ(next().groups.size(), kGroupsPerHeartbeatMax);
  const HeartbeatBatch second = next();
  EXPECT_EQ(second.groups.front().group, GroupId(kGroupsPerHeartbeatMax + 1));
  acknowledge(second.sequence);
  EXPECT_EQ(next().groups.size(), 10U) << "those that only the first batch had";
}

TEST_F(OutgoingTest, ARemovedGroupIsNotTold) {
  outgoing.add(GroupId(5));
  const HeartbeatBatch first = next();
  outgoing.remove(GroupId(5));
  outgoing.changed(GroupId(5));
  EXPECT_TRUE(next().groups.empty());
  acknowledge(first.sequence);
}

/// Two nodes and a link that loses most of what it carries, is cut at times, and whose far end restarts: what the far end
/// believes becomes what was said last, and a quiet link says nothing.
TEST(OutgoingHeartbeats, WhatWasSaidLastArrivesInTheEnd) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const raft::ReplicaId here{.node = NodeId(1)};
    const raft::ReplicaId there{.node = NodeId(2)};
    NodeLiveness near;
    NodeLiveness far;
    OutgoingHeartbeats outgoing;
    std::map<GroupId, int> said;
    std::map<GroupId, int> believed;
    std::uint64_t far_boot = 10;
    std::uint64_t far_sequence = 0;
    MonotonicTime now{};
    near.add(there, now);
    far.add(here, now);
    for (std::uint64_t i = 1; i <= 20; ++i) outgoing.add(GroupId(i)), said[GroupId(i)] = 1;
    std::size_t groups_of_last = 0;
    for (int step = 0; step < 600; ++step) {
      const bool is_healed = step >= 500;
      now += std::chrono::milliseconds(25);
      near.tick(now), far.tick(now);
      if (!is_healed && random.chance(1, 3)) {
        const GroupId group(random.between(1, 20));
        ++said[group], outgoing.changed(group);
      }
      if (!is_healed && random.chance(1, 60)) {
        far = NodeLiveness(), far.add(here, now);
        believed.clear(), ++far_boot, far_sequence = 0;
      }
      const bool is_cut = !is_healed && step % 100 > 70;
      HeartbeatBatch out{.boot = kSelf, .shard_counters = {static_cast<std::uint32_t>(step)}};
      near.fill(out, there);
      outgoing.fill(out, [&](GroupId group) { return raft::Heartbeat{.term = raft::Term(said[group])}; });
      groups_of_last = out.groups.size();
      if (is_healed || (!is_cut && random.chance(1, 2))) {
        far.heard(here, out, now);
        // A suspicion makes the groups forget who leads; it is told before the batch.
        for (const LivenessChange& change : far.take_changes()) {
          if (!change.is_alive) believed.clear();
        }
        for (const GroupHeartbeat& group : out.groups) believed[group.group] = group.heartbeat.term.value;
      }
      for (const LivenessChange& change : far.take_changes()) {
        if (!change.is_alive) believed.clear();
      }
      HeartbeatBatch back{.boot = BootId(far_boot), .sequence = ++far_sequence, .shard_counters = {1}};
      far.fill(back, here);
      if (is_healed || random.chance(1, 2)) near.heard(there, back, now), outgoing.heard(kSelf, back);
    }
    ASSERT_EQ(believed, said) << "seed " << seed;
    ASSERT_EQ(groups_of_last, 0U);
  }
}

}  // namespace
}  // namespace pyralog::multiraft
