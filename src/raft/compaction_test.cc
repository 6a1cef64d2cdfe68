#include "raft/transcript.h"

namespace pyralog::raft {
namespace {

// Raft §7: log compaction.

TEST(RaftCompaction, WhoIsTooFarBehindIsSentASnapshot) {
  Transcript t;
  t.elect('A');
  t.cut_off('C');
  t.suspect('A', 'C');
  for (const char* text : {"x", "y", "z"}) t.propose('A', text);
  t.settle();
  t.compact('A', 3);
  t.heal();
  t.take();
  t.trust('A', 'C');
  t.settle();
  EXPECT_EQ(t.log('C'), "[1/3] 1/4z");
  EXPECT_EQ(t.take(), R"(
A trusts C
A>C snapshot 1: 1/3
  C becomes snapshot 3
  C has durably term 1 snapshot 1/3
C>A has 3
A>C append 1: behind 1/3 1/4z commit 4
  C has durably term 1 1/4z
  C applies 4z
C>A has 4
)");
}

TEST(RaftCompaction, ASnapshotReplacesWhatContradictsIt) {
  Transcript t;
  t.elect('C');
  t.cut_off('C');
  t.propose('C', "old");
  t.propose('C', "older");
  t.lose_all();
  t.suspect('C');
  t.pass(60);
  ASSERT_EQ(t.group('A').role(), Role::kLeader);
  t.propose('A', "new");
  t.settle();
  t.compact('A', 3);
  t.heal();
  t.take();
  t.trust('A', 'C');
  t.trust('B', 'C');
  t.settle();
  EXPECT_EQ(t.log('C'), t.log('A'));
  t.restart('C');
  EXPECT_EQ(t.log('C'), t.log('A')) << "on the disk, too";
  EXPECT_EQ(t.take(), R"(
A trusts C
B trusts C
A>C snapshot 2: 2/3
  C becomes snapshot 3
  C follows A in 2
  C has durably term 2 snapshot 2/3
C>A leads no more, term 2
C>B leads no more, term 2
C>A has 3
C restarts
)");
}

TEST(RaftCompaction, AnInterruptedTransferBeginsAgain) {
  Transcript t;
  t.elect('A');
  t.cut_off('C');
  t.suspect('A', 'C');
  t.propose('A', "x");
  t.settle();
  t.compact('A', 2);
  t.trust('A', 'C');
  t.settle();  // lost at the cut
  t.heal();
  t.take();
  t.group('A').snapshot_ended(Transcript::id('C'), t.now());
  t.drain('A');
  t.settle();
  EXPECT_EQ(t.take(), R"(
A>C append 1: behind 1/2 commit 2
C>A refuses 2 in term 1: ends before 2
A>C snapshot 1: 1/2
  C becomes snapshot 2
  C has durably term 1 snapshot 1/2
C>A has 2
)");
}

TEST(RaftCompaction, OnlyWhatIsAppliedIsCompacted) {
  Transcript t;
  t.elect('A');
  t.cut_off('A');
  t.propose('A', "x");
  t.take();
  t.compact('A', 2);
  t.compact('A', 1);
  t.restart('A');
  t.note(t.log('A'));
  EXPECT_EQ(t.take(), R"(
A compacts to 2: invalid argument: a snapshot of what is not applied yet
A compacts to 1
  A has durably term 1 snapshot 1/1
A restarts
[1/1] 1/2x
)");
}

TEST(RaftCompaction, ASnapshotKnowsTheConfiguration) {
  Transcript t;
  t.elect('A');
  t.change('A', "ABCd");
  t.settle();
  t.propose('A', "x");
  t.settle();
  t.compact('A', 3);
  t.restart('A');
  EXPECT_EQ(Describe::of(t.group('A').configuration()), "ABCd");
}

}  // namespace
}  // namespace pyralog::raft
