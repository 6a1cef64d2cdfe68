#include "record/batch_view.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/checksum.h"
#include "record/batch_fixture.h"
#include "record/batch_splitter.h"
#include "record/mutable_batch.h"

namespace pyralog::record {
namespace {

using fixture::batch_of;
using fixture::Bytes;
using fixture::poke;

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

ErrorCode parse_error(const Bytes& bytes) { return fixture::code_of(BatchView::parse(bytes)); }

TEST(BatchView, ReadsEachField) {
  Bytes bytes = batch_of({"a", "bc", "def"}, {.base_offset = Offset(7),
                                              .leader_epoch = LeaderEpoch(9),
                                              .producer_id = ProducerId(1'000'000'000'007),
                                              .producer_epoch = ProducerEpoch(5),
                                              .base_sequence = 2147483646,
                                              .transactional = true});
  const BatchView view = BatchView::parse(bytes).value();
  EXPECT_EQ(view.batch_bytes(), bytes.size());
  EXPECT_EQ(view.base_offset(), Offset(7));
  EXPECT_EQ(view.last_offset_delta(), 2);
  EXPECT_EQ(view.last_offset(), Offset(9));
  EXPECT_EQ(view.end_offset(), Offset(10));
  EXPECT_EQ(view.leader_epoch(), LeaderEpoch(9));
  EXPECT_EQ(view.crc(), crc32c(ByteView(bytes).subspan(21)));
  EXPECT_EQ(view.attributes(), 0x10);
  EXPECT_EQ(view.codec(), Codec::kNone);
  EXPECT_EQ(view.timestamp_type(), TimestampType::kCreateTime);
  EXPECT_TRUE(view.is_transactional());
  EXPECT_FALSE(view.is_control());
  EXPECT_FALSE(view.has_delete_horizon());
  EXPECT_EQ(view.base_timestamp(), WallTime{1000});
  EXPECT_EQ(view.max_timestamp(), WallTime{1002});
  EXPECT_EQ(view.producer_id(), ProducerId(1'000'000'000'007));
  EXPECT_EQ(view.producer_epoch(), ProducerEpoch(5));
  EXPECT_EQ(view.base_sequence(), 2147483646);
  EXPECT_EQ(view.last_sequence(), 0) << "2^31 - 2, 2^31 - 1, 0";
  EXPECT_EQ(view.records_count(), 3);
  EXPECT_EQ(view.bytes().data(), bytes.data()) << "nothing is copied";
  EXPECT_EQ(view.payload().size(), bytes.size() - 61);
  EXPECT_TRUE(view.verify_crc().ok());
}

TEST(BatchView, ReadsAttributeBits) {
  Bytes bytes = batch_of({"a"});
  poke(bytes, format::kAttributesAt, std::int16_t{0x6C});
  const BatchView view = BatchView::parse(bytes).value();
  EXPECT_EQ(view.codec(), Codec::kZstd);
  EXPECT_EQ(view.timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_FALSE(view.is_transactional());
  EXPECT_TRUE(view.is_control());
  EXPECT_TRUE(view.has_delete_horizon());
  EXPECT_EQ(view.last_sequence(), kNoSequence);
}

TEST(BatchView, RefusesEveryCutAsTruncated) {
  const Bytes bytes = batch_of({"first", "second"});
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    // A copy of its own, so that the sanitizer sees a read beyond the cut.
    const Bytes piece(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
    EXPECT_EQ(parse_error(piece), ErrorCode::kTruncated) << cut;
    EXPECT_EQ(fixture::code_of(BatchView::parse_only(piece, kNoLimit)), ErrorCode::kCorrupt) << cut;
    EXPECT_EQ(BatchHeader::parse(piece).ok(), cut >= format::kHeaderBytes) << cut;
  }
}

TEST(BatchView, RefusesLengthsBelowTheHeader) {
  for (const std::int32_t length : {std::numeric_limits<std::int32_t>::min(), -1, 0, 1, 13, 14, 48}) {
    Bytes bytes = batch_of({"a"});
    poke(bytes, format::kBatchLengthAt, length);
    EXPECT_EQ(parse_error(bytes), ErrorCode::kCorrupt) << length;
  }
  Bytes bytes = batch_of({"a"});
  poke(bytes, format::kBatchLengthAt, std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(parse_error(bytes), ErrorCode::kTruncated);
}

TEST(BatchView, TellsOldMagicFromDamage) {
  for (int magic = -128; magic < 128; ++magic) {
    if (magic == 2) continue;
    Bytes bytes = batch_of({"a"});
    poke(bytes, format::kMagicAt, static_cast<std::int8_t>(magic));
    const bool old = magic == 0 || magic == 1;
    EXPECT_EQ(parse_error(bytes), old ? ErrorCode::kInvalidRecord : ErrorCode::kCorrupt) << magic;
  }
  // A message of magic 1 with an empty value: 22 bytes after the length, fewer than any batch of magic 2.
  Bytes bytes(34);
  poke(bytes, format::kBatchLengthAt, std::int32_t{22});
  poke(bytes, format::kMagicAt, std::int8_t{1});
  EXPECT_EQ(parse_error(bytes), ErrorCode::kInvalidRecord);
}

TEST(BatchView, RefusesOffsetsThatOverflow) {
  const auto with = [](std::size_t at, auto value) {
    Bytes bytes = batch_of({"a"});
    poke(bytes, at, value);
    return bytes;
  };
  EXPECT_EQ(parse_error(with(format::kBaseOffsetAt, std::int64_t{-1})), ErrorCode::kInvalidRecord);
  EXPECT_EQ(parse_error(with(format::kBaseOffsetAt, std::numeric_limits<std::int64_t>::max())),
            ErrorCode::kInvalidRecord);
  EXPECT_EQ(parse_error(with(format::kLastOffsetDeltaAt, std::int32_t{-1})), ErrorCode::kInvalidRecord);
  EXPECT_EQ(parse_error(with(format::kRecordsCountAt, std::int32_t{-1})), ErrorCode::kInvalidRecord);

  Bytes last = with(format::kBaseOffsetAt, std::numeric_limits<std::int64_t>::max() - (std::int64_t{1} << 31));
  poke(last, format::kLastOffsetDeltaAt, std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(BatchView::parse(last).value().end_offset(), Offset(std::numeric_limits<std::int64_t>::max()));
}

TEST(BatchView, ParseOnlyRefusesWhatFollowsAndWhatIsTooLarge) {
  Bytes bytes = batch_of({"a"});
  EXPECT_TRUE(BatchView::parse_only(bytes, bytes.size()).ok());
  EXPECT_EQ(fixture::code_of(BatchView::parse_only(bytes, bytes.size() - 1)), ErrorCode::kTooLarge);
  bytes.push_back(std::byte{0});
  EXPECT_EQ(fixture::code_of(BatchView::parse_only(bytes, kNoLimit)), ErrorCode::kInvalidRecord);
  EXPECT_TRUE(BatchView::parse(bytes).ok());
}

TEST(BatchView, CrcCoversEverythingFromTheAttributesOn) {
  const Bytes bytes = batch_of({"first", "second"});
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    Bytes damaged = bytes;
    damaged[at] ^= std::byte{0x01};
    const auto view = BatchView::parse(damaged);
    if (!view.ok()) continue;
    const bool covered = at >= format::kCrcAt;
    EXPECT_EQ(view->verify_crc().ok(), !covered) << at;
    if (covered) {
      EXPECT_EQ(fixture::code_of(view->verify_crc()), ErrorCode::kCorrupt);
    }
  }
}

TEST(Sequence, WrapsToZero) {
  EXPECT_EQ(sequence_after(0, 1), 1);
  EXPECT_EQ(sequence_after(2147483647, 1), 0);
  EXPECT_EQ(sequence_after(2147483640, 10), 2);
  EXPECT_EQ(sequence_after(2147483647, 2147483647), 2147483646);
}

TEST(MutableBatch, StampsWithoutTouchingTheCrc) {
  Bytes bytes = batch_of({"a", "b"});
  MutableBatch batch = MutableBatch::parse(bytes).value();
  batch.stamp(Offset(1'000'000), LeaderEpoch(12));
  EXPECT_EQ(batch.view().base_offset(), Offset(1'000'000));
  EXPECT_EQ(batch.view().last_offset(), Offset(1'000'001));
  EXPECT_EQ(batch.view().leader_epoch(), LeaderEpoch(12));
  EXPECT_TRUE(BatchView::parse(bytes).value().verify_crc().ok());
  EXPECT_EQ(batch.view().crc(), BatchView::parse(batch_of({"a", "b"})).value().crc());
}

TEST(MutableBatch, SetsAndClearsLogAppendTime) {
  Bytes bytes = batch_of({"a", "b"}, {.producer_id = ProducerId(4), .transactional = true});
  const Bytes original = bytes;
  MutableBatch batch = MutableBatch::parse(bytes).value();
  batch.set_log_append_time(WallTime{5'000'000});
  EXPECT_EQ(batch.view().timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_EQ(batch.view().max_timestamp(), WallTime{5'000'000});
  EXPECT_EQ(batch.view().base_timestamp(), WallTime{1000}) << "deltas stay as they are";
  EXPECT_TRUE(batch.view().is_transactional());
  EXPECT_TRUE(batch.view().verify_crc().ok());
  EXPECT_NE(bytes, original);
  batch.set_create_time(WallTime{1001});
  EXPECT_EQ(bytes, original);
}

TEST(BatchSplitter, WalksBatchesOneAfterAnother) {
  Bytes all;
  std::vector<std::size_t> starts;
  for (int i = 0; i < 4; ++i) {
    starts.push_back(all.size());
    const Bytes one = batch_of({"a", "b"}, {.base_offset = Offset(2 * i)});
    all.insert(all.end(), one.begin(), one.end());
  }
  BatchSplitter splitter(all);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(splitter.position(), starts[i]);
    const auto batch = splitter.next().value();
    ASSERT_TRUE(batch.has_value());
    EXPECT_EQ(batch->base_offset(), Offset(2 * i));
  }
  EXPECT_FALSE(splitter.next().value().has_value());
  EXPECT_EQ(splitter.position(), all.size());
}

TEST(BatchSplitter, StopsBeforeACutBatchAtEveryByte) {
  const Bytes first = batch_of({"a"});
  const Bytes second = batch_of({"b"});
  Bytes all = first;
  all.insert(all.end(), second.begin(), second.end());
  for (std::size_t cut = first.size() + 1; cut < all.size(); ++cut) {
    const Bytes piece(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(cut));
    BatchSplitter splitter(piece);
    EXPECT_TRUE(splitter.next().value().has_value());
    for (int again = 0; again < 2; ++again) {
      EXPECT_EQ(fixture::code_of(splitter.next()), ErrorCode::kTruncated) << cut;
      EXPECT_EQ(splitter.position(), first.size());
    }
  }
}

TEST(BatchSplitter, ReportsDamageAndZeroesAsCorrupt) {
  Bytes all = batch_of({"a"});
  const std::size_t first_bytes = all.size();
  all.resize(first_bytes + 4096);
  BatchSplitter splitter(all);
  EXPECT_TRUE(splitter.next().value().has_value());
  EXPECT_EQ(fixture::code_of(splitter.next()), ErrorCode::kCorrupt);
  EXPECT_EQ(splitter.position(), first_bytes);
}

}  // namespace
}  // namespace pyralog::record
