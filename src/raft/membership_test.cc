#include "raft/transcript.h"

namespace pyralog::raft {
namespace {

// Raft §6: joint membership changes; replication.md §9.

TEST(RaftMembership, AVoterIsReplacedByALearnerThatCaughtUp) {
  Transcript t;
  t.elect('A');
  t.add_blank('D');
  t.take();
  t.change('A', "ABCd");
  t.settle();
  t.note("the learner catches up");
  EXPECT_EQ(t.log('D'), t.log('A'));
  t.change('A', "ABD");
  t.settle();
  t.leave_joint('A');
  t.settle();
  EXPECT_EQ(t.take(), R"(
A changes members to ABCd
  A has durably term 1 1/2=ABCd
A>B append 1: behind 1/1 1/2=ABCd commit 1
  B has durably term 1 1/2=ABCd
A>C append 1: behind 1/1 1/2=ABCd commit 1
  C has durably term 1 1/2=ABCd
A>D append 1: behind 1/2 commit 1
  D follows A in 1
  D has durably term 1
B>A has 2
  A applies 2=ABCd
C>A has 2
D>A refuses 2 in term 1: ends before 1
A>B leads 1 commit 2
  B applies 2=ABCd
A>C leads 1 commit 2
  C applies 2=ABCd
A>D leads 1 commit 2
A>D append 1: behind 0/0 1/1 1/2=ABCd commit 2
  D has durably term 1 1/1 1/2=ABCd
  D applies 1
  D applies 2=ABCd
D>A has 2
the learner catches up
A changes members to ABD
  A has durably term 1 1/3=(ABC)ABD
A>B append 1: behind 1/2 1/3=(ABC)ABD commit 2
  B has durably term 1 1/3=(ABC)ABD
A>D append 1: behind 1/2 1/3=(ABC)ABD commit 2
  D has durably term 1 1/3=(ABC)ABD
A>C append 1: behind 1/2 1/3=(ABC)ABD commit 2
  C has durably term 1 1/3=(ABC)ABD
B>A has 3
  A applies 3=(ABC)ABD
D>A has 3
C>A has 3
A>B leads 1 commit 3
  B applies 3=(ABC)ABD
A>D leads 1 commit 3
  D applies 3=(ABC)ABD
A>C leads 1 commit 3
  C applies 3=(ABC)ABD
A ends the change
  A has durably term 1 1/4=ABD
A>B append 1: behind 1/3 1/4=ABD commit 3
  B has durably term 1 1/4=ABD
A>D append 1: behind 1/3 1/4=ABD commit 3
  D has durably term 1 1/4=ABD
B>A has 4
  A applies 4=ABD
D>A has 4
A>B leads 1 commit 4
  B applies 4=ABD
A>D leads 1 commit 4
  D applies 4=ABD
)");
}

TEST(RaftMembership, AJointConfigurationNeedsBothSides) {
  Transcript t;
  t.add_blank('D');
  t.add_blank('E');
  t.elect('A');
  t.change('A', "ABCde");
  t.settle();
  t.cut('A', 'D');
  t.cut('A', 'E');
  t.change('A', "ADE");
  t.settle();
  EXPECT_LT(t.group('A').commit(), t.group('A').log().last_index()) << "the old side alone";
  t.heal();
  t.pass(250);
  t.cut('A', 'B');
  t.cut('A', 'C');
  t.propose('A', "x");
  t.settle();
  EXPECT_LT(t.group('A').commit(), t.group('A').log().last_index()) << "the new side alone";
  t.heal();
  t.pass(250);
  EXPECT_EQ(t.group('A').commit(), t.group('A').log().last_index());
}

TEST(RaftMembership, OneChangeAtATime) {
  Transcript t;
  t.elect('A');
  t.cut_off('A');
  t.take();
  t.change('A', "ABCd");
  t.change('A', "ABCe");
  t.heal();
  t.pass(250);
  t.change('A', "AB");
  t.settle();
  t.change('A', "A");
  t.leave_joint('A', Side::kOld);
  t.settle();
  EXPECT_EQ(Describe::of(t.group('C').configuration()), "ABC");
}

TEST(RaftMembership, ChangesThatCannotBeAreRefused) {
  Transcript t("ABC");
  t.elect('A');
  t.take();
  t.change('A', "");
  t.change('A', "AA");
  t.change('A', "abc");
  t.change('A', "ABc");
  t.change('A', "AB*C");
  t.change('A', "*D");
  t.change('B', "AB");
  t.leave_joint('A');
  EXPECT_EQ(t.take(), R"(
A changes members to : invalid argument: no voter may lead: name one that is not a witness
A changes members to AA: invalid argument: a member is named twice
A changes members to abc: invalid argument: no voter may lead: name one that is not a witness
A changes members to ABc: invalid argument: a voter cannot become a learner: remove it, then add it again
A changes members to AB*C: invalid argument: a voter cannot become a witness, or cease to be one: remove it
A changes members to *D: invalid argument: no voter may lead: name one that is not a witness
B changes members to AB: not the leader
A ends the change: invalid argument: no change of members is under way
)");
}

TEST(RaftMembership, GoingBackMakesLearnersOfThoseThatWereToVote) {
  Transcript t;
  t.add_blank('D');
  t.elect('A');
  t.change('A', "ABD");
  t.settle();
  EXPECT_EQ(Describe::of(t.group('A').configuration()), "(ABC)ABD");
  t.leave_joint('A', Side::kOld);
  t.settle();
  EXPECT_EQ(Describe::of(t.group('A').configuration()), "ABdC");
}

TEST(RaftMembership, ALeaderThatIsRemovedHandsOver) {
  Transcript t;
  t.elect('A');
  t.change('A', "BC");
  t.settle();
  t.take();
  t.leave_joint('A');
  t.settle();
  EXPECT_EQ(t.group('B').role(), Role::kLeader);
  EXPECT_EQ(t.take(), R"(
A ends the change
  A has durably term 1 1/3=BC
A>B append 1: behind 1/2 1/3=BC commit 2
  B has durably term 1 1/3=BC
A>C append 1: behind 1/2 1/3=BC commit 2
  C has durably term 1 1/3=BC
B>A has 3
C>A has 3
  A applies 3=BC
  A is caretaker of 1
A>B stand now, term 1
  B is candidate in 2
  B has durably term 2 vote B
A>B leads 1 commit 3
A>C leads 1 commit 3
  C applies 3=BC
B>C vote 2? log 1/3, transfer
  C has no leader in 2
  C has durably term 2 vote B
B>A round 0 in term 2
  A has no leader in 2
  A has durably term 2
C>B vote 2: yes
  B leads 2
  B has durably term 2 2/4
A>B leads no more, term 2
A>C leads no more, term 2
B>C append 2: behind 1/3 2/4 commit 2
  C follows B in 2
  C has durably term 2 2/4
B>C leads 2 commit 2
C>B has 4
  B applies 3=BC
  B applies 4
B>C leads 2 commit 4
  C applies 4
)");
}

TEST(RaftMembership, AnEntryMayCarryDataAndMembers) {
  Transcript t;
  t.elect('A');
  ASSERT_TRUE(t.group('A').change_members(Transcript::configuration("AB"), Transcript::payload("N={A,B}"), t.now()).ok());
  t.drain('A');
  t.settle();
  EXPECT_EQ(t.log('B'), "1/1 1/2N={A,B}=(ABC)AB");
}

TEST(RaftMembership, WhatWasNotCommittedIsTakenBackWithItsConfiguration) {
  Transcript t;
  t.elect('A');
  t.cut_off('A');
  t.change('A', "AB");
  EXPECT_EQ(Describe::of(t.group('A').configuration()), "(ABC)AB");
  t.suspect('B', 'A');
  t.suspect('C', 'A');
  t.pass(60);
  ASSERT_EQ(t.group('B').role(), Role::kLeader);
  t.lose_all();
  t.heal();
  t.trust('B', 'A');
  t.settle();
  EXPECT_EQ(Describe::of(t.group('A').configuration()), "ABC");
}

}  // namespace
}  // namespace pyralog::raft
