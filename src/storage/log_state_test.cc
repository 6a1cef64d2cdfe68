#include "storage/log_state.h"

#include <gtest/gtest.h>

#include <fstream>

#include "storage/log_fixture.h"

namespace pyralog::storage {
namespace {

using fixture::BatchSpec;
using fixture::TestBatch;

void apply(LogState& state, const BatchSpec& spec, std::int64_t segment = 0, std::int64_t now = 100) {
  state.apply(TestBatch(spec).view(), Offset(segment), WallTime{now});
}

std::vector<std::byte> encode(const LogState& state) {
  std::vector<std::byte> out;
  state.encode(out);
  return out;
}

LogState decode(ByteView bytes) {
  auto state = LogState::decode(bytes);
  EXPECT_TRUE(state.ok());
  EXPECT_TRUE(bytes.empty());
  return std::move(state).value();
}

LogState with_producers(int count, LogState state = {}) {
  for (int id = 0; id < count; ++id) {
    apply(state, {.base = state.log_end().value, .records = 2, .timestamp = 900 + id, .epoch = 5, .producer = id});
  }
  return state;
}

TEST(LogState, FollowsFromBatchHeaders) {
  LogState state;
  apply(state, {.base = 0, .records = 3, .timestamp = 500, .epoch = 2}, 0, 42);
  apply(state, {.base = 3, .records = 2, .timestamp = 400, .epoch = 3, .producer = 9}, 0, 43);
  EXPECT_EQ(state.log_end(), Offset(5));
  EXPECT_EQ(state.epochs().rows().size(), 2u);
  EXPECT_EQ(state.segment_peak(), (TimestampPeak{WallTime{502}, Offset(0)}));
  EXPECT_EQ(state.appended_at(), WallTime{43});
  EXPECT_EQ(state.segment_started_at(), WallTime{42});
  EXPECT_NE(state.producers().find(ProducerId(9)), nullptr);
}

TEST(LogState, ANewSegmentHasItsOwnPeak) {
  LogState state;
  apply(state, {.base = 0, .timestamp = 500}, 0);
  apply(state, {.base = 1, .timestamp = 300}, 1);
  EXPECT_EQ(state.segment_base(), Offset(1));
  EXPECT_EQ(state.segment_peak(), (TimestampPeak{WallTime{300}, Offset(1)}));
}

TEST(LogState, TruncationWithinTheSegmentKeepsAPeakThatRemains) {
  LogState state;
  apply(state, {.base = 0, .timestamp = 500});
  apply(state, {.base = 1, .timestamp = 400, .epoch = 2});
  state.truncate(Offset(1), Offset(0));
  EXPECT_EQ(state.log_end(), Offset(1));
  EXPECT_EQ(state.epochs().latest(), LeaderEpoch(1));
  EXPECT_TRUE(state.segment_peak_exact());
  state.truncate(Offset(0), Offset(0));
  EXPECT_FALSE(state.segment_peak_exact());
}

TEST(LogState, TruncationIntoAnEarlierSegmentAdmitsNotKnowingThePeak) {
  LogState state;
  apply(state, {.base = 0, .timestamp = 500}, 0);
  apply(state, {.base = 1, .timestamp = 400}, 0);
  apply(state, {.base = 2, .timestamp = 300}, 2);
  state.truncate(Offset(1), Offset(0));
  EXPECT_FALSE(state.segment_peak_exact());
  EXPECT_EQ(state.segment_base(), Offset(0));
  state.set_segment_peak({WallTime{500}, Offset(0)});
  EXPECT_TRUE(state.segment_peak_exact());
}

TEST(LogState, TruncationAboveTheEndDoesNothing) {
  LogState state;
  apply(state, {.base = 0, .timestamp = 500});
  const LogState before = state;
  state.truncate(Offset(1), Offset(0));
  EXPECT_EQ(state, before);
}

TEST(LogState, TruncationBeyondTheWindowDropsTheProducersUntilRebuilt) {
  LogState state;
  for (int i = 0; i < 8; ++i) apply(state, {.base = i, .producer = 1, .sequence = i});
  state.truncate(Offset(4), Offset(0));
  EXPECT_FALSE(state.producers_known());
  EXPECT_TRUE(state.producers().empty());
  apply(state, {.base = 4, .producer = 1, .sequence = 4});
  EXPECT_TRUE(state.producers().empty());  // a part of them would be worse than none
  state.set_producers({});
  EXPECT_TRUE(state.producers_known());
}

TEST(LogState, TrimmingBeyondTheEndEmptiesTheLogThere) {
  LogState state;
  apply(state, {.base = 0, .records = 5});
  state.trim(Offset(3));
  EXPECT_EQ(state.log_end(), Offset(5));
  EXPECT_EQ(state.epochs().rows()[0].start, Offset(3));
  state.trim(Offset(20));
  EXPECT_EQ(state.log_end(), Offset(20));
  EXPECT_EQ(state.segment_base(), Offset(20));
}

TEST(LogState, ProducersThatMayHaveGoneOnUnseenAreForgotten) {
  // A checkpoint, then batches whose segments were deleted before the crash, then one that is left.
  LogState state;
  apply(state, {.base = 0, .producer = 1, .sequence = 0});
  apply(state, {.base = 10, .producer = 2, .sequence = 0}, 10);
  EXPECT_EQ(state.producers().find(ProducerId(1)), nullptr);
  EXPECT_NE(state.producers().find(ProducerId(2)), nullptr);
  state.trim(Offset(50));
  EXPECT_TRUE(state.producers().empty());
}

TEST(LogState, ASnapshotBelowTheFirstSegmentThatStaysIsForgotten) {
  LogState state = with_producers(3);
  state.set_snapshot(Offset(1), 0);
  LogState same = state;
  same.drop_front(Offset(1), Offset(1));
  EXPECT_EQ(same.snapshot(), Offset(1));
  EXPECT_EQ(same.segment_base(), Offset(1));
  state.drop_front(state.log_end(), state.log_end());
  EXPECT_EQ(state.snapshot(), std::nullopt);
  EXPECT_EQ(state.segment_base(), state.log_end());
  EXPECT_EQ(state.producers().size(), 3u);
}

TEST(LogState, FewProducersAreStoredWithIt) {
  LogState state = with_producers(3);
  state.set_snapshot(Offset(4), state.bytes_since_snapshot());
  const auto bytes = encode(state);
  EXPECT_LE(bytes.size(), 256u);
  EXPECT_EQ(decode(bytes), state);
}

TEST(LogState, OneProducerTakesSomeTwoHundredBytes) {
  LogState state;
  for (int i = 0; i < 8; ++i) apply(state, {.base = i, .producer = 1, .sequence = i});
  EXPECT_LE(encode(state).size(), 240u);
}

TEST(LogState, ManyProducersAreStoredByReferenceOnceASnapshotExists) {
  LogState state = with_producers(100);
  EXPECT_EQ(decode(encode(state)), state);  // no file to refer to yet
  state.set_snapshot(Offset(150), state.bytes_since_snapshot());
  const auto bytes = encode(state);
  EXPECT_LE(bytes.size(), 100u);
  const LogState back = decode(bytes);
  EXPECT_FALSE(back.producers_known());
  EXPECT_EQ(back.snapshot(), Offset(150));
  EXPECT_EQ(back.log_end(), Offset(200));
  EXPECT_EQ(decode(encode(back)), back);
}

TEST(LogState, WhatWasAppendedWhileASnapshotWasWrittenIsNotCovered) {
  LogState state = with_producers(2);
  const std::uint64_t covered = state.bytes_since_snapshot();
  apply(state, {.base = 4, .records = 1});
  const std::uint64_t all = state.bytes_since_snapshot();
  state.set_snapshot(Offset(4), covered);
  EXPECT_EQ(state.bytes_since_snapshot(), all - covered);
}

TEST(LogState, ASnapshotAboveATruncationIsForgotten) {
  LogState state = with_producers(3);
  state.set_snapshot(Offset(4), state.bytes_since_snapshot());
  state.truncate(Offset(4), Offset(0));
  EXPECT_EQ(state.snapshot(), Offset(4));
  state.truncate(Offset(2), Offset(0));
  EXPECT_EQ(state.snapshot(), std::nullopt);
}

TEST(LogState, RefusesCutsAndForeignVersions) {
  const auto bytes = encode(with_producers(2));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteView cut = ByteView(bytes).first(size);
    EXPECT_FALSE(LogState::decode(cut).ok()) << size;
  }
  auto newer = bytes;
  newer[0] = std::byte{2};
  ByteView rest = newer;
  EXPECT_EQ(LogState::decode(rest).error(), ErrorCode::kUnsupportedVersion);
}

TEST(LogState, GoldenFileStillReads) {
  LogState state = with_producers(2);
  state.set_snapshot(Offset(2), state.bytes_since_snapshot());
  apply(state, {.base = 4, .records = 2, .timestamp = 77, .epoch = 6}, 4, 1'700'000'000'000);
  const auto bytes = encode(state);
  std::ifstream golden(PYRALOG_TESTDATA "/log_state_v1.bin", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(golden)), {});
  ASSERT_EQ(text.size(), bytes.size());
  EXPECT_EQ(text, as_text(bytes));
  EXPECT_EQ(decode(as_bytes(text)), state);
}

}  // namespace
}  // namespace pyralog::storage
