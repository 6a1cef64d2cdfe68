#include "coordinator/group_fixtures.h"

namespace pyralog::coordinator {
namespace {

using Joining = Transcript::Joining;

TEST(GroupTranscript, MembersJoinAndAreAssignedOnceThatIsDurable) {
  Transcript t;
  t.join("a");
  t.join("b");
  t.pass(3'000);
  t.pass(3'000);
  t.sync("b1", 1);
  t.sync("a1", 1, {{"a1", "A"}, {"b1", "B"}});
  t.state();
  t.stored();
  t.state();
  t.heartbeat("a1", 1);
  EXPECT_EQ(t.take(), R"(
a joins
b joins
3000 ms pass
3000 ms pass
  to a: a1 joined 1 by range, led by a1, with a1:t b1:t
  to b: b1 joined 1 by range, led by a1
b1 syncs 1
a1 syncs 1
  store generation 1 a1=A b1=B
state: CompletingRebalance 1
stored
  to a1: assigned A
  to b1: assigned B
state: Stable 1
a1 beats 1: NONE
)");
}

TEST(GroupTranscript, ANewClientIsGivenItsIdFirst) {
  Transcript t;
  t.join("a", {.must_know_its_id = true});
  t.join("a", {.member = "a1", .must_know_its_id = true});
  t.pass(3'000);
  EXPECT_EQ(t.take(), R"(
a joins
  to a: MEMBER_ID_REQUIRED a1
a joins as a1
3000 ms pass
  to a: a1 joined 1 by range, led by a1, with a1:t
)");
}

TEST(GroupTranscript, WhoDoesNotComeBackWithItsIdLeavesNoTrace) {
  Transcript t;
  t.join("a", {.must_know_its_id = true});
  t.state();
  t.pass(10'000);
  t.state();
  EXPECT_EQ(t.take(), R"(
a joins
  to a: MEMBER_ID_REQUIRED a1
state: Empty 0
10000 ms pass
state: no group
)");
}

TEST(GroupTranscript, TheFirstRebalanceWaitsLongerWhileMembersCome) {
  Transcript t;
  t.join("a", {.rebalance_ms = 7'000});
  t.pass(2'000);
  t.join("b", {.rebalance_ms = 7'000});
  t.pass(2'000);  // the first 3 s are over, and somebody came
  t.join("c", {.rebalance_ms = 7'000});
  t.pass(2'000);
  t.pass(1'000);  // the rebalance timeout bounds it all
  EXPECT_EQ(t.take(), R"(
a joins
2000 ms pass
b joins
2000 ms pass
c joins
2000 ms pass
1000 ms pass
  to a: a1 joined 1 by range, led by a1, with a1:t b1:t c1:t
  to b: b1 joined 1 by range, led by a1
  to c: c1 joined 1 by range, led by a1
)");
}

TEST(GroupTranscript, AMemberThatComesMakesTheOthersRejoin) {
  TwoMembers t;
  t.join("c");
  t.heartbeat("a1", 1);
  t.commit("a1", 1, 5);  // still allowed: the member gives its partitions up only with the new generation
  t.stored();
  t.join("a", "a1");
  t.join("b", "b1");
  t.commit("a1", 1, 6);
  t.commit("a1", 2, 6);
  EXPECT_EQ(t.take(), R"(
c joins
a1 beats 1: REBALANCE_IN_PROGRESS
a1 commits 5 in 1
  store offset 5
stored
  to committer: commit NONE
a joins as a1
b joins as b1
  to a: a1 joined 2 by range, led by a1, with a1:t b1:t c1:t
  to b: b1 joined 2 by range, led by a1
  to c: c1 joined 2 by range, led by a1
a1 commits 6 in 1
  to committer: commit ILLEGAL_GENERATION
a1 commits 6 in 2
  to committer: commit REBALANCE_IN_PROGRESS
)");
}

TEST(GroupTranscript, WhoDoesNotRejoinInTimeIsOut) {
  TwoMembers t;
  t.join("b", {.member = "b1", .strategies = {{"range", "u"}}, .session_ms = 100'000, .rebalance_ms = 5'000});
  for (int i = 0; i < 6; ++i) {
    t.pass(9'000);
    t.heartbeat("a1", 1);
  }
  t.take();
  t.pass(5'999);  // a minute is what a1 asked for
  t.state();
  t.pass(1);
  t.heartbeat("a1", 1);
  EXPECT_EQ(t.take(), R"(
5999 ms pass
state: PreparingRebalance 1
1 ms pass
  to b: b1 joined 2 by range, led by b1, with b1:u
a1 beats 1: UNKNOWN_MEMBER_ID
)");
}

TEST(GroupTranscript, ASilentMembersSessionEnds) {
  TwoMembers t;
  t.pass(9'000);
  t.heartbeat("a1", 1);
  t.pass(1'000);
  t.heartbeat("a1", 1);
  t.join("a", "a1");
  EXPECT_EQ(t.take(), R"(
9000 ms pass
a1 beats 1: NONE
1000 ms pass
a1 beats 1: REBALANCE_IN_PROGRESS
a joins as a1
  to a: a1 joined 2 by range, led by a1, with a1:t
)");
}

TEST(GroupTranscript, CommitsKeepASessionAlive) {
  TwoMembers t;
  t.pass(9'000);
  t.commit("a1", 1, 1);
  t.heartbeat("b1", 1);
  t.pass(9'000);
  t.heartbeat("a1", 1);
  EXPECT_EQ(t.take(), R"(
9000 ms pass
a1 commits 1 in 1
  store offset 1
b1 beats 1: NONE
9000 ms pass
a1 beats 1: NONE
)");
}

TEST(GroupTranscript, WhoNeverSyncsIsOut) {
  TwoMembers t;
  t.join("a", "a1");  // the leader asks for a rebalance
  t.join("b", "b1");
  t.sync("a1", 2, {{"a1", "AB"}});
  t.stored();
  for (int i = 0; i < 12; ++i) {
    t.pass(5'000);
    if (i == 10) t.take();
    t.heartbeat("a1", 2);
    t.heartbeat("b1", 2);
  }
  EXPECT_EQ(t.take(), R"(
a1 beats 2: NONE
b1 beats 2: NONE
5000 ms pass
a1 beats 2: REBALANCE_IN_PROGRESS
b1 beats 2: UNKNOWN_MEMBER_ID
)");
}

TEST(GroupTranscript, AMemberLeavesAndTheLastOneLeavesAnEmptyGeneration) {
  TwoMembers t;
  t.leave("b1");
  t.heartbeat("a1", 1);
  t.leave("a1");
  t.state();
  t.stored();
  t.stored();  // the answer follows the record
  t.state();
  EXPECT_EQ(t.take(), R"(
b1 leaves
  to b1: left NONE
a1 beats 1: REBALANCE_IN_PROGRESS
a1 leaves
  store generation 2
state: Empty 2
stored
stored
  to a1: left NONE
state: Empty 2
)");
}

TEST(GroupTranscript, ARepeatedJoinGetsTheSameAnswer) {
  TwoMembers t;
  t.join("b", "b1");  // a follower without changes
  t.join("a", "a1");  // the leader: a rebalance
  t.join("b", "b1");
  t.join("a", "a1");  // missed the answer
  EXPECT_EQ(t.take(), R"(
b joins as b1
  to b: b1 joined 1 by range, led by a1
a joins as a1
b joins as b1
  to a: a1 joined 2 by range, led by a1, with a1:t b1:t
  to b: b1 joined 2 by range, led by a1
a joins as a1
  to a: a1 joined 2 by range, led by a1, with a1:t b1:t
)");
}

TEST(GroupTranscript, ASecondWaitOfAMemberEndsTheFirst) {
  TwoMembers t;
  t.join("a", "a1");
  t.join("again", "a1");
  t.join("b", "b1");
  t.sync("b1", 2);
  t.sync("b1", 2);
  EXPECT_EQ(t.take(), R"(
a joins as a1
again joins as a1
  to a: REBALANCE_IN_PROGRESS a1
b joins as b1
  to again: a1 joined 2 by range, led by a1, with a1:t b1:t
  to b: b1 joined 2 by range, led by a1
b1 syncs 2
b1 syncs 2
  to b1: REBALANCE_IN_PROGRESS
)");
}

TEST(GroupTranscript, ARebalanceWhileTheLeaderAssignsStartsAnew) {
  TwoMembers t;
  t.join("a", "a1");
  t.join("b", "b1");
  t.sync("b1", 2);
  t.sync("a1", 2, {{"a1", "A"}});
  t.join("c");
  t.stored();  // too late to count
  t.state();
  EXPECT_EQ(t.take(), R"(
a joins as a1
b joins as b1
  to a: a1 joined 2 by range, led by a1, with a1:t b1:t
  to b: b1 joined 2 by range, led by a1
b1 syncs 2
a1 syncs 2
  store generation 2 a1=A b1=
c joins
  to a1: REBALANCE_IN_PROGRESS
  to b1: REBALANCE_IN_PROGRESS
stored
state: PreparingRebalance 2
)");
}

TEST(GroupTranscript, AnAssignmentThatCannotBeStoredIsNobodys) {
  TwoMembers t;
  t.join("a", "a1");
  t.join("b", "b1");
  t.sync("a1", 2, {{"a1", "A"}});
  t.stored(KafkaError::kInvalidCommitOffsetSize);
  t.state();
  EXPECT_EQ(t.take(), R"(
a joins as a1
b joins as b1
  to a: a1 joined 2 by range, led by a1, with a1:t b1:t
  to b: b1 joined 2 by range, led by a1
a1 syncs 2
  store generation 2 a1=A b1=
not stored: INVALID_COMMIT_OFFSET_SIZE
  to a1: UNKNOWN_SERVER_ERROR
state: PreparingRebalance 2
)");
}

TEST(GroupTranscript, MembersVoteForTheirFirstCommonStrategy) {
  Transcript t({.initial_rebalance_delay = Milliseconds(0)});
  t.join("a", {.strategies = {{"own", "1"}, {"range", "2"}, {"sticky", "3"}}});
  t.join("b", {.strategies = {{"sticky", "4"}, {"range", "5"}}});
  t.join("c", {.strategies = {{"sticky", "6"}, {"range", "7"}}});
  t.join("d", {.strategies = {{"own", "8"}}});
  t.join("e", {.type = "connect"});
  t.join("f", {.strategies = {}});
  t.pass(0);
  EXPECT_EQ(t.take(), R"(
a joins
b joins
c joins
d joins
  to d: INCONSISTENT_GROUP_PROTOCOL
e joins
  to e: INCONSISTENT_GROUP_PROTOCOL
f joins
  to f: INCONSISTENT_GROUP_PROTOCOL
0 ms pass
  to a: a1 joined 1 by sticky, led by a1, with a1:3 b1:4 c1:6
  to b: b1 joined 1 by sticky, led by a1
  to c: c1 joined 1 by sticky, led by a1
)");
}

TEST(GroupTranscript, UnknownsAreRefused) {
  TwoMembers t;
  t.heartbeat("x", 1);
  t.heartbeat("a1", 2);
  t.sync("x", 1);
  t.sync("a1", 0);
  t.join("x", "x");
  t.leave("x");
  t.commit("x", 1, 1);
  t.commit("a1", 0, 1);
  t.commit("", -1, 1);  // without membership, into a group that has members
  t.join("y", {.group = ""});
  t.join("y", {.session_ms = 5'999});
  t.join("y", {.session_ms = 1'800'001});
  t.join("y", {.group = "h", .member = "y"});
  EXPECT_EQ(t.take(), R"(
x beats 1: UNKNOWN_MEMBER_ID
a1 beats 2: ILLEGAL_GENERATION
x syncs 1
  to x: UNKNOWN_MEMBER_ID
a1 syncs 0
  to a1: ILLEGAL_GENERATION
x joins as x
  to x: UNKNOWN_MEMBER_ID x
x leaves
  to x: left UNKNOWN_MEMBER_ID
x commits 1 in 1
  to committer: commit UNKNOWN_MEMBER_ID
a1 commits 1 in 0
  to committer: commit ILLEGAL_GENERATION
nobody commits 1 in -1
  to committer: commit UNKNOWN_MEMBER_ID
y joins
  to y: INVALID_GROUP_ID
y joins
  to y: INVALID_SESSION_TIMEOUT
y joins
  to y: INVALID_SESSION_TIMEOUT
y joins as y
  to y: UNKNOWN_MEMBER_ID y
)");
}

TEST(GroupTranscript, AFullGroupTakesNoMore) {
  TwoMembers t({.members_max = 2});
  t.join("c");
  t.join("a", "a1");
  t.join("c");  // while a rebalance is prepared, those who wait count
  t.join("b", "b1");
  EXPECT_EQ(t.take(), R"(
c joins
  to c: GROUP_MAX_SIZE_REACHED
a joins as a1
c joins
b joins as b1
  to b: GROUP_MAX_SIZE_REACHED
  to a: a1 joined 2 by range, led by a1, with a1:t c1:t
  to c: c1 joined 2 by range, led by a1
)");
}

TEST(GroupTranscript, AStaticMemberIsReplacedWithoutARebalance) {
  Transcript t({.initial_rebalance_delay = Milliseconds(0)});
  t.join("s", {.instance = "i"});
  t.join("b");
  t.pass(0);
  t.note("-- the group is led by " + std::string("i1"));
  t.sync("b1", 1);
  t.sync("i1", 1, {{"i1", "S"}, {"b1", "B"}});
  t.stored();
  t.join("s", {.instance = "i", .may_skip = true});
  t.stored();
  t.heartbeat("i1", 1, "i");  // the zombie
  t.heartbeat("i2", 1, "i");
  t.sync("i2", 1);
  t.leave("", "i");
  EXPECT_EQ(t.take(), R"(
s joins
b joins
0 ms pass
  to b: b1 joined 1 by range, led by i1
  to s: i1 joined 1 by range, led by i1, with b1:t i1:t
-- the group is led by i1
b1 syncs 1
i1 syncs 1
  store generation 1 b1=B i1=S
stored
  to b1: assigned B
  to i1: assigned S
s joins
  store generation 1 b1=B i2=S
stored
  to s: i2 joined 1 by range, led by i2, need not assign, with b1:t i2:t
i1 beats 1: FENCED_INSTANCE_ID
i2 beats 1: NONE
i2 syncs 1
  to i2: assigned S
i leaves
  to : left NONE
)");
}

TEST(GroupTranscript, AnOldClientsReplacementIsNotToldThatItLeads) {
  Transcript t({.initial_rebalance_delay = Milliseconds(0)});
  t.join("s", {.instance = "i"});
  t.pass(0);
  t.sync("i1", 1, {{"i1", "S"}});
  t.stored();
  t.take();
  t.join("s", {.instance = "i"});
  t.stored();
  t.join("s", {.instance = "i", .strategies = {{"sticky", "u"}}});
  EXPECT_EQ(t.take(), R"(
s joins
  store generation 1 i2=S
stored
  to s: i2 joined 1 by range, led by i1
s joins
  to s: INCONSISTENT_GROUP_PROTOCOL
)");
}

TEST(GroupTranscript, AReplacementWhileTheLeaderAssignsFencesTheOldOne) {
  Transcript t({.initial_rebalance_delay = Milliseconds(0)});
  t.join("s", {.instance = "i"});
  t.join("b");
  t.pass(0);
  t.take();
  t.sync("i1", 1);
  t.join("s", {.instance = "i"});
  t.join("b", "b1");
  EXPECT_EQ(t.take(), R"(
i1 syncs 1
  store generation 1 b1= i1=
s joins
  to i1: FENCED_INSTANCE_ID
b joins as b1
  to b: b1 joined 2 by range, led by i2
  to s: i2 joined 2 by range, led by i2, with b1:t i2:t
)");
}

TEST(GroupTranscript, StaticMembersAreWaitedForUntilTheirSessionsEnd) {
  StaticAndDynamicMember t;
  t.leave("b1");
  t.pass(99'000);
  t.state();
  t.pass(1'000);
  t.state();
  EXPECT_EQ(t.take(), R"(
b1 leaves
  to b1: left NONE
99000 ms pass
state: PreparingRebalance 1
1000 ms pass
  store generation 2
state: Empty 2
)");
}

TEST(GroupTranscript, AnAbsentStaticMemberWithoutPatienceDoesNotKeepTheCoordinatorBusy) {
  StaticAndDynamicMember t(0);
  t.leave("b1");
  t.pass(100'000);
  t.state();
  EXPECT_EQ(t.take(), R"(
b1 leaves
  to b1: left NONE
100000 ms pass
  store generation 2
state: Empty 2
)");
}

TEST(GroupTranscript, AGroupComesBackFromTheLogAndItsMembersLiveOn) {
  TwoMembers t;
  t.commit("a1", 1, 7);
  t.stored();
  t.restart();
  t.state();
  t.heartbeat("a1", 1);
  t.heartbeat("b1", 1);
  t.fetch();
  t.sync("b1", 1);
  t.pass(9'999);
  t.heartbeat("a1", 1);
  t.pass(1);
  t.heartbeat("b1", 1);
  EXPECT_EQ(t.take(), R"(
a1 commits 7 in 1
  store offset 7
stored
  to committer: commit NONE
restart
state: Stable 1
a1 beats 1: NONE
b1 beats 1: NONE
committed: 7
b1 syncs 1
  to b1: assigned B
9999 ms pass
a1 beats 1: NONE
1 ms pass
b1 beats 1: UNKNOWN_MEMBER_ID
)");
}

TEST(GroupTranscript, TenThousandMembersAreOneGroup) {
  Transcript t({.initial_rebalance_delay = Milliseconds(0), .members_max = 10'000});
  for (int i = 0; i < 10'000; ++i) t.join("m");
  t.pass(0);
  const Group* group = t.coordinator().find_group("g");
  EXPECT_EQ(group->member_count(), 10'000u);
  EXPECT_EQ(group->state(), GroupState::kCompletingRebalance);
  t.take();
  t.join("one more");
  EXPECT_EQ(t.take(), "\none more joins\n  to one more: GROUP_MAX_SIZE_REACHED\n");
}

}  // namespace
}  // namespace pyralog::coordinator
