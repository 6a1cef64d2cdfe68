#include "record/record_iterator.h"

#include <gtest/gtest.h>

#include "record/batch_fixture.h"

/// Round trips are in `batch_builder_test.cc`, other programs' batches in `golden_test.cc`, agreement with the structure
/// check on damaged ones in `batch_check_test.cc`.
namespace pyralog::record {
namespace {

using fixture::batch_of;
using fixture::Bytes;
using fixture::poke;

struct Iterated {
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> timestamps;
  std::optional<ErrorCode> error;
};

Iterated iterate(const Bytes& bytes) {
  Decompressor decompressor;
  RecordIterator iterator = RecordIterator::open(BatchView::parse(bytes).value(), decompressor).value();
  Iterated found;
  for (RecordView record;;) {
    const auto more = iterator.next(record);
    if (!more.ok()) {
      found.error = more.error().code();
      EXPECT_EQ(fixture::code_of(iterator.next(record)), *found.error) << "an error does not go away";
      return found;
    }
    if (!*more) {
      EXPECT_FALSE(iterator.next(record).value()) << "nor does the end";
      return found;
    }
    found.offsets.push_back(record.offset.value);
    found.timestamps.push_back(record.timestamp.ms);
  }
}

TEST(RecordIterator, ReadsUncompressedRecordsInPlace) {
  const Bytes bytes = batch_of({"value"});
  Decompressor decompressor;
  RecordIterator iterator = RecordIterator::open(BatchView::parse(bytes).value(), decompressor).value();
  RecordView record;
  ASSERT_TRUE(iterator.next(record).value());
  EXPECT_GE(record.value->data(), bytes.data());
  EXPECT_LE(record.value->data() + record.value->size(), bytes.data() + bytes.size());
}

TEST(RecordIterator, GivesOffsetsFromTheStampedBase) {
  Bytes bytes = batch_of({"a", "b", "c"}, {.codec = Codec::kSnappy});
  MutableBatch::parse(bytes).value().stamp(Offset(5'000'000'000), LeaderEpoch(1));
  EXPECT_EQ(iterate(bytes).offsets, (std::vector<std::int64_t>{5'000'000'000, 5'000'000'001, 5'000'000'002}));
}

TEST(RecordIterator, GivesTheAppendTimeWhereThatCounts) {
  Bytes bytes = batch_of({"a", "b"});
  EXPECT_EQ(iterate(bytes).timestamps, (std::vector<std::int64_t>{1000, 1001}));
  MutableBatch::parse(bytes).value().set_log_append_time(WallTime{77});
  EXPECT_EQ(iterate(bytes).timestamps, (std::vector<std::int64_t>{77, 77}));
}

TEST(RecordIterator, SkipsOffsetsThatCompactionRemoved) {
  // Two records without key or value, deltas 2 and 6.
  const Bytes records = fixture::from_hex("0c000004010100" "0c00000c010100");
  Bytes bytes = fixture::batch_around(records, 2);
  poke(bytes, format::kLastOffsetDeltaAt, std::int32_t{9});
  const Iterated found = iterate(bytes);
  EXPECT_EQ(found.offsets, (std::vector<std::int64_t>{2, 6}));
  EXPECT_FALSE(found.error.has_value());

  Bytes emptied = fixture::batch_around({}, 0);
  poke(emptied, format::kLastOffsetDeltaAt, std::int32_t{9});
  EXPECT_TRUE(iterate(emptied).offsets.empty());
  EXPECT_FALSE(iterate(emptied).error.has_value());
}

TEST(RecordIterator, YieldsTheSoundRecordsBeforeABadOne) {
  Bytes more = batch_of({"a", "b"});
  poke(more, format::kRecordsCountAt, std::int32_t{3});
  EXPECT_EQ(iterate(more).offsets.size(), 2u);
  EXPECT_EQ(iterate(more).error, ErrorCode::kInvalidRecord);

  Bytes fewer = batch_of({"a", "b"});
  poke(fewer, format::kRecordsCountAt, std::int32_t{1});
  EXPECT_EQ(iterate(fewer).offsets.size(), 1u);
  EXPECT_EQ(iterate(fewer).error, ErrorCode::kInvalidRecord);

  Bytes beyond = batch_of({"a", "b"});
  poke(beyond, format::kLastOffsetDeltaAt, std::int32_t{0});
  EXPECT_EQ(iterate(beyond).offsets.size(), 1u);
  EXPECT_EQ(iterate(beyond).error, ErrorCode::kInvalidRecord);
}

TEST(RecordIterator, RefusesTimestampsThatOverflow) {
  Bytes bytes = batch_of({"a", "b"});
  poke(bytes, format::kBaseTimestampAt, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(iterate(bytes).offsets.size(), 1u);
  EXPECT_EQ(iterate(bytes).error, ErrorCode::kInvalidRecord);
}

TEST(RecordIterator, ReportsWhatCannotBeOpened) {
  Decompressor decompressor;
  const Bytes garbage = fixture::batch_around(as_bytes("garbage"), 1, Codec::kGzip);
  EXPECT_EQ(fixture::code_of(RecordIterator::open(BatchView::parse(garbage).value(), decompressor)), ErrorCode::kCorrupt);
  const Bytes unknown = fixture::batch_around(as_bytes("garbage"), 1, static_cast<Codec>(6));
  EXPECT_EQ(fixture::code_of(RecordIterator::open(BatchView::parse(unknown).value(), decompressor)),
            ErrorCode::kUnsupportedCodec);
}

}  // namespace
}  // namespace pyralog::record
