#include "raft/transcript.h"

namespace pyralog::raft {
namespace {

// Raft §5.2: elections; §5.6: timing. Replication.md §5, §14: ranks, soft delays, caretakers.

TEST(RaftElection, AGroupElectsALeaderThatOpensItsTerm) {
  Transcript t;
  t.pass(250);
  t.settle();
  EXPECT_EQ(t.take(), R"(
  A asks around in 0
A>B pre-vote 1? log 0/0
A>C pre-vote 1? log 0/0
B>A pre-vote 1: yes
  A is candidate in 1
  A has durably term 1 vote A
C>A pre-vote 1: yes
A>B vote 1? log 0/0
  B has durably term 1 vote A
A>C vote 1? log 0/0
  C has durably term 1 vote A
B>A vote 1: yes
  A leads 1
  A has durably term 1 1/1
C>A vote 1: yes
A>B append 1: behind 0/0 1/1 commit 0
  B follows A in 1
  B has durably term 1 1/1
A>C append 1: behind 0/0 1/1 commit 0
  C follows A in 1
  C has durably term 1 1/1
A>B leads 1 commit 0
A>C leads 1 commit 0
B>A has 1
  A applies 1
C>A has 1
A>B leads 1 commit 1
  B applies 1
A>C leads 1 commit 1
  C applies 1
)");
}

TEST(RaftElection, AVoteLeavesWhenItIsDurable) {
  Transcript t;
  t.hold_disk('A');
  t.hold_disk('B');
  t.cut_off('C');
  t.stand('A');
  t.settle();
  t.note("nobody has asked: the candidate's own vote is not durable");
  t.release_disk('A');
  t.settle();
  t.release_disk('B');
  t.settle();
  EXPECT_EQ(t.take(), R"(
A stands
  A is candidate in 1
nobody has asked: the candidate's own vote is not durable
A's disk is done
  A has durably term 1 vote A
A>B vote 1? log 0/0, transfer
B's disk is done
  B has durably term 1 vote A
B>A vote 1: yes
  A leads 1
  A has durably term 1 1/1
A>B append 1: behind 0/0 1/1 commit 0
  B follows A in 1
  B has durably term 1 1/1
A>B leads 1 commit 0
B>A has 1
  A applies 1
A>B leads 1 commit 1
  B applies 1
)");
}

TEST(RaftElection, WhoSuspectsTheLeaderStandsInTheOrderOfTheConfiguration) {
  Transcript t;
  t.elect('A');
  t.cut_off('A');
  t.suspect('A');
  t.pass(20);
  EXPECT_EQ(t.group('B').role(), Role::kLeader);
  EXPECT_EQ(t.take(), R"(
B suspects A
  B has no leader in 1
C suspects A
  C has no leader in 1
  B asks around in 1
B>C pre-vote 2? log 1/1
C>B pre-vote 2: yes
  B is candidate in 2
  B has durably term 2 vote B
B>C vote 2? log 1/1
  C has durably term 2 vote B
C>B vote 2: yes
  B leads 2
  B has durably term 2 2/2
B>C append 2: behind 1/1 2/2 commit 1
  C follows B in 2
  C has durably term 2 2/2
B>C leads 2 commit 1
C>B has 2
  B applies 2
B>C leads 2 commit 2
  C applies 2
)");
}

TEST(RaftElection, TheNextInRankStandsIfTheFirstIsGone) {
  Transcript t;
  t.elect('A');
  t.take();
  t.suspect('C', 'B');
  t.suspect('C', 'A');
  EXPECT_EQ(t.group('C').next_deadline(), std::nullopt) << "without a majority it need not ask";
  t.trust('C', 'B');
  EXPECT_GE(*t.group('C').next_deadline(), t.now() + std::chrono::milliseconds(25));
}

// Found by the simulation (seed 105549): the leader is gone, what it sent arrives later, and then the majority comes back.
TEST(RaftElection, AMajorityThatComesBackElectsThoughAMessageOfTheLastLeaderCameLate) {
  Transcript t;
  t.elect('A');
  t.suspect('B', 'C');
  t.suspect('B', 'A');
  t.deliver('A', 'B', Heartbeat{.term = Term(1), .commit = RaftIndex(1)});
  EXPECT_EQ(t.group('B').next_deadline(), std::nullopt);
  t.trust('B', 'C');
  EXPECT_NE(t.group('B').next_deadline(), std::nullopt);
}

TEST(RaftElection, ASplitVoteIsFollowedByAnotherElection) {
  Transcript t;
  t.stand('A');
  t.stand('B');
  t.cut_off('C');
  t.settle();
  t.note("nobody has won");
  t.heal();
  t.pass(320);
  t.settle();
  EXPECT_EQ(t.take(), R"(
A stands
  A is candidate in 1
  A has durably term 1 vote A
B stands
  B is candidate in 1
  B has durably term 1 vote B
A>B vote 1? log 0/0, transfer
B>A vote 1? log 0/0, transfer
B>A vote 1: no, term 1
A>B vote 1: no, term 1
nobody has won
  A asks around in 1
A>B pre-vote 2? log 0/0
A>C pre-vote 2? log 0/0
B>A pre-vote 2: yes
  A is candidate in 2
  A has durably term 2 vote A
C>A pre-vote 2: yes
A>B vote 2? log 0/0
  B has no leader in 2
  B has durably term 2 vote A
A>C vote 2? log 0/0
  C has durably term 2 vote A
B>A vote 2: yes
  A leads 2
  A has durably term 2 2/1
C>A vote 2: yes
A>B append 2: behind 0/0 2/1 commit 0
  B follows A in 2
  B has durably term 2 2/1
A>C append 2: behind 0/0 2/1 commit 0
  C follows A in 2
  C has durably term 2 2/1
A>B leads 2 commit 0
A>C leads 2 commit 0
B>A has 1
  A applies 1
C>A has 1
A>B leads 2 commit 1
  B applies 1
A>C leads 2 commit 1
  C applies 1
)");
}

TEST(RaftElection, WhoWasCutOffDoesNotDisturbALiveLeader) {
  Transcript t;
  t.elect('A');
  t.take();
  t.cut('A', 'C');
  t.suspect('C', 'A');
  t.pass(60);
  t.heal();
  t.note("it can be heard again");
  t.pass(320);
  EXPECT_EQ(t.take(), R"(
C suspects A
  C has no leader in 1
  C asks around in 1
C>B pre-vote 2? log 1/1
B>C pre-vote 2: no, term 1
it can be heard again
C>A pre-vote 2? log 1/1
C>B pre-vote 2? log 1/1
A>C pre-vote 2: no, term 1
A>C append 1: behind 1/1 commit 1
  C follows A in 1
B>C pre-vote 2: no, term 1
C>A has 1
  C asks around in 1
C>A pre-vote 2? log 1/1
C>B pre-vote 2? log 1/1
A>C pre-vote 2: no, term 1
A>C append 1: behind 1/1 commit 1
  C follows A in 1
B>C pre-vote 2: no, term 1
C>A has 1
)");
}

TEST(RaftElection, ALeaderWithoutAMajorityStepsDown) {
  Transcript t;
  t.elect('A');
  t.take();
  t.suspect('A', 'B');
  t.suspect('A', 'C');
  EXPECT_EQ(t.take(), R"(
A suspects B
A suspects C
  A has no leader in 1
)");
}

TEST(RaftElection, ALeaderWhoseDataNeedsNoMajorityLeadsOn) {
  Transcript t("ABC", {.leads_without_majority = true});
  t.elect('A');
  t.suspect('A', 'B');
  t.suspect('A', 'C');
  EXPECT_EQ(t.group('A').role(), Role::kLeader);
}

TEST(RaftElection, ACandidateWithLessDataIsGrantedLaterButNotRefused) {
  Transcript t;
  t.cut_off('C');
  t.pass(149);
  VoteRequest request{.term = Term(1), .is_pre = true};
  t.deliver({.from = Transcript::id('A'), .to = Transcript::id('B'), .body = request}, CandidateTail::kShorter);
  t.pass(29);
  EXPECT_TRUE(t.network().empty());
  t.note("30 ms");
  t.pass(1);
  EXPECT_EQ(t.take(), R"(
A>B pre-vote 1? log 0/0
30 ms
B>A pre-vote 1: yes
)");
}

TEST(RaftElection, AVoteCarriesWhatTheVoterSaysOfItsData) {
  Transcript t;
  t.stand('A');
  while (!std::holds_alternative<VoteReply>(t.network().front().body)) {
    const Message message = t.network().front();
    t.network().pop_front();
    t.deliver(message);
  }
  Message reply = t.network().front();
  std::get<VoteReply>(reply.body).tail = Transcript::payload("ends at 7");
  ASSERT_TRUE(t.group('A').step(reply, t.now()).ok());
  const Output out = t.group('A').take_output();
  ASSERT_EQ(out.seals.size(), 1U);
  EXPECT_EQ(*out.seals[0].tail, "ends at 7");
  EXPECT_EQ(out.seals[0].voter, reply.from);
}

TEST(RaftElection, AWitnessWithTheNewestLogBringsAMemberUpAndHandsOver) {
  Transcript t("AB*W");
  t.elect('A');
  t.cut('A', 'B');
  t.propose('A', "x");
  t.settle();
  t.note("A and the witness have x; A is gone");
  t.cut_off('A');
  t.take();
  t.suspect('A');
  t.pass(100);
  EXPECT_EQ(t.group('B').role(), Role::kLeader);
  EXPECT_EQ(t.take(), R"(
B suspects A
  B has no leader in 1
W suspects A
  W has no leader in 1
  B asks around in 1
B>W pre-vote 2? log 1/1
W>B pre-vote 2: no, term 1
  W asks around in 1
W>B pre-vote 2? log 1/2
B>W pre-vote 2: yes
  W is candidate in 2
  W has durably term 2 vote W
W>B vote 2? log 1/2
  B has no leader in 2
  B has durably term 2 vote W
B>W vote 2: yes
  W is caretaker of 2
W>B append 2: behind 1/2 commit 2
  B follows W in 2
W>B leads 2 commit 2
B>W refuses 2 in term 2: ends before 2
W>B append 2: behind 1/1 1/2x commit 2
  B has durably term 2 1/2x
  B applies 2x
B>W has 2
W>B stand now, term 2
  B is candidate in 3
  B has durably term 3 vote B
B>W vote 3? log 1/2, transfer
  W has no leader in 3
  W has durably term 3 vote B
W>B leads no more, term 3
W>B vote 3: yes
  B leads 3
  B has durably term 3 3/3
B>W append 3: behind 1/2 3/3 commit 2
  W follows B in 3
  W has durably term 3 3/3
B>W leads 3 commit 2
W>B has 3
  B applies 3
B>W leads 3 commit 3
  W applies 3
)");
}

// Some say the replica is a voter; its own log, which is newer, says that it is a learner again.
TEST(RaftElection, ALearnerWithTheNewestLogDoesSoToo) {
  Transcript t;
  t.add_blank('D');
  t.elect('A');
  t.change('A', "ABD");
  t.settle();
  t.cut('A', 'B');
  t.cut('A', 'C');
  t.leave_joint('A', Side::kOld);
  t.settle();
  t.cut_off('A');
  ASSERT_EQ(Describe::of(t.group('B').configuration()), "(ABC)ABD");
  ASSERT_EQ(Describe::of(t.group('D').configuration()), "ABdC");
  t.take();
  t.suspect('A');
  t.pass(150);
  const std::string told = t.take();
  EXPECT_EQ(t.group('B').role(), Role::kLeader);
  EXPECT_EQ(Describe::of(t.group('B').configuration()), "ABdC");
  EXPECT_NE(told.find("D is caretaker of 2\nD>B append 2: behind 1/3 commit 2\n"), std::string::npos) << told;
  EXPECT_NE(told.find("D>B stand now, term 2\n  B is candidate in 3\n"), std::string::npos) << told;
}

TEST(RaftElection, AReplicaThatIsAloneLeadsAtOnce) {
  Transcript t("A");
  t.pass(0);
  t.propose('A', "x");
  EXPECT_EQ(t.take(), R"(
  A asks around in 0
  A is candidate in 1
  A has durably term 1 vote A
  A leads 1
  A has durably term 1 1/1
  A applies 1
A proposes x
  A has durably term 1 1/2x
  A applies 2x
)");
}

TEST(RaftElection, ALeaderStandsForItsNextTerm) {
  Transcript t("ABC", {.opens_term = false});
  t.elect('A');
  t.take();
  t.stand('A');
  t.settle();
  EXPECT_EQ(t.take(), R"(
A stands
  A is candidate in 2
  A has durably term 2 vote A
A>B leads no more, term 2
  B has no leader in 1
A>C leads no more, term 2
  C has no leader in 1
A>B vote 2? log 0/0, transfer
  B has durably term 2 vote A
A>C vote 2? log 0/0, transfer
  C has durably term 2 vote A
B>A vote 2: yes
  A leads 2
C>A vote 2: yes
A>B append 2: behind 0/0 commit 0
  B follows A in 2
A>C append 2: behind 0/0 commit 0
  C follows A in 2
A>B leads 2 commit 0
A>C leads 2 commit 0
B>A has 0
C>A has 0
)");
}

}  // namespace
}  // namespace pyralog::raft
