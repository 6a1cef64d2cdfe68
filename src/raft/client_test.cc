#include "raft/transcript.h"

namespace pyralog::raft {
namespace {

// Raft §8: reads; thesis §3.10: transfer of leadership.

TEST(RaftReads, ARoundOfTheMajorityAnswersAllThatWaitForIt) {
  Transcript t;
  t.elect('A');
  t.take();
  t.read('A', 1);
  t.read('A', 2);
  t.read('A', 3);
  t.note("#2 and #3 came after the round began, and share the next");
  t.settle();
  EXPECT_EQ(t.take(), R"(
A reads #1
A reads #2
A reads #3
#2 and #3 came after the round began, and share the next
A>B leads 1 commit 1 round 1
A>C leads 1 commit 1 round 1
B>A round 1 in term 1
  A answers read #1: 1
C>A round 1 in term 1
A>B leads 1 commit 1 round 2
A>C leads 1 commit 1 round 2
B>A round 2 in term 1
  A answers read #2: 1
  A answers read #3: 1
C>A round 2 in term 1
)");
}

TEST(RaftReads, ADeposedLeaderDoesNotAnswer) {
  Transcript t;
  t.elect('A');
  t.cut_off('A');
  t.suspect('B', 'A');
  t.suspect('C', 'A');
  t.pass(60);
  ASSERT_EQ(t.group('B').role(), Role::kLeader);
  t.take();
  t.read('A', 1);
  t.settle();
  t.heal();
  t.pass(250);
  EXPECT_EQ(t.take(), R"(
A reads #1
A>B append 1: behind 1/1 commit 1
A>B leads 1 commit 1 round 1
A>C append 1: behind 1/1 commit 1
A>C leads 1 commit 1 round 1
B>A refuses 1 in term 2: term 1 from 1
  A has no leader in 2
  A answers read #1: -1
  A has durably term 2
B>A round 0 in term 2
C>A refuses 1 in term 2: term 1 from 1
C>A round 0 in term 2
A>B leads no more, term 2
A>C leads no more, term 2
)");
}

TEST(RaftReads, AnAnswerToARoundOfAnEarlierTermDoesNotCount) {
  Transcript t;
  t.elect('A');
  t.read('A', 1);
  const Message asked = t.network().back();
  t.lose_all();
  t.elect('A');
  t.take();
  t.deliver(asked);
  t.read('A', 2);
  const Message late = t.network().front();
  t.lose_all();
  t.deliver(late);
  EXPECT_EQ(t.take(), R"(
A>C leads 1 commit 1 round 1
A reads #2
C>A round 0 in term 2
)");
}

TEST(RaftReads, AReadWaitsForTheTermsFirstEntry) {
  Transcript t("ABC", {.opens_term = false});
  t.elect('A');
  t.take();
  t.read('A', 1);
  t.settle();
  t.propose('A', "x");
  t.settle();
  EXPECT_EQ(t.take(), R"(
A reads #1
A>B leads 1 commit 0 round 1
A>C leads 1 commit 0 round 1
B>A round 1 in term 1
C>A round 1 in term 1
A proposes x
  A has durably term 1 1/1x
A>B append 1: behind 0/0 1/1x commit 0
  B has durably term 1 1/1x
A>C append 1: behind 0/0 1/1x commit 0
  C has durably term 1 1/1x
B>A has 1
  A applies 1x
  A answers read #1: 1
C>A has 1
A>B leads 1 commit 1
  B applies 1x
A>C leads 1 commit 1
  C applies 1x
)");
}

TEST(RaftReads, TheirNumberIsBounded) {
  Transcript t("ABC", {.reads_max = 1});
  t.elect('A');
  t.take();
  t.read('A', 1);
  t.read('A', 2);
  t.read('B', 3);
  EXPECT_EQ(t.take(), R"(
A reads #1
A reads #2: a limit is exceeded: too many reads wait
B reads #3: not the leader
)");
}

TEST(RaftReads, ALeaderThatIsAloneAnswersAtOnce) {
  Transcript t("A");
  t.pass(0);
  t.take();
  t.read('A', 1);
  EXPECT_EQ(t.take(), R"(
A reads #1
  A answers read #1: 1
)");
}

TEST(RaftTransfer, TheTargetStandsWhenItHasEverything) {
  Transcript t;
  t.elect('A');
  t.cut('A', 'C');
  t.propose('A', "x");
  t.settle();
  t.heal();
  t.take();
  t.transfer('A', 'C');
  t.propose('A', "y");
  t.pass(250);
  EXPECT_EQ(t.group('C').role(), Role::kLeader);
  EXPECT_EQ(t.take(), R"(
A transfers to C
A proposes y: unavailable: leadership is being transferred
A>C append 1: behind 1/1 1/2x commit 2
  C has durably term 1 1/2x
  C applies 2x
C>A has 2
A>C stand now, term 1
  C is candidate in 2
  C has durably term 2 vote C
C>A vote 2? log 1/2, transfer
  A has no leader in 2
  A has durably term 2 vote C
C>B vote 2? log 1/2, transfer
  B has no leader in 2
  B has durably term 2 vote C
A>B leads no more, term 2
A>C leads no more, term 2
A>C vote 2: yes
  C leads 2
  C has durably term 2 2/3
B>C vote 2: yes
C>A append 2: behind 1/2 2/3 commit 2
  A follows C in 2
  A has durably term 2 2/3
C>B append 2: behind 1/2 2/3 commit 2
  B follows C in 2
  B has durably term 2 2/3
C>A leads 2 commit 2
C>B leads 2 commit 2
A>C has 3
  C applies 3
B>C has 3
C>A leads 2 commit 3
  A applies 3
C>B leads 2 commit 3
  B applies 3
)");
}

TEST(RaftTransfer, ItEndsInTimeIfTheTargetDoesNot) {
  Transcript t;
  t.elect('A');
  t.cut('A', 'C');
  t.take();
  t.transfer('A', 'C');
  t.pass(600);
  t.propose('A', "x");
  EXPECT_EQ(t.take(), R"(
A transfers to C
  A's transfer failed
A proposes x
  A has durably term 1 1/2x
)");
}

TEST(RaftTransfer, TargetsThatCannotLeadAreRefused) {
  Transcript t("ABC*W");
  t.elect('A');
  t.suspect('A', 'C');
  t.take();
  t.transfer('A', 'A');
  t.transfer('A', 'W');
  t.transfer('A', 'D');
  t.transfer('A', 'C');
  t.transfer('B', 'A');
  EXPECT_EQ(t.take(), R"(
A transfers to A: invalid argument: it leads already
A transfers to W: invalid argument: only a voter with data may lead
A transfers to D: invalid argument: only a voter with data may lead
A transfers to C: unavailable: the target does not seem to live
B transfers to A: not the leader
)");
}

TEST(RaftProposals, AreBounded) {
  Transcript t("ABC", {.append_bytes_max = 4, .uncommitted_bytes_max = 6});
  t.elect('A');
  t.cut_off('A');
  t.take();
  t.propose('A', "12345");
  t.propose('A', "1234");
  t.propose('A', "123");
  t.heal();
  t.pass(250);
  t.propose('A', "123");
  t.propose('B', "1");
  EXPECT_EQ(t.group('A').log().last_index(), RaftIndex(3));
}

}  // namespace
}  // namespace pyralog::raft
