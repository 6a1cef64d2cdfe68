#include "replication/epoch_table.h"

#include <gtest/gtest.h>

namespace pyralog::replication {
namespace {

const ReplicaId kReplica{.node = NodeId(1), .disk = {}};

EpochRow row(int epoch, std::int64_t start) {
  return {.epoch = LeaderEpoch(epoch), .start = Offset(start), .leader = kReplica,
          .data = {.current = {.members = {kReplica}, .write_quorum = 1}, .next = {}}};
}
EpochRun run(int epoch, std::int64_t start) { return {.epoch = LeaderEpoch(epoch), .start = Offset(start)}; }
LogShape shape(std::vector<EpochRun> runs, std::int64_t end) {
  const Offset start = runs.empty() ? Offset(end) : runs.front().start;
  return {.start = start, .end = Offset(end), .runs = std::move(runs)};
}
EpochTable table(std::vector<EpochRow> rows) {
  EpochTable made;
  for (EpochRow& row : rows) EXPECT_TRUE(made.add(std::move(row)).ok());
  return made;
}
using ValidEnd = EpochTable::ValidEnd;

TEST(EpochTable, RowsFollowEachOther) {
  EpochTable rows = table({row(1, 0), row(4, 10), row(5, 10)});
  EXPECT_TRUE(rows.add(row(5, 10)).ok());  // known
  EXPECT_EQ(rows.add(row(5, 11)).error(), ErrorCode::kCorrupt);
  EXPECT_EQ(rows.add(row(3, 20)).error(), ErrorCode::kCorrupt);
  EXPECT_EQ(rows.add(row(6, 9)).error(), ErrorCode::kCorrupt);
  EpochRow nobodys = row(9, 40);
  nobodys.data.current.write_quorum = 2;
  EXPECT_EQ(rows.add(nobodys).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(rows.rows().size(), 3u);
  EXPECT_EQ(rows.end_of(*rows.row_of(LeaderEpoch(1))), Offset(10));
  EXPECT_EQ(rows.end_of(*rows.open_row()), std::nullopt);
}

TEST(EpochTable, ABatchIsValidWhereItsRowIs) {
  const EpochTable rows = table({row(1, 0), row(4, 10), row(6, 30)});
  const auto judge = [&](int epoch, std::int64_t base, std::int64_t end) {
    return rows.judge(LeaderEpoch(epoch), Offset(base), Offset(end));
  };
  EXPECT_EQ(judge(1, 0, 10), Standing::kValid);
  EXPECT_EQ(judge(1, 5, 11), Standing::kGarbage);
  EXPECT_EQ(judge(1, 10, 12), Standing::kGarbage);
  EXPECT_EQ(judge(4, 9, 12), Standing::kGarbage);
  EXPECT_EQ(judge(2, 5, 6), Standing::kGarbage);
  EXPECT_EQ(judge(6, 30, 1000), Standing::kValid);
  EXPECT_EQ(judge(7, 30, 31), Standing::kUndetermined);
}

TEST(EpochTable, ALogIsValidUpToTheFirstThatIsNot) {
  const EpochTable rows = table({row(1, 0), row(4, 10), row(6, 30)});
  EXPECT_EQ(rows.valid_end(shape({run(1, 0), run(4, 10), run(6, 30)}, 40)), (ValidEnd{Offset(40), Standing::kValid}));
  EXPECT_EQ(rows.valid_end(shape({run(1, 0)}, 8)), (ValidEnd{Offset(8), Standing::kValid}));
  // Epoch 1 went on here after it had ended elsewhere.
  EXPECT_EQ(rows.valid_end(shape({run(1, 0)}, 12)), (ValidEnd{Offset(10), Standing::kGarbage}));
  // Epoch 1 ended early here, and what came then is of another place.
  EXPECT_EQ(rows.valid_end(shape({run(1, 0), run(4, 8)}, 20)), (ValidEnd{Offset(8), Standing::kGarbage}));
  EXPECT_EQ(rows.valid_end(shape({run(1, 0), run(3, 10)}, 20)), (ValidEnd{Offset(10), Standing::kGarbage}));
  EXPECT_EQ(rows.valid_end(shape({run(1, 0), run(4, 10), run(9, 20)}, 25)), (ValidEnd{Offset(20), Standing::kUndetermined}));
  EXPECT_EQ(rows.valid_end(shape({}, 0)), (ValidEnd{Offset(0), Standing::kValid}));
}

TEST(EpochTable, WhatWasTrimmedWasJudgedLongAgo) {
  EpochTable rows = table({row(1, 0), row(4, 10), row(6, 30)});
  rows.trim(Offset(15));
  EXPECT_EQ(rows.rows().size(), 2u);
  EXPECT_EQ(rows.valid_end(shape({run(1, 5), run(4, 10), run(6, 30)}, 40)), (ValidEnd{Offset(40), Standing::kValid}));
  EXPECT_EQ(rows.valid_end(shape({run(1, 5)}, 20)), (ValidEnd{Offset(10), Standing::kGarbage}));
}

TEST(EpochTable, TheDecidedEndOfTheNewestEpochNotAboveTheOneAsked) {
  const EpochTable rows = table({row(1, 0), row(4, 10), row(6, 30)});
  EXPECT_EQ(rows.decided_end(LeaderEpoch(3))->epoch, LeaderEpoch(1));
  EXPECT_EQ(rows.decided_end(LeaderEpoch(3))->end, Offset(10));
  EXPECT_EQ(rows.decided_end(LeaderEpoch(4))->end, Offset(30));
  EXPECT_FALSE(rows.decided_end(LeaderEpoch(6)).has_value());
  EXPECT_FALSE(rows.decided_end(LeaderEpoch(0)).has_value());
}

TEST(LogShape, GrowsShrinksAndFinds) {
  LogShape log = shape({}, 0);
  log.extend(LeaderEpoch(1), Offset(10));
  log.extend(LeaderEpoch(1), Offset(12));
  log.extend(LeaderEpoch(3), Offset(20));
  EXPECT_EQ(log, shape({run(1, 0), run(3, 12)}, 20));
  EXPECT_EQ(log.epoch_at(Offset(11)), LeaderEpoch(1));
  EXPECT_EQ(log.epoch_at(Offset(12)), LeaderEpoch(3));
  EXPECT_EQ(log.epoch_at(Offset(20)), kNoLeaderEpoch);
  EXPECT_EQ(log.tail_of(LeaderEpoch(2)).end, Offset(12));
  EXPECT_EQ(log.tail_of(LeaderEpoch(0)).epoch, kNoLeaderEpoch);
  log.truncate(Offset(12));
  EXPECT_EQ(log, shape({run(1, 0)}, 12));
  log.truncate(Offset(0));
  EXPECT_EQ(log, shape({}, 0));
}

TEST(LogShape, ALogFromOutsideMustBeDenseWithRisingEpochs) {
  EXPECT_TRUE(check_log_shape(shape({run(1, 0), run(2, 5)}, 6)).ok());
  EXPECT_TRUE(check_log_shape(shape({}, 0)).ok());
  EXPECT_FALSE(check_log_shape(shape({run(2, 0), run(1, 5)}, 6)).ok());
  EXPECT_FALSE(check_log_shape(shape({run(1, 0), run(2, 0)}, 6)).ok());
  EXPECT_FALSE(check_log_shape(shape({run(1, 0), run(2, 6)}, 6)).ok());
  EXPECT_FALSE(check_log_shape({.start = Offset(0), .end = Offset(5), .runs = {}}).ok());
  EXPECT_FALSE(check_log_shape({.start = Offset(0), .end = Offset(5), .runs = {run(1, 2)}}).ok());
  EXPECT_FALSE(check_log_shape({.start = Offset(5), .end = Offset(0), .runs = {}}).ok());
}

}  // namespace
}  // namespace pyralog::replication
