#include "storage/leader_epochs.h"

#include <gtest/gtest.h>

namespace pyralog::storage {
namespace {

LeaderEpochs three_epochs() {
  LeaderEpochs epochs;
  epochs.note(LeaderEpoch(1), Offset(0));
  epochs.note(LeaderEpoch(1), Offset(10));
  epochs.note(LeaderEpoch(4), Offset(20));
  epochs.note(LeaderEpoch(7), Offset(50));
  return epochs;
}

EpochEnd end(int epoch, int offset) { return {LeaderEpoch(epoch), Offset(offset)}; }

TEST(LeaderEpochs, OneRowPerEpoch) {
  const LeaderEpochs epochs = three_epochs();
  ASSERT_EQ(epochs.rows().size(), 3u);
  EXPECT_EQ(epochs.latest(), LeaderEpoch(7));
  EXPECT_EQ(epochs.rows()[1], (EpochStart{LeaderEpoch(4), Offset(20)}));
}

TEST(LeaderEpochs, OlderEpochsAndBatchesWithoutOneLeaveNoTrace) {
  LeaderEpochs epochs = three_epochs();
  epochs.note(LeaderEpoch(3), Offset(60));
  epochs.note(kNoLeaderEpoch, Offset(60));
  EXPECT_EQ(epochs, three_epochs());
}

TEST(LeaderEpochs, EndOfAnEpochIsWhereTheNextStarts) {
  const LeaderEpochs epochs = three_epochs();
  const LeaderEpoch leading(7);
  EXPECT_EQ(epochs.end_of(LeaderEpoch(1), leading, Offset(80)), end(1, 20));
  EXPECT_EQ(epochs.end_of(LeaderEpoch(4), leading, Offset(80)), end(4, 50));
  EXPECT_EQ(epochs.end_of(LeaderEpoch(7), leading, Offset(80)), end(7, 80));
  EXPECT_EQ(epochs.end_of(LeaderEpoch(6), leading, Offset(80)), end(4, 50));  // a gap: the largest not above it
  EXPECT_EQ(epochs.end_of(LeaderEpoch(0), leading, Offset(80)), end(0, 0));   // before the first row
  EXPECT_EQ(epochs.end_of(LeaderEpoch(8), leading, Offset(80)), std::nullopt);
  EXPECT_EQ(epochs.end_of(kNoLeaderEpoch, leading, Offset(80)), std::nullopt);
}

TEST(LeaderEpochs, TheLeadersEpochCountsBeforeItHasRecords) {
  const LeaderEpochs epochs = three_epochs();
  const LeaderEpoch leading(9);
  EXPECT_EQ(epochs.end_of(LeaderEpoch(9), leading, Offset(80)), end(9, 80));
  EXPECT_EQ(epochs.end_of(LeaderEpoch(8), leading, Offset(80)), end(7, 80));
  EXPECT_EQ(epochs.end_of(LeaderEpoch(7), leading, Offset(80)), end(7, 80));
  EXPECT_EQ(epochs.end_of(LeaderEpoch(10), leading, Offset(80)), std::nullopt);
  EXPECT_EQ(LeaderEpochs().end_of(LeaderEpoch(3), leading, Offset(0)), end(3, 0));
}

TEST(LeaderEpochs, FindsTheEpochOfAnOffset) {
  const LeaderEpochs epochs = three_epochs();
  EXPECT_EQ(epochs.epoch_at(Offset(0)), LeaderEpoch(1));
  EXPECT_EQ(epochs.epoch_at(Offset(19)), LeaderEpoch(1));
  EXPECT_EQ(epochs.epoch_at(Offset(20)), LeaderEpoch(4));
  EXPECT_EQ(epochs.epoch_at(Offset(70)), LeaderEpoch(7));
  EXPECT_EQ(LeaderEpochs().epoch_at(Offset(70)), kNoLeaderEpoch);
}

TEST(LeaderEpochs, TruncationForgetsEpochsWithoutRecords) {
  LeaderEpochs epochs = three_epochs();
  epochs.truncate(Offset(51));
  EXPECT_EQ(epochs.latest(), LeaderEpoch(7));
  epochs.truncate(Offset(50));
  EXPECT_EQ(epochs.latest(), LeaderEpoch(4));
  epochs.truncate(Offset(0));
  EXPECT_TRUE(epochs.rows().empty());
}

TEST(LeaderEpochs, TrimmingMovesTheFirstRowUp) {
  LeaderEpochs epochs = three_epochs();
  epochs.trim(Offset(30));
  ASSERT_EQ(epochs.rows().size(), 2u);
  EXPECT_EQ(epochs.rows()[0], (EpochStart{LeaderEpoch(4), Offset(30)}));
  epochs.trim(Offset(30));
  EXPECT_EQ(epochs.rows().size(), 2u);
}

TEST(LeaderEpochs, AnEpochThatTrimmingLeftWithoutRecordsGivesWayToTheNext) {
  LeaderEpochs epochs = three_epochs();
  epochs.trim(Offset(80));  // the log's end
  epochs.note(LeaderEpoch(8), Offset(80));
  ASSERT_EQ(epochs.rows().size(), 1u);
  EXPECT_EQ(epochs.rows()[0], (EpochStart{LeaderEpoch(8), Offset(80)}));
}

TEST(LeaderEpochs, SurvivesEncoding) {
  std::vector<std::byte> bytes;
  three_epochs().encode(bytes);
  bytes.push_back(std::byte{42});
  ByteView rest = bytes;
  const auto decoded = LeaderEpochs::decode(rest);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, three_epochs());
  EXPECT_EQ(rest.size(), 1u);
}

TEST(LeaderEpochs, RefusesMalformedTables) {
  std::vector<std::byte> bytes;
  three_epochs().encode(bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteView cut = ByteView(bytes).first(size);
    EXPECT_FALSE(LeaderEpochs::decode(cut).ok()) << size;
  }
  store_little(bytes.data() + 4 + 12, std::int32_t{1});  // the second row's epoch no longer rises
  ByteView rest = bytes;
  EXPECT_EQ(LeaderEpochs::decode(rest).error(), ErrorCode::kCorrupt);
  store_little(bytes.data(), std::uint32_t{0x40000000});  // far more rows than bytes
  rest = bytes;
  EXPECT_EQ(LeaderEpochs::decode(rest).error(), ErrorCode::kTruncated);
}

}  // namespace
}  // namespace pyralog::storage
