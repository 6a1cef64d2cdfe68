#include "replication/store.h"

#include <gtest/gtest.h>

namespace pyralog::replication {
namespace {

using Kind = StoreAction::Kind;

const ReplicaId kLeader{.node = NodeId(1), .disk = {}};

LogShape shape(std::vector<EpochRun> runs, std::int64_t end) {
  const Offset start = runs.empty() ? Offset(end) : runs.front().start;
  return {.start = start, .end = Offset(end), .runs = std::move(runs)};
}
EpochRun run(int epoch, std::int64_t start) { return {.epoch = LeaderEpoch(epoch), .start = Offset(start)}; }

StoreHead head(int ballot, int epoch, std::int64_t base, int prev_epoch, std::uint32_t crc = 1) {
  return {.ballot = {.epoch = LeaderEpoch(ballot), .leader = kLeader}, .epoch = LeaderEpoch(epoch), .base = Offset(base),
          .end = Offset(base + 5), .crc = crc, .prev_epoch = LeaderEpoch(prev_epoch)};
}
PresentBatch present(int epoch, std::int64_t base, std::uint32_t crc = 1, int records = 5) {
  return {.epoch = LeaderEpoch(epoch), .base = Offset(base), .end = Offset(base + records), .crc = crc};
}

TEST(DecideStore, WhatFollowsIsAppended) {
  EXPECT_EQ(decide_store(shape({run(7, 0)}, 100), head(7, 7, 100, 7), {}, Offset(90)).kind, Kind::kAppend);
  EXPECT_EQ(decide_store(shape({}, 0), head(7, 7, 0, -1), {}, Offset(0)).kind, Kind::kAppend);
}

TEST(DecideStore, AGapNamesTheNewestCommonEpochAndItsEndHere) {
  const LogShape log = shape({run(3, 0), run(7, 50)}, 100);
  EXPECT_EQ(decide_store(log, head(7, 7, 110, 7), {}, Offset(0)),
            (StoreAction{.kind = Kind::kGap, .tail = {.epoch = LeaderEpoch(7), .end = Offset(100)}}));
  // The leader has epoch 5 before offset 100, here it is 7.
  EXPECT_EQ(decide_store(log, head(8, 8, 100, 5), {}, Offset(0)),
            (StoreAction{.kind = Kind::kGap, .tail = {.epoch = LeaderEpoch(3), .end = Offset(50)}}));
}

TEST(DecideStore, WhatIsHereIsKeptAndTruncatesNothing) {
  const LogShape log = shape({run(7, 0)}, 100);
  EXPECT_EQ(decide_store(log, head(7, 7, 50, 7), present(7, 50), Offset(0)).kind, Kind::kKeep);
}

TEST(DecideStore, AnOlderEpochInPlaceGivesWay) {
  const LogShape log = shape({run(7, 0)}, 115);
  EXPECT_EQ(decide_store(log, head(8, 8, 110, 7), present(7, 110), Offset(100)).kind, Kind::kTruncateAppend);
}

TEST(DecideStore, NothingCommittedIsTruncated) {
  const LogShape log = shape({run(7, 0)}, 115);
  EXPECT_EQ(decide_store(log, head(8, 8, 110, 7), present(7, 110), Offset(111)).kind, Kind::kConflict);
}

TEST(DecideStore, OtherContentsOrANewerEpochInPlaceAreAnAlarm) {
  const LogShape log = shape({run(7, 0)}, 100);
  EXPECT_EQ(decide_store(log, head(7, 7, 50, 7, 2), present(7, 50), Offset(0)).kind, Kind::kConflict);
  EXPECT_EQ(decide_store(log, head(7, 7, 50, 7), present(7, 50, 1, 4), Offset(0)).kind, Kind::kConflict);
  const LogShape newer = shape({run(7, 0), run(8, 50)}, 100);
  EXPECT_EQ(decide_store(newer, head(9, 7, 50, 7), present(8, 50), Offset(0)).kind, Kind::kConflict);
  // A batch of an older epoch that begins earlier: batches of one epoch are divided alike everywhere.
  EXPECT_EQ(decide_store(log, head(8, 8, 52, 7), present(7, 50), Offset(0)).kind, Kind::kConflict);
}

TEST(DecideStore, AProbeLooksAndChangesNothing) {
  StoreHead probe = head(8, 8, 90, 7);
  probe.end = probe.base;
  EXPECT_EQ(decide_store(shape({run(7, 0)}, 100), probe, {}, Offset(0)).kind, Kind::kKeep);
  EXPECT_EQ(decide_store(shape({run(6, 0)}, 100), probe, {}, Offset(0)).kind, Kind::kGap);
  EXPECT_EQ(decide_store(shape({run(7, 0)}, 80), probe, {}, Offset(0)).kind, Kind::kGap);
}

TEST(DecideStore, AReplicaFollowsTheStartOfTheLeadersLog) {
  // The leader deleted everything below 112. What is here below goes; what is here from there on has to be compared.
  const StoreHead first = head(8, 8, 112, -1);
  EXPECT_EQ(decide_store(shape({run(7, 0)}, 115), first, present(7, 110), Offset(100)).kind, Kind::kTrim);
  EXPECT_EQ(decide_store(shape({run(7, 0)}, 50), first, {}, Offset(0)).kind, Kind::kTrim);
  EXPECT_EQ(decide_store(shape({}, 112), first, {}, Offset(0)).kind, Kind::kAppend);
  EXPECT_EQ(decide_store(shape({run(7, 112)}, 115), first, present(7, 112, 1, 3), Offset(100)).kind, Kind::kTruncateAppend);
}

TEST(DecideStore, AReplicaThatStartsLaterIsSentWhatItStartsWith) {
  const LogShape trimmed = shape({}, 112);
  const StoreAction action = decide_store(trimmed, head(8, 7, 50, 7), {}, Offset(0));
  EXPECT_EQ(action.kind, Kind::kGap);
  EXPECT_EQ(rewind_to(shape({run(7, 0)}, 200), action.tail), Offset(112));
  EXPECT_EQ(decide_store(trimmed, head(8, 7, 112, 7), {}, Offset(0)).kind, Kind::kAppend);
}

TEST(DecideStore, MessagesThatContradictThemselvesAreRefused) {
  const LogShape log = shape({run(7, 0)}, 100);
  EXPECT_EQ(decide_store(log, head(6, 7, 100, 7), {}, Offset(0)).kind, Kind::kInvalid);
  EXPECT_EQ(decide_store(log, head(8, 7, 100, 8), {}, Offset(0)).kind, Kind::kInvalid);
  EXPECT_EQ(decide_store(log, head(7, 7, -5, 7), {}, Offset(0)).kind, Kind::kInvalid);
  StoreHead backwards = head(7, 7, 100, 7);
  backwards.end = Offset(99);
  EXPECT_EQ(decide_store(log, backwards, {}, Offset(0)).kind, Kind::kInvalid);
}

TEST(RewindTo, TheLesserEndOfTheCommonEpoch) {
  const LogShape leader = shape({run(3, 0), run(5, 40), run(8, 60)}, 100);
  EXPECT_EQ(rewind_to(leader, {.epoch = LeaderEpoch(3), .end = Offset(50)}), Offset(40));
  EXPECT_EQ(rewind_to(leader, {.epoch = LeaderEpoch(3), .end = Offset(30)}), Offset(30));
  EXPECT_EQ(rewind_to(leader, {.epoch = LeaderEpoch(7), .end = Offset(90)}), Offset(60));
  EXPECT_EQ(rewind_to(leader, {.epoch = kNoLeaderEpoch, .end = Offset(0)}), Offset(0));
}

TEST(Fence, OlderIsFencedNewerIsPromisedFirst) {
  const Ballot ballot{.epoch = LeaderEpoch(7), .leader = kLeader};
  EXPECT_EQ(check_fence({}, ballot), Fencing::kRaise);
  EXPECT_EQ(check_fence({.epoch = LeaderEpoch(8), .leader = {}}, ballot), Fencing::kFenced);
  EXPECT_EQ(check_fence({.epoch = LeaderEpoch(7), .leader = {}}, ballot), Fencing::kRaise);
  EXPECT_EQ(check_fence(raised(ballot), ballot), Fencing::kPass);
  const ReplicaId other{.node = NodeId(2), .disk = {}};
  EXPECT_EQ(check_fence({.epoch = LeaderEpoch(7), .leader = other}, ballot), Fencing::kTwoLeaders);
}

}  // namespace
}  // namespace pyralog::replication
