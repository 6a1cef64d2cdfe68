#include "replication/commit_tracker.h"

#include <gtest/gtest.h>

namespace pyralog::replication {
namespace {

using std::chrono::milliseconds;

ReplicaId replica(int node) {
  ReplicaId id{.node = NodeId(node), .disk = {}};
  id.disk.bytes[0] = static_cast<std::uint8_t>(node);
  return id;
}
ReplicaSet set_of(std::vector<int> nodes, std::size_t write_quorum) {
  ReplicaSet set{.members = {}, .write_quorum = write_quorum};
  for (int node : nodes) set.members.push_back(replica(node));
  return set;
}
DataConfiguration fixed(std::vector<int> nodes, std::size_t write_quorum) {
  return {.current = set_of(std::move(nodes), write_quorum), .next = {}};
}
MonotonicTime at(int ms) { return MonotonicTime(milliseconds(ms)); }
constexpr BootId kLife{1};

class CommitTrackerTest : public ::testing::Test {
 protected:
  void stored(int node, std::int64_t end, int ms = 0, BootId life = kLife) {
    tracker.stored(replica(node), life, Offset(end), at(ms));
  }
  Offset hw() const { return tracker.high_watermark(); }
  CommitTracker tracker{fixed({1, 2, 3}, 2), Offset(100), at(0)};
};

TEST_F(CommitTrackerTest, CommittedIsWhatAWriteQuorumHas) {
  tracker.sequenced(Offset(110), at(0));
  EXPECT_EQ(hw(), Offset(100));
  stored(1, 110);
  EXPECT_EQ(hw(), Offset(100));
  stored(3, 105);
  EXPECT_EQ(hw(), Offset(105));
  stored(2, 110);
  EXPECT_EQ(hw(), Offset(110));
  EXPECT_EQ(tracker.copies(Offset(110)), 2u);
  EXPECT_EQ(tracker.copies(Offset(105)), 3u);
  EXPECT_EQ(tracker.end_with_copies(3), Offset(105));
}

TEST_F(CommitTrackerTest, StrangersAndWhatWasNeverNumberedDoNotCount) {
  tracker.sequenced(Offset(110), at(0));
  stored(1, 110);
  stored(9, 110);
  stored(2, 111);
  EXPECT_EQ(hw(), Offset(100));
}

TEST_F(CommitTrackerTest, ARestartVoidsWhatWasSaidAndCommittedStays) {
  tracker.sequenced(Offset(120), at(0));
  stored(1, 110);
  stored(2, 110);
  tracker.restarted(replica(2), BootId(2));
  EXPECT_EQ(hw(), Offset(110));
  EXPECT_EQ(tracker.copies(Offset(110)), 1u);
  stored(1, 120);
  EXPECT_EQ(hw(), Offset(110));
  stored(2, 120);  // of the life that is over
  EXPECT_EQ(hw(), Offset(110));
  stored(2, 120, 0, BootId(2));
  EXPECT_EQ(hw(), Offset(120));
}

TEST_F(CommitTrackerTest, NothingCountsAfterTheFreeze) {
  tracker.sequenced(Offset(110), at(0));
  stored(1, 110);
  tracker.freeze();
  stored(2, 110);
  EXPECT_EQ(hw(), Offset(100));
}

TEST_F(CommitTrackerTest, WhileReplicasChangeBothSetsMustHaveARecord) {
  tracker.sequenced(Offset(110), at(0));
  tracker.change({.current = set_of({1, 2, 3}, 2), .next = set_of({1, 4, 5}, 2)}, at(0));
  stored(1, 110);
  stored(2, 110);
  EXPECT_EQ(hw(), Offset(100));
  EXPECT_FALSE(tracker.has_quorum(set_of({1, 4, 5}, 2), Offset(110)));
  stored(4, 104);
  EXPECT_EQ(hw(), Offset(104));
  tracker.change(fixed({1, 4, 5}, 2), at(0));
  EXPECT_EQ(hw(), Offset(104));
  stored(2, 110);  // no member any more
  EXPECT_EQ(hw(), Offset(104));
  stored(5, 110);
  EXPECT_EQ(hw(), Offset(110));
}

TEST_F(CommitTrackerTest, InSyncIsWhoReachedTheEndLately) {
  const auto in_sync = [&](int ms) { return tracker.in_sync(at(ms), milliseconds(100)); };
  EXPECT_TRUE(in_sync(0).empty());  // nobody has been heard of
  tracker.sequenced(Offset(110), at(0));
  for (int node : {1, 2, 3}) stored(node, 110, 0);
  EXPECT_EQ(in_sync(1000).size(), 3u);  // level, however long ago
  tracker.sequenced(Offset(120), at(1000));
  stored(1, 120, 1000);
  stored(2, 120, 1000);
  EXPECT_EQ(in_sync(1100).size(), 3u);
  EXPECT_EQ(in_sync(1101).size(), 2u);
  // It follows at a distance that it always makes up for within the bound.
  stored(3, 120, 1150);
  for (int ms = 1200; ms < 2000; ms += 50) {
    tracker.sequenced(Offset(120 + ms), at(ms));
    stored(1, 120 + ms, ms);
    stored(2, 120 + ms, ms);
    stored(3, 120 + ms - 50, ms);
    EXPECT_EQ(in_sync(ms).size(), 3u) << ms;
  }
}

TEST_F(CommitTrackerTest, ARestartedReplicaIsInSyncOnceItHasWhatIsCommitted) {
  tracker.sequenced(Offset(110), at(0));
  for (int node : {1, 2, 3}) stored(node, 110, 0);
  tracker.restarted(replica(3), BootId(2));
  stored(3, 105, 10, BootId(2));
  EXPECT_EQ(tracker.in_sync(at(10), milliseconds(100)).size(), 2u);
  stored(3, 110, 20, BootId(2));
  EXPECT_EQ(tracker.in_sync(at(20), milliseconds(100)).size(), 3u);
}

TEST(ReplicaSet, WhatCannotBeIsRefused) {
  EXPECT_TRUE(check_replica_set(set_of({1, 2, 3}, 2)).ok());
  EXPECT_FALSE(check_replica_set(set_of({}, 1)).ok());
  EXPECT_FALSE(check_replica_set(set_of({1, 1}, 1)).ok());
  EXPECT_FALSE(check_replica_set(set_of({2, 1}, 1)).ok());
  EXPECT_FALSE(check_replica_set(set_of({1, 2}, 0)).ok());
  EXPECT_FALSE(check_replica_set(set_of({1, 2}, 3)).ok());
}

TEST(ReplicaSet, ASealQuorumMeetsEveryWriteQuorum) {
  for (std::size_t replicas = 1; replicas <= 7; ++replicas) {
    for (std::size_t write = 1; write <= replicas; ++write) {
      std::vector<int> nodes;
      for (std::size_t i = 0; i < replicas; ++i) nodes.push_back(static_cast<int>(i));
      EXPECT_EQ(set_of(nodes, write).seal_quorum() + write, replicas + 1);
    }
  }
  EXPECT_EQ(default_write_quorum(3), 2u);
  EXPECT_EQ(default_write_quorum(2), 2u);
  EXPECT_EQ(default_write_quorum(1), 1u);
}

}  // namespace
}  // namespace pyralog::replication
