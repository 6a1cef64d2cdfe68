#include "sim/group_history.h"

#include <gtest/gtest.h>

namespace pyralog::sim {
namespace {

constexpr MonotonicTime at(int ms) { return MonotonicTime(std::chrono::milliseconds(ms)); }

/// One group over one partition, all of whose 100 records were delivered; what is done takes 5 ms.
class GroupHistoryTest : public ::testing::Test {
 protected:
  CommitId commit(int ms, std::int64_t offset, const MemberClaim& claim) {
    return groups.commit(group, place, Offset(offset), claim, at(ms));
  }
  CommitId committed(int ms, std::int64_t offset, const MemberClaim& claim) {
    const CommitId id = commit(ms, offset, claim);
    groups.committed(id, at(ms + 5));
    return id;
  }
  void saw(int ms, std::int64_t offset, CommitId id) {
    groups.saw(group, place, {.offset = Offset(offset), .metadata = std::to_string(id.value)}, at(ms), at(ms + 5), 1);
  }
  bool is_good() const { return !history.violation().has_value(); }

  Coverage coverage;
  History history{coverage};
  GroupHistory groups{history, coverage};
  const LogPlace place{history.add_log({.name = "orders"}), PartitionIndex(0)};
  const std::size_t group = groups.add_group("g");
  const MemberClaim first{.generation = 1, .member_id = "a"};
  const MemberClaim second{.generation = 2, .member_id = "b"};

  void SetUp() override { groups.delivered(group, place, Offset(0), Offset(100)); }
};

TEST_F(GroupHistoryTest, AcceptsTheNewestCommit) {
  committed(10, 5, first);
  saw(30, 3, committed(20, 3, first));  // a member may go back
  EXPECT_TRUE(is_good());
}

TEST_F(GroupHistoryTest, AcceptsAnUnansweredCommitAtAnyTime) {
  const CommitId unknown = commit(5, 50, first);
  saw(20, 10, committed(10, 10, first));
  saw(30, 50, unknown);
  EXPECT_TRUE(is_good());
}

TEST_F(GroupHistoryTest, AcceptsEitherOfTwoThatCross) {
  const CommitId early = commit(10, 10, first), late = commit(12, 20, first);
  groups.committed(early, at(18));
  groups.committed(late, at(17));
  saw(30, 20, late);
  saw(40, 10, early);
  EXPECT_TRUE(is_good());
}

TEST_F(GroupHistoryTest, SeesAnOffsetThatWentBack) {
  const CommitId old = committed(10, 5, first);
  committed(20, 10, first);
  saw(30, 5, old);
  EXPECT_FALSE(is_good());
}

TEST_F(GroupHistoryTest, SeesAnOffsetThatWentBackAfterItWasOnlySeen) {
  const CommitId old = committed(10, 5, first);
  const CommitId unknown = commit(20, 10, first);
  saw(30, 10, unknown);
  saw(40, 5, old);
  EXPECT_FALSE(is_good());
}

TEST_F(GroupHistoryTest, SeesALostOffset) {
  committed(10, 5, first);
  groups.saw(group, place, {}, at(20), at(25), 1);
  EXPECT_FALSE(is_good());
}

TEST_F(GroupHistoryTest, SeesAnOffsetThatNobodyCommitted) {
  saw(20, 5, CommitId(7));
  EXPECT_FALSE(is_good());
}

TEST_F(GroupHistoryTest, SeesAnotherOffsetThanWasCommitted) {
  saw(20, 6, committed(10, 5, first));
  EXPECT_FALSE(is_good());
}

TEST_F(GroupHistoryTest, SeesARefusedCommitThatWasCarriedOut) {
  const CommitId id = commit(10, 5, first);
  groups.refused(id);
  saw(20, 5, id);
  EXPECT_FALSE(is_good());
}

TEST_F(GroupHistoryTest, SeesACommitOfAnOldGeneration) {
  groups.assigned(group, second, "b", {place});
  committed(10, 5, first);
  EXPECT_FALSE(is_good());
}

TEST_F(GroupHistoryTest, AcceptsACommitThatWasSentBeforeItsGenerationEnded) {
  const CommitId id = commit(10, 5, first);
  groups.assigned(group, second, "b", {place});
  groups.committed(id, at(20));
  EXPECT_TRUE(is_good());
}

TEST_F(GroupHistoryTest, SeesACommitOfAReplacedStaticMember) {
  groups.assigned(group, first, "machine", {place});
  groups.replaced(group, "a");
  committed(10, 5, first);
  EXPECT_FALSE(is_good());
}

TEST_F(GroupHistoryTest, SeesTwoOwners) {
  groups.assigned(group, second, "a", {place});
  EXPECT_TRUE(is_good());
  groups.assigned(group, second, "b", {place});
  EXPECT_FALSE(is_good());
}

TEST_F(GroupHistoryTest, SeesSkippedRecords) {
  groups.delivered(group, place, Offset(101), Offset(105));
  EXPECT_FALSE(is_good());
}

TEST_F(GroupHistoryTest, SeesACommitBeyondWhatWasDelivered) {
  saw(20, 101, committed(10, 101, first));
  EXPECT_FALSE(is_good());
}

}  // namespace
}  // namespace pyralog::sim
