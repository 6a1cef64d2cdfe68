#include "replication/activation.h"

#include <gtest/gtest.h>

/// The worked examples of replication.md §16 and what goes wrong around them: replicas A (0), B (1), C (2).
namespace pyralog::replication {
namespace {

using Need = Activation::Need;

ReplicaId replica(int node) {
  ReplicaId id{.node = NodeId(node), .disk = {}};
  id.disk.bytes[0] = static_cast<std::uint8_t>(node + 1);
  return id;
}
const ReplicaId kA = replica(0), kB = replica(1), kC = replica(2);
constexpr BootId kLife{1};
const MonotonicTime kNow{};

DataConfiguration three(std::size_t write_quorum) {
  return {.current = {.members = {kA, kB, kC}, .write_quorum = write_quorum}, .next = {}};
}
EpochRow row(int epoch, std::int64_t start, std::size_t write_quorum = 2) {
  return {.epoch = LeaderEpoch(epoch), .start = Offset(start), .leader = kA, .data = three(write_quorum)};
}
LogShape shape(std::vector<EpochRun> runs, std::int64_t end) {
  const Offset start = runs.empty() ? Offset(end) : runs.front().start;
  return {.start = start, .end = Offset(end), .runs = std::move(runs)};
}
EpochRun run(int epoch, std::int64_t start) { return {.epoch = LeaderEpoch(epoch), .start = Offset(start)}; }
TailInfo tail(LogShape log, std::int64_t hint = 100) {
  return {.life = kLife, .committed_hint = Offset(hint), .log = std::move(log), .suspect_from = {}, .damaged = {}};
}
EpochTable table(std::vector<EpochRow> rows) {
  EpochTable made;
  for (EpochRow& row : rows) EXPECT_TRUE(made.add(std::move(row)).ok());
  return made;
}
Activation::Setup setup(const ReplicaId& self, int term, EpochTable rows, std::size_t write_quorum = 2) {
  return {.self = self, .term = LeaderEpoch(term), .data = three(write_quorum), .table = rows, .decided = rows};
}
void seal(Activation& activation, const ReplicaId& replica, TailInfo info) {
  EXPECT_TRUE(activation.sealed(replica, std::move(info), kNow).ok());
}
TailInfo suspect(TailInfo info, std::int64_t from) {
  info.suspect_from = Offset(from);
  return info;
}
TailInfo damaged(TailInfo info, std::int64_t from) {
  info.damaged = {{.begin = Offset(from), .end = Offset(from + 1)}};
  return info;
}

// A leads epoch 7; 100–104 on A and B and acknowledged, 105–109 on A and B, 110–114 on A; C ends at 102. A dies, B wins term 8.
TEST(Activation, LeaderCrashInTheMiddleOfWriting) {
  Activation b(setup(kB, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 110)), kNow);
  EXPECT_EQ(b.need(), Need::kSeals);
  EXPECT_EQ(b.unsealed(), (std::vector{kA, kC}));
  seal(b, kC, tail(shape({run(7, 0)}, 102)));
  EXPECT_EQ(b.need(), Need::kLevel);
  EXPECT_EQ(b.from(), Offset(100));
  EXPECT_EQ(b.end(), Offset(110));
  b.stored(kB, kLife, Offset(110), kNow);
  EXPECT_EQ(b.need(), Need::kLevel);
  b.stored(kC, kLife, Offset(110), kNow);
  EXPECT_EQ(b.need(), Need::kDecide);
  EXPECT_EQ(b.row().start, Offset(110));
  EXPECT_EQ(b.row().epoch, LeaderEpoch(8));
  b.decided();
  EXPECT_EQ(b.need(), Need::kOpen);
  EXPECT_EQ(b.copies().high_watermark(), Offset(110));
  // A returns: its 110–114 lie in row 8 and were never acknowledged.
  const EpochTable after = table({row(7, 0), row(8, 110)});
  EXPECT_EQ(after.valid_end(shape({run(7, 0)}, 115)), (EpochTable::ValidEnd{Offset(110), Standing::kGarbage}));
}

TEST(Activation, AnEmptyPartitionOpensAtOnce) {
  Activation a(setup(kA, 1, {}), tail(shape({}, 0), 0), kNow);
  seal(a, kB, tail(shape({}, 0), 0));
  EXPECT_EQ(a.need(), Need::kDecide);
  EXPECT_EQ(a.row().start, Offset(0));
}

TEST(Activation, WithWriteQuorumOneEveryReplicaIsAsked) {
  Activation b(setup(kB, 8, table({row(7, 0, 1)}), 1), tail(shape({run(7, 0)}, 100)), kNow);
  seal(b, kC, tail(shape({run(7, 0)}, 100)));
  EXPECT_EQ(b.need(), Need::kSeals);  // A alone may have acknowledged more
  seal(b, kA, tail(shape({run(7, 0)}, 110)));
  EXPECT_EQ(b.end(), Offset(110));
  EXPECT_EQ(b.need(), Need::kFetch);
  EXPECT_EQ(b.source(), kA);
}

TEST(Activation, AWinnerThatLacksTheTailFetchesItFirst) {
  Activation c(setup(kC, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 102)), kNow);
  seal(c, kB, tail(shape({run(7, 0)}, 110)));
  EXPECT_EQ(c.need(), Need::kFetch);
  EXPECT_EQ(c.source(), kB);
  c.own_log_is(shape({run(7, 0)}, 106), kNow);
  EXPECT_EQ(c.need(), Need::kFetch);
  c.own_log_is(shape({run(7, 0)}, 110), kNow);
  EXPECT_EQ(c.need(), Need::kLevel);
}

TEST(Activation, EveryContiguousBatchSeenIsKeptNotOnlyProvablyCommittedOnes) {
  Activation b(setup(kB, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 104)), kNow);
  seal(b, kC, tail(shape({run(7, 0)}, 107)));
  EXPECT_EQ(b.end(), Offset(107));
  seal(b, kA, tail(shape({run(7, 0)}, 115)));  // the end is found; what comes later was never acknowledged
  EXPECT_EQ(b.end(), Offset(107));
}

TEST(Activation, GarbageByTheRowsDoesNotLengthenTheLog) {
  // C was cut off in epoch 7 with 20 records of its own; 8 began at 100.
  Activation b(setup(kB, 9, table({row(7, 0), row(8, 100)})), tail(shape({run(7, 0), run(8, 100)}, 105)), kNow);
  seal(b, kC, tail(shape({run(7, 0)}, 120)));
  EXPECT_EQ(b.end(), Offset(105));
}

TEST(Activation, TheLeadersOwnGarbageGoesBeforeItFetches) {
  Activation c(setup(kC, 9, table({row(7, 0), row(8, 100)})), tail(shape({run(7, 0)}, 120)), kNow);
  seal(c, kB, tail(shape({run(7, 0), run(8, 100)}, 105)));
  EXPECT_EQ(c.need(), Need::kTruncateSelf);
  EXPECT_EQ(c.own_valid_end(), Offset(100));
  c.own_log_is(shape({run(7, 0)}, 100), kNow);
  EXPECT_EQ(c.need(), Need::kFetch);
}

TEST(Activation, WhatOnlyAnUncommittedRowCallsGarbageStaysUntilThatIsCommitted) {
  Activation::Setup uncommitted = setup(kC, 9, table({row(7, 0), row(8, 100)}));
  uncommitted.decided = table({row(7, 0)});
  Activation c(uncommitted, tail(shape({run(7, 0)}, 120)), kNow);
  seal(c, kB, tail(shape({run(7, 0)}, 100)));
  EXPECT_EQ(c.need(), Need::kPriorRows);
  c.prior_rows_decided();
  EXPECT_EQ(c.need(), Need::kTruncateSelf);
  c.own_log_is(shape({run(7, 0)}, 100), kNow);
  EXPECT_EQ(c.need(), Need::kDecide);
}

TEST(Activation, WhatCommittedRowsCannotJudgeStaysToo) {
  Activation::Setup unknown = setup(kC, 9, table({row(7, 0), row(8, 100)}));
  unknown.decided = {};  // a process that has just started
  Activation c(unknown, tail(shape({run(7, 0)}, 120)), kNow);
  seal(c, kB, tail(shape({run(7, 0)}, 100)));
  EXPECT_EQ(c.need(), Need::kPriorRows);
}

TEST(Activation, ALeaderWhoseOwnCopyIsDamagedRepairsItFirst) {
  Activation b(setup(kB, 8, table({row(7, 0)})), damaged(tail(shape({run(7, 0)}, 110)), 103), kNow);
  seal(b, kC, tail(shape({run(7, 0)}, 110)));
  EXPECT_EQ(b.need(), Need::kSeals);  // what it lost is unknown, so A is asked too
  seal(b, kA, tail(shape({run(7, 0)}, 110)));
  EXPECT_EQ(b.end(), Offset(110));
  EXPECT_EQ(b.need(), Need::kRepair);
  b.own_log_is(shape({run(7, 0)}, 110), kNow);
  EXPECT_EQ(b.need(), Need::kLevel);
}

TEST(Activation, WhenAllHaveAnsweredAndTooFewCanKnowThatIsSaid) {
  Activation b(setup(kB, 8, table({row(7, 0)})), suspect(tail(shape({run(7, 0)}, 105)), 90), kNow);
  seal(b, kC, suspect(tail(shape({run(7, 0)}, 102)), 90));
  EXPECT_EQ(b.need(), Need::kSeals);
  seal(b, kA, suspect(tail(shape({run(7, 0)}, 101)), 90));
  EXPECT_EQ(b.need(), Need::kUnwitnessed);
}

TEST(Activation, ASealThatComesLateFromAnEndedLifeIsIgnored) {
  Activation b(setup(kB, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 105)), kNow);
  b.restarted(kC, BootId(2), kNow);
  seal(b, kC, tail(shape({run(7, 0)}, 105)));
  EXPECT_EQ(b.need(), Need::kSeals);
}

TEST(Activation, WhoRestartsBeforeItsTailWasFetchedIsAskedAgain) {
  Activation b(setup(kB, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 100)), kNow);
  seal(b, kC, tail(shape({run(7, 0)}, 105)));
  EXPECT_EQ(b.need(), Need::kFetch);
  b.restarted(kC, BootId(2), kNow);  // with it may have gone what it had not synced
  EXPECT_EQ(b.need(), Need::kSeals);
  TailInfo again = tail(shape({run(7, 0)}, 100));
  again.life = BootId(2);
  seal(b, kC, again);
  EXPECT_EQ(b.need(), Need::kDecide);
}

TEST(Activation, TailsThatCannotBeAreRefused) {
  Activation b(setup(kB, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 105)), kNow);
  const auto refused = [&](TailInfo info) { return b.sealed(kC, std::move(info), kNow).error() == ErrorCode::kCorrupt; };
  EXPECT_TRUE(refused(tail(shape({run(7, 0), run(6, 50)}, 105))));
  EXPECT_TRUE(refused(tail(shape({run(8, 0)}, 105))));
  EXPECT_TRUE(refused(tail(shape({run(7, 0)}, 105), -1)));
  EXPECT_TRUE(refused(damaged(tail(shape({run(7, 0)}, 105)), -3)));
  EXPECT_EQ(b.need(), Need::kSeals);
}

TEST(Activation, ASuspectReplicaCountsForWhatItHasAndNotForWhatItLacks) {
  Activation b(setup(kB, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 105)), kNow);
  seal(b, kC, suspect(tail(shape({run(7, 0)}, 102)), 90));
  EXPECT_EQ(b.need(), Need::kSeals);
  seal(b, kC, suspect(tail(shape({run(7, 0)}, 107)), 90));
  EXPECT_EQ(b.need(), Need::kSeals);  // it has all that was seen, and may have had more
  seal(b, kA, tail(shape({run(7, 0)}, 105)));
  EXPECT_EQ(b.end(), Offset(107));
  EXPECT_EQ(b.need(), Need::kFetch);
}

TEST(Activation, WhatIsDamagedAboveTheCommittedIsUnknown) {
  Activation b(setup(kB, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 105)), kNow);
  seal(b, kC, damaged(tail(shape({run(7, 0)}, 110)), 103));
  EXPECT_EQ(b.need(), Need::kSeals);
  seal(b, kC, damaged(tail(shape({run(7, 0)}, 110)), 50));  // below: a repair's matter, and what is above counts
  EXPECT_EQ(b.end(), Offset(110));
  EXPECT_EQ(b.need(), Need::kFetch);
}

TEST(Activation, ARebuildingReplicaIsNoWitness) {
  TailInfo empty = tail(shape({}, 0), 0);
  empty.is_rebuilding = true;
  Activation b(setup(kB, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 105)), kNow);
  seal(b, kC, empty);
  EXPECT_EQ(b.need(), Need::kSeals);
}

TEST(Activation, StrangersDoNotSeal) {
  Activation b(setup(kB, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 105)), kNow);
  seal(b, replica(9), tail(shape({run(7, 0)}, 105)));
  EXPECT_EQ(b.need(), Need::kSeals);
  ReplicaId emptied = kC;  // the same node with another disk
  emptied.disk.bytes[0] = 99;
  seal(b, emptied, tail(shape({}, 0), 0));
  EXPECT_EQ(b.need(), Need::kSeals);
}

TEST(Activation, WhileReplicasChangeBothSetsAreSealedAndLevelled) {
  Activation::Setup joint = setup(kB, 8, table({row(7, 0)}));
  const ReplicaId d = replica(3), e = replica(4);
  joint.data.next = ReplicaSet{.members = {kB, d, e}, .write_quorum = 2};
  Activation b(joint, tail(shape({run(7, 0)}, 105)), kNow);
  seal(b, kC, tail(shape({run(7, 0)}, 105)));
  EXPECT_EQ(b.need(), Need::kSeals);
  seal(b, d, tail(shape({run(7, 0)}, 50), 50));
  EXPECT_EQ(b.need(), Need::kLevel);
  b.stored(kB, kLife, Offset(105), kNow);
  b.stored(kC, kLife, Offset(105), kNow);
  EXPECT_EQ(b.need(), Need::kLevel);
  b.stored(d, kLife, Offset(105), kNow);
  EXPECT_EQ(b.need(), Need::kDecide);
  EXPECT_TRUE(b.row().data.is_joint());  // the row carries the pair
}

TEST(Activation, CommittedRecordsThatNobodyHasAreNeverGivenUpByItself) {
  Activation b(setup(kB, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 90), 100), kNow);
  seal(b, kC, tail(shape({run(7, 0)}, 95), 95));
  EXPECT_EQ(b.need(), Need::kLost);
  seal(b, kA, tail(shape({run(7, 0)}, 100)));
  EXPECT_EQ(b.need(), Need::kFetch);
}

TEST(Activation, ALiveLeaderGoesOnFromWhatItCommittedWithoutAskingAnybody) {
  Activation::Setup again = setup(kA, 9, table({row(7, 0)}));
  ASSERT_TRUE(Activation::may_be_graceful(again, LeaderEpoch(7)));
  Activation a = Activation::graceful(again, Offset(105), kNow);
  EXPECT_EQ(a.need(), Need::kDecide);
  EXPECT_EQ(a.row().start, Offset(105));
  a.decided();
  EXPECT_EQ(a.need(), Need::kOpen);
  EXPECT_EQ(a.copies().high_watermark(), Offset(105));
}

TEST(Activation, OnlyTheOpenRowsLeaderMayGoOnGracefully) {
  EpochRow others = row(8, 100);
  others.leader = kB;
  EXPECT_FALSE(Activation::may_be_graceful(setup(kA, 9, table({row(7, 0), others})), LeaderEpoch(7)));
  EXPECT_FALSE(Activation::may_be_graceful(setup(kA, 9, table({others})), LeaderEpoch(8)));
  EXPECT_FALSE(Activation::may_be_graceful(setup(kA, 9, {}), LeaderEpoch(7)));
  // An attempt of its own that was not committed.
  EXPECT_TRUE(Activation::may_be_graceful(setup(kA, 9, table({row(7, 0), row(8, 100)})), LeaderEpoch(7)));
}

TEST(Activation, ACopyOfAnEarlierLifeDoesNotLevel) {
  Activation b(setup(kB, 8, table({row(7, 0)})), tail(shape({run(7, 0)}, 110)), kNow);
  seal(b, kC, tail(shape({run(7, 0)}, 102)));
  b.stored(kC, kLife, Offset(110), kNow);
  b.restarted(kC, BootId(2), kNow);
  b.stored(kB, kLife, Offset(110), kNow);
  EXPECT_EQ(b.need(), Need::kLevel);
  b.stored(kC, BootId(2), Offset(110), kNow);
  EXPECT_EQ(b.need(), Need::kDecide);
}

}  // namespace
}  // namespace pyralog::replication
