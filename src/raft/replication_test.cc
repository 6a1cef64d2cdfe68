#include "raft/transcript.h"

namespace pyralog::raft {
namespace {

// Raft §5.3: log replication; §5.4: commitment and safety; §5.5: crashes.

/// A log of a replica, as (term, payload), made as if the disk held it.
void set_log(Transcript& t, char name, const std::vector<int>& terms, int term) {
  Transcript::Replica& replica = t.replica(name);
  replica.durable.entries.clear();
  for (const int entry : terms) replica.durable.entries.push_back({.term = Term(entry)});
  replica.durable.hard.term = Term(term);
  t.restart(name);
}

TEST(RaftReplication, AnEntryIsCommittedByAMajorityAndThenTold) {
  Transcript t;
  t.elect('A');
  t.take();
  t.propose('A', "x");
  t.settle();
  EXPECT_EQ(t.take(), R"(
A proposes x
  A has durably term 1 1/2x
A>B append 1: behind 1/1 1/2x commit 1
  B has durably term 1 1/2x
A>C append 1: behind 1/1 1/2x commit 1
  C has durably term 1 1/2x
B>A has 2
  A applies 2x
C>A has 2
A>B leads 1 commit 2
  B applies 2x
A>C leads 1 commit 2
  C applies 2x
)");
}

TEST(RaftReplication, AnAnswerLeavesWhenItIsDurable) {
  Transcript t;
  t.elect('A');
  t.cut_off('C');
  t.take();
  t.hold_disk('B');
  t.propose('A', "x");
  t.settle();
  t.note("not committed");
  t.release_disk('B');
  t.settle();
  EXPECT_EQ(t.take(), R"(
A proposes x
  A has durably term 1 1/2x
A>B append 1: behind 1/1 1/2x commit 1
not committed
B's disk is done
  B has durably term 1 1/2x
B>A has 2
  A applies 2x
A>B leads 1 commit 2
  B applies 2x
)");
}

TEST(RaftReplication, ALeaderCountsItselfWhenItIsDurable) {
  Transcript t;
  t.elect('A');
  t.cut_off('C');
  t.take();
  t.hold_disk('A');
  t.propose('A', "x");
  t.settle();
  t.note("B has it, and that is one");
  t.release_disk('A');
  t.settle();
  EXPECT_EQ(t.take(), R"(
A proposes x
A>B append 1: behind 1/1 1/2x commit 1
  B has durably term 1 1/2x
B>A has 2
B has it, and that is one
A's disk is done
  A has durably term 1 1/2x
  A applies 2x
A>B leads 1 commit 2
  B applies 2x
)");
}

TEST(RaftReplication, AMajorityWithoutTheLeadersDiskCommits) {
  Transcript t;
  t.elect('A');
  t.hold_disk('A');
  t.propose('A', "x");
  t.settle();
  EXPECT_EQ(t.group('A').commit(), RaftIndex(2));
  EXPECT_EQ(t.take().find("A applies 2"), std::string::npos) << "what is handed out is durable here as well";
}

TEST(RaftReplication, AppendsArePipelinedUpToABound) {
  Transcript t("AB", {.append_bytes_max = 3, .appends_in_flight_max = 2});
  t.elect('A');
  t.take();
  for (const char* text : {"aa", "bb", "cc", "dd"}) t.propose('A', text);
  EXPECT_EQ(t.network().size(), 2U);
  t.settle();
  EXPECT_EQ(t.log('B'), "1/1 1/2aa 1/3bb 1/4cc 1/5dd");
  EXPECT_EQ(t.take(), R"(
A proposes aa
  A has durably term 1 1/2aa
A proposes bb
  A has durably term 1 1/3bb
A proposes cc
  A has durably term 1 1/4cc
A proposes dd
  A has durably term 1 1/5dd
A>B append 1: behind 1/1 1/2aa commit 1
  B has durably term 1 1/2aa
A>B append 1: behind 1/2 1/3bb commit 1
  B has durably term 1 1/3bb
B>A has 2
  A applies 2aa
B>A has 3
  A applies 3bb
A>B append 1: behind 1/3 1/4cc commit 2
  B applies 2aa
  B has durably term 1 1/4cc
A>B leads 1 commit 2
A>B append 1: behind 1/4 1/5dd commit 3
  B applies 3bb
  B has durably term 1 1/5dd
A>B leads 1 commit 3
B>A has 4
  A applies 4cc
B>A has 5
  A applies 5dd
A>B leads 1 commit 4
  B applies 4cc
A>B leads 1 commit 5
  B applies 5dd
)");
}

TEST(RaftReplication, WhatIsNotAnsweredIsSentAgain) {
  Transcript t("AB");
  t.elect('A');
  t.propose('A', "x");
  t.lose_all();
  t.take();
  t.pass(200);
  EXPECT_EQ(t.log('B'), "1/1 1/2x");
  EXPECT_EQ(t.group('A').next_deadline(), std::nullopt) << "nothing is awaited any more";
  EXPECT_EQ(t.take(), R"(
A>B append 1: behind 1/1 1/2x commit 1
  B has durably term 1 1/2x
B>A has 2
  A applies 2x
A>B leads 1 commit 2
  B applies 2x
)");
}

TEST(RaftReplication, NothingIsSentToWhoIsSuspectedUntilItIsBack) {
  Transcript t;
  t.elect('A');
  t.suspect('A', 'C');
  t.propose('A', "x");
  t.settle();
  t.take();
  EXPECT_EQ(t.group('A').next_deadline(), std::nullopt);
  t.trust('A', 'C');
  t.settle();
  EXPECT_EQ(t.take(), R"(
A trusts C
A>C append 1: behind 1/1 1/2x commit 2
  C has durably term 1 1/2x
  C applies 2x
C>A has 2
)");
}

// Figure 7: followers that lack entries, have more, or both; each is repaired in as many messages as there are terms.
TEST(RaftReplication, DivergentLogsAreRepairedTermByTerm) {
  Transcript t("LABCDEF");
  set_log(t, 'L', {1, 1, 1, 4, 4, 5, 5, 6, 6, 6}, 6);
  set_log(t, 'A', {1, 1, 1, 4, 4, 5, 5, 6, 6}, 6);
  set_log(t, 'B', {1, 1, 1, 4}, 4);
  set_log(t, 'C', {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6}, 6);
  set_log(t, 'D', {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7}, 7);
  set_log(t, 'E', {1, 1, 1, 4, 4, 4, 4}, 4);
  set_log(t, 'F', {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}, 3);
  t.cut_off('C');
  t.cut_off('D');
  t.stand('L');
  t.settle();
  t.heal();
  t.take();
  t.stand('L');
  t.settle();
  t.pass(250);
  const std::string log = "1/1 1/2 1/3 4/4 4/5 5/6 5/7 6/8 6/9 6/10";
  for (const char name : {'A', 'B', 'C', 'D', 'E', 'F'}) EXPECT_EQ(t.log(name), t.log('L')) << name;
  EXPECT_EQ(t.log('L').substr(0, log.size()), log);
}

TEST(RaftReplication, ALongDivergenceTakesAMessageForEachTerm) {
  Transcript t("AB");
  std::vector<int> left;
  std::vector<int> right;
  for (int i = 0; i < 300; ++i) left.push_back(1 + 2 * (i / 100));   // terms 1, 3, 5
  for (int i = 0; i < 250; ++i) right.push_back(i < 50 ? 1 : 2 + 2 * (i / 150));  // terms 1, 2, 4
  set_log(t, 'A', left, 5);
  set_log(t, 'B', right, 4);
  t.take();
  t.elect('A');
  EXPECT_EQ(t.log('B'), t.log('A'));
  Transcript again("AB");
  set_log(again, 'A', left, 5);
  set_log(again, 'B', right, 4);
  again.take();
  again.stand('A');
  again.settle();
  const std::string text = again.take();
  std::size_t refusals = 0;
  for (std::size_t at = text.find("refuses"); at != std::string::npos; at = text.find("refuses", at + 1)) ++refusals;
  EXPECT_LE(refusals, 4U);
  EXPECT_GE(refusals, 2U);
}

// Figure 8: an entry of an older term on a majority is not committed by that; one of this term above it is.
TEST(RaftCommitment, AnEntryOfAnOlderTermIsNotCommittedByCounting) {
  Transcript t("ABCDE", {.opens_term = false});
  set_log(t, 'A', {1, 2}, 2);
  set_log(t, 'B', {1, 2}, 2);
  set_log(t, 'C', {1}, 2);
  set_log(t, 'D', {1}, 2);
  set_log(t, 'E', {1, 3}, 3);
  t.cut_off('E');
  t.cut_off('D');
  t.stand('A');
  t.settle();
  t.note("too few heard of it, or E's term is higher: again");
  t.take();
  t.stand('A');
  t.settle();
  EXPECT_EQ(t.group('A').role(), Role::kLeader);
  EXPECT_EQ(t.log('C'), "1/1 2/2") << "now a majority has 2/2";
  EXPECT_EQ(t.group('A').commit(), RaftIndex(0));
  t.propose('A', "x");
  t.settle();
  EXPECT_EQ(t.group('A').commit(), RaftIndex(3));
  t.heal();
  t.take();
  t.note("E, whose 3/2 is newer than 2/2, cannot win any more");
  t.stand('E');
  t.settle();
  EXPECT_EQ(t.take(), R"(
E, whose 3/2 is newer than 2/2, cannot win any more
E stands
  E is candidate in 4
  E has durably term 4 vote E
E>A vote 4? log 3/2, transfer
E>B vote 4? log 3/2, transfer
E>C vote 4? log 3/2, transfer
E>D vote 4? log 3/2, transfer
  D has durably term 4 vote E
A>E vote 4: no, term 4
B>E vote 4: no, term 4
C>E vote 4: no, term 4
D>E vote 4: yes
)");
}

TEST(RaftSafety, ACandidateThatLacksWhatMayBeCommittedIsRefused) {
  Transcript t;
  t.elect('A');
  t.cut_off('C');
  t.propose('A', "x");
  t.settle();
  t.heal();
  t.cut_off('A');
  t.take();
  t.suspect('B', 'A');
  t.stand('C');
  t.settle();
  t.pass(60);
  EXPECT_EQ(t.group('B').role(), Role::kLeader);
  EXPECT_EQ(t.take(), R"(
B suspects A
  B has no leader in 1
C stands
  C is candidate in 2
  C has durably term 2 vote C
C>B vote 2? log 1/1, transfer
  B has durably term 2
B>C vote 2: no, term 2
  B asks around in 2
B>C pre-vote 3? log 1/2
C>B pre-vote 3: yes
  B is candidate in 3
  B has durably term 3 vote B
B>C vote 3? log 1/2
  C has no leader in 3
  C has durably term 3 vote B
C>B vote 3: yes
  B leads 3
  B has durably term 3 3/3
B>C append 3: behind 1/2 3/3 commit 2
  C follows B in 3
B>C leads 3 commit 2
C>B refuses 2 in term 3: ends before 2
B>C append 3: behind 1/1 1/2x 3/3 commit 2
  C has durably term 3 1/2x 3/3
  C applies 2x
C>B has 3
  B applies 3
B>C leads 3 commit 3
  C applies 3
)");
}

TEST(RaftCrash, AReplicaComesBackWithWhatWasDurable) {
  Transcript t;
  t.elect('A');
  t.propose('A', "x");
  t.settle();
  t.hold_disk('B');
  t.propose('A', "y");
  t.settle();
  t.take();
  t.restart('B');
  t.note("B: " + t.log('B'));
  t.replica('B').holds_disk = false;
  t.suspect('A', 'B');
  t.trust('A', 'B');
  t.settle();
  EXPECT_EQ(t.log('B'), t.log('A'));
  EXPECT_EQ(t.take(), R"(
B restarts
  B applies 1
B: 1/1 1/2x
A suspects B
A trusts B
A>B append 1: behind 1/2 1/3y commit 3
  B applies 2x
  B follows A in 1
  B has durably term 1 1/3y
  B applies 3y
B>A has 3
)");
}

TEST(RaftCrash, ALeaderNeverResumesItsTerm) {
  Transcript t;
  t.elect('A');
  t.restart('A');
  EXPECT_EQ(t.group('A').role(), Role::kFollower);
  EXPECT_EQ(t.group('A').term(), Term(1));
  t.elect('A');
  EXPECT_EQ(t.group('A').term(), Term(2));
}

TEST(RaftTiming, AnIdleGroupHasNoDeadlines) {
  Transcript t;
  t.elect('A');
  for (const char name : {'A', 'B', 'C'}) EXPECT_EQ(t.group(name).next_deadline(), std::nullopt) << name;
}

}  // namespace
}  // namespace pyralog::raft
