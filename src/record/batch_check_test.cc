#include "record/batch_check.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "core/random.h"
#include "record/batch_fixture.h"
#include "record/record_iterator.h"

namespace pyralog::record {
namespace {

using fixture::batch_around;
using fixture::batch_of;
using fixture::Bytes;
using fixture::poke;
using fixture::put_varint;
using fixture::seal;

std::expected<BatchFacts, BatchFault> check(const Bytes& bytes, const CheckOptions& options = {}) {
  Decompressor decompressor;
  const BatchView batch = BatchView::parse(bytes).value();
  EXPECT_TRUE(batch.verify_crc().ok()) << "the check comes after the CRC";
  return check_structure(batch, options, decompressor);
}

BatchFacts facts_of(const Bytes& bytes, const CheckOptions& options = {}) {
  const auto facts = check(bytes, options);
  PYRALOG_ASSERT(facts.has_value(), facts ? "" : facts.error().reason);
  return *facts;
}

void expect_fault(const Bytes& bytes, ErrorCode code, std::int32_t record_index, const CheckOptions& options = {}) {
  const auto checked = check(bytes, options);
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(error_name(checked.error().code), error_name(code)) << checked.error().reason;
  EXPECT_EQ(checked.error().record_index, record_index) << checked.error().reason;
  EXPECT_FALSE(std::string_view(checked.error().reason).empty());
  EXPECT_EQ(checked.error().to_error().code(), code);
}

/// The fields of a record as numbers and raw bytes, so that each can be wrong.
struct RawRecord {
  std::optional<std::int32_t> length;  // absent: the right one
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::int32_t key_bytes = 1;
  std::string key = "k";
  std::int32_t value_bytes = 1;
  std::string value = "v";
  std::int32_t header_count = 0;
  std::string rest;  // headers, or what should not be there
};

void put_text(Bytes& bytes, const std::string& text) {
  const ByteView view = as_bytes(text);
  bytes.insert(bytes.end(), view.begin(), view.end());
}

Bytes raw_records(const std::vector<RawRecord>& records) {
  Bytes all;
  for (const RawRecord& record : records) {
    Bytes body{std::byte{0}};
    put_varint(body, record.timestamp_delta);
    put_varint(body, record.offset_delta);
    put_varint(body, record.key_bytes);
    put_text(body, record.key);
    put_varint(body, record.value_bytes);
    put_text(body, record.value);
    put_varint(body, record.header_count);
    put_text(body, record.rest);
    put_varint(all, record.length.value_or(static_cast<std::int32_t>(body.size())));
    all.insert(all.end(), body.begin(), body.end());
  }
  return all;
}

/// A sound record, then `bad` as record 1, then a sound one.
Bytes with_bad_record(RawRecord bad) {
  if (bad.offset_delta == 0) bad.offset_delta = 1;
  return batch_around(raw_records({{}, bad, {.offset_delta = 2}}), 3);
}

TEST(CheckStructure, AcceptsSoundBatchesAndReportsWhatItFound) {
  const auto facts = check(batch_around(raw_records({{.timestamp_delta = 5},
                                                     {.timestamp_delta = -7, .offset_delta = 1, .key_bytes = -1, .key = ""},
                                                     {.timestamp_delta = 9, .offset_delta = 2},
                                                     {.timestamp_delta = 3, .offset_delta = 3}}),
                                        4));
  ASSERT_TRUE(facts.has_value()) << facts.error().reason;
  EXPECT_EQ(facts->records_count, 4);
  EXPECT_EQ(facts->max_timestamp, WallTime{1009});
  EXPECT_TRUE(facts->records_walked);
  EXPECT_EQ(facts->null_key_count, 1);
}

TEST(CheckStructure, NamesTheFirstMalformedRecord) {
  const std::int32_t huge = std::numeric_limits<std::int32_t>::max();
  const std::vector<RawRecord> bad = {
      {.length = -1},
      {.length = 0},
      {.length = 5},
      {.length = huge},
      {.length = 7},   // one short: the next record starts inside this one
      {.length = 9},   // one long
      {.offset_delta = 5},
      {.offset_delta = -1},
      {.key_bytes = -2},
      {.key_bytes = 4},
      {.key_bytes = huge},
      {.value_bytes = -2},
      {.value_bytes = 3},
      {.value_bytes = huge},
      {.header_count = -1},
      {.header_count = 1},
      {.header_count = huge},
      {.header_count = 2, .rest = std::string("\0\1\0", 3)},   // the second header has no value length
      {.header_count = 1, .rest = std::string("\1\1", 2)},     // null header key
      {.header_count = 2, .rest = std::string("\1\4ab\1", 5)},  // the same, where stepping back would make it fit
      {.header_count = 1, .rest = std::string("\4k\1", 3)},    // header key longer than the rest
      {.header_count = 1, .rest = std::string("\2k\3", 3)},    // header value length -2
      {.header_count = 1, .rest = std::string("\2k\4v", 4)},   // header value longer than the rest
      {.rest = "x"},                                           // excess byte
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(i);
    expect_fault(with_bad_record(bad[i]), ErrorCode::kInvalidRecord, 1);
  }
}

TEST(CheckStructure, RefusesRecordsCutAtEveryByte) {
  const Bytes records = raw_records({{}, {.offset_delta = 1, .header_count = 1, .rest = std::string("\2h\2v", 4)}});
  ASSERT_TRUE(check(batch_around(records, 2)).has_value());
  for (std::size_t cut = 0; cut < records.size(); ++cut) {
    SCOPED_TRACE(cut);
    expect_fault(batch_around(ByteView(records).first(cut), 2), ErrorCode::kInvalidRecord, cut < 9 ? 0 : 1);
  }
}

TEST(CheckStructure, RefusesCountsThatDisagree) {
  const Bytes two = batch_of({"a", "b"});
  const auto with = [&](std::int32_t count, std::int32_t last_delta) {
    Bytes bytes = two;
    poke(bytes, format::kRecordsCountAt, count);
    poke(bytes, format::kLastOffsetDeltaAt, last_delta);
    seal(bytes);
    return bytes;
  };
  expect_fault(with(3, 2), ErrorCode::kInvalidRecord, 2);    // one more than there are
  expect_fault(with(1, 0), ErrorCode::kInvalidRecord, -1);   // one fewer: bytes are left
  expect_fault(with(2, 2), ErrorCode::kInvalidRecord, -1);   // count and delta disagree
  expect_fault(with(2, 0), ErrorCode::kInvalidRecord, -1);
  expect_fault(with(0, 0), ErrorCode::kInvalidRecord, -1);   // no records
  const std::int32_t huge = std::numeric_limits<std::int32_t>::max();
  expect_fault(with(huge, huge - 1), ErrorCode::kInvalidRecord, 2);
}

TEST(CheckStructure, RefusesWhatClientsMustNotSend) {
  const auto with = [](std::int16_t attributes, std::int64_t producer, std::int16_t epoch, std::int32_t sequence) {
    Bytes bytes = batch_of({"a"});
    poke(bytes, format::kAttributesAt, attributes);
    poke(bytes, format::kProducerIdAt, producer);
    poke(bytes, format::kProducerEpochAt, epoch);
    poke(bytes, format::kBaseSequenceAt, sequence);
    seal(bytes);
    return bytes;
  };
  expect_fault(with(format::kControlBit, -1, -1, -1), ErrorCode::kInvalidRecord, -1);
  expect_fault(with(format::kControlBit | format::kTransactionalBit, 1, 1, 1), ErrorCode::kInvalidRecord, -1);
  expect_fault(with(format::kDeleteHorizonBit, -1, -1, -1), ErrorCode::kInvalidRecord, -1);
  expect_fault(with(format::kTransactionalBit, -1, -1, -1), ErrorCode::kInvalidRecord, -1);
  expect_fault(with(0, -2, 0, 0), ErrorCode::kInvalidRecord, -1);
  expect_fault(with(0, 5, -1, 0), ErrorCode::kInvalidRecord, -1);
  expect_fault(with(0, 5, 0, -1), ErrorCode::kInvalidRecord, -1);
  EXPECT_TRUE(check(with(0, 5, 0, 0)).has_value());
  EXPECT_TRUE(check(with(format::kTransactionalBit, 5, 0, 7)).has_value());
  for (std::int16_t codec = 5; codec <= 7; ++codec)
    expect_fault(with(codec, -1, -1, -1), ErrorCode::kUnsupportedCodec, -1);

  Bytes based = batch_of({"a"}, {.base_offset = Offset(1)});
  expect_fault(based, ErrorCode::kInvalidRecord, -1);
}

TEST(CheckStructure, TakesFromTheLogWhatALeaderMayWrite) {
  const CheckOptions log{.origin = BatchOrigin::kLog};
  EXPECT_TRUE(check(batch_of({"a"}, {.base_offset = Offset(90), .producer_id = ProducerId(1), .control = true}), log));

  const Bytes compacted_records = raw_records({{.offset_delta = 2}, {.timestamp_delta = 4, .offset_delta = 5}});
  Bytes compacted = batch_around(compacted_records, 2);
  poke(compacted, format::kLastOffsetDeltaAt, std::int32_t{9});
  poke(compacted, format::kAttributesAt, format::kDeleteHorizonBit);
  poke(compacted, format::kMaxTimestampAt, std::int64_t{77});
  seal(compacted);
  const auto facts = check(compacted, log);
  ASSERT_TRUE(facts.has_value()) << facts.error().reason;
  EXPECT_EQ(facts->records_count, 2);
  EXPECT_EQ(facts->max_timestamp, WallTime{77}) << "of a stored batch the header counts";

  Bytes empty = batch_around({}, 0);
  poke(empty, format::kLastOffsetDeltaAt, std::int32_t{4});
  seal(empty);
  EXPECT_TRUE(check(empty, log).has_value());

  Bytes beyond = compacted;
  poke(beyond, format::kLastOffsetDeltaAt, std::int32_t{4});
  seal(beyond);
  expect_fault(beyond, ErrorCode::kInvalidRecord, 1, log);
  expect_fault(batch_around(raw_records({{.offset_delta = 1}, {.offset_delta = 1}}), 2), ErrorCode::kInvalidRecord, 1, log);
  Bytes crowded = batch_of({"a", "b"});
  poke(crowded, format::kLastOffsetDeltaAt, std::int32_t{0});
  seal(crowded);
  expect_fault(crowded, ErrorCode::kInvalidRecord, -1, log);
}

TEST(CheckStructure, RefusesNullKeysWhereKeysMatter) {
  const Bytes records = raw_records({{}, {.offset_delta = 1}, {.offset_delta = 2, .key_bytes = -1, .key = ""}});
  const CheckOptions keyed{.null_keys = NullKeys::kRefused};
  const Bytes plain = batch_around(records, 3);
  EXPECT_EQ(facts_of(plain).null_key_count, 1);
  expect_fault(plain, ErrorCode::kInvalidRecord, 2, keyed);

  ByteBuffer compressed;
  ASSERT_TRUE(Compressor().compress(Codec::kLz4, records, compressed).ok());
  const Bytes opened = batch_around(compressed.view(), 3, Codec::kLz4);
  EXPECT_FALSE(facts_of(opened).records_walked);
  expect_fault(opened, ErrorCode::kInvalidRecord, 2, keyed);
}

TEST(CheckStructure, ComparesTimestampsWithTheBounds) {
  const Bytes bytes = batch_around(raw_records({{}, {.timestamp_delta = 10, .offset_delta = 1},
                                                {.timestamp_delta = -1001, .offset_delta = 2}}),
                                   3);  // 1000, 1010, none
  EXPECT_TRUE(check(bytes, {.timestamp_min = WallTime{1000}, .timestamp_max = WallTime{1010}}).has_value());
  expect_fault(bytes, ErrorCode::kInvalidTimestamp, 1, {.timestamp_max = WallTime{1009}});
  expect_fault(bytes, ErrorCode::kInvalidTimestamp, 0, {.timestamp_min = WallTime{1001}});
  EXPECT_TRUE(check(bytes, {.timestamp_type = TimestampType::kLogAppendTime, .timestamp_max = WallTime{5}}).has_value());
  EXPECT_TRUE(check(bytes, {.origin = BatchOrigin::kLog, .timestamp_max = WallTime{5}}).has_value());
}

TEST(CheckStructure, RefusesTimestampsThatOverflow) {
  constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  const auto with = [](std::int64_t base, std::int64_t delta) {
    Bytes bytes = batch_around(raw_records({{.timestamp_delta = delta}}), 1);
    poke(bytes, format::kBaseTimestampAt, base);
    seal(bytes);
    return bytes;
  };
  EXPECT_EQ(facts_of(with(5, kHighest - 5)).max_timestamp, WallTime{kHighest});
  EXPECT_EQ(facts_of(with(-5, kLowest + 5)).max_timestamp, WallTime{kLowest});
  for (const BatchOrigin origin : {BatchOrigin::kClient, BatchOrigin::kLog}) {
    expect_fault(with(5, kHighest - 4), ErrorCode::kInvalidTimestamp, 0, {.origin = origin});
    expect_fault(with(-5, kLowest + 4), ErrorCode::kInvalidTimestamp, 0, {.origin = origin});
    expect_fault(with(kLowest, -1), ErrorCode::kInvalidTimestamp, 0, {.origin = origin});
  }
}

TEST(CheckStructure, FindsTheRightMaxTimestampForCorrection) {
  Bytes bytes = batch_of({"a", "b", "c"});
  poke(bytes, format::kMaxTimestampAt, std::int64_t{999'999});
  seal(bytes);
  const auto facts = check(bytes);
  EXPECT_EQ(facts->max_timestamp, WallTime{1002});
  MutableBatch::parse(bytes).value().set_create_time(facts->max_timestamp);
  EXPECT_EQ(bytes, batch_of({"a", "b", "c"}));
}

TEST(CheckStructure, JudgesTheAppendTimeBitByTheLogsSetting) {
  Bytes bytes = batch_of({"a", "b"});
  MutableBatch::parse(bytes).value().set_log_append_time(WallTime{123'456});
  expect_fault(bytes, ErrorCode::kInvalidTimestamp, -1, {.timestamp_type = TimestampType::kLogAppendTime});
  const auto facts = check(bytes);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->max_timestamp, WallTime{1001}) << "for the caller to clear the bit";
  EXPECT_EQ(facts_of(bytes, {.origin = BatchOrigin::kLog}).max_timestamp, WallTime{123'456});
}

TEST(CheckStructure, OpensCompressedBatchesOnlyWhereNeeded) {
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    SCOPED_TRACE(static_cast<int>(codec));
    const Bytes sound = batch_of({"a", "b"}, {.codec = codec});
    EXPECT_FALSE(facts_of(sound).records_walked);
    EXPECT_EQ(facts_of(sound).max_timestamp, WallTime{1001});
    EXPECT_TRUE(facts_of(sound, {.validation = RecordValidation::kFull}).records_walked);
    expect_fault(sound, ErrorCode::kInvalidTimestamp, 1, {.timestamp_max = WallTime{1000}});
    expect_fault(sound, ErrorCode::kInvalidTimestamp, 0, {.timestamp_min = WallTime{1001}});

    Bytes liar = sound;
    poke(liar, format::kMaxTimestampAt, std::int64_t{3});  // before the first record
    seal(liar);
    EXPECT_EQ(facts_of(liar).max_timestamp, WallTime{1001});

    const Bytes garbage = batch_around(as_bytes("this is in no codec's format"), 1, codec);
    EXPECT_TRUE(check(garbage).has_value());
    expect_fault(garbage, ErrorCode::kInvalidRecord, -1, {.validation = RecordValidation::kFull});

    ByteBuffer inner;
    ASSERT_TRUE(Compressor().compress(codec, raw_records({{}, {.offset_delta = 3}}), inner).ok());
    expect_fault(batch_around(inner.view(), 2, codec), ErrorCode::kInvalidRecord, 1,
                 {.validation = RecordValidation::kFull});
  }
}

TEST(CheckStructure, RefusesDecompressionBombs) {
  const std::string zeroes(70u << 20, '\0');
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    SCOPED_TRACE(static_cast<int>(codec));
    ByteBuffer bomb;
    ASSERT_TRUE(Compressor().compress(codec, as_bytes(zeroes), bomb).ok());
    expect_fault(batch_around(bomb.view(), 1, codec), ErrorCode::kTooLarge, -1, {.validation = RecordValidation::kFull});
  }
}

/// Whatever happens to a batch's bytes, the check and the iterator agree on whether it can be read.
TEST(CheckStructure, AgreesWithTheIteratorOnDamagedBatches) {
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    Random random(seed);
    Bytes bytes = batch_of({"first", "", "third value", "4"}, {.codec = random.chance(1, 4) ? Codec::kLz4 : Codec::kNone});
    for (std::uint64_t left = random.between(1, 3); left > 0; --left)
      bytes[random.between(format::kLastOffsetDeltaAt, bytes.size() - 1)] = static_cast<std::byte>(random.next());
    seal(bytes);
    const auto view = BatchView::parse(bytes);
    if (!view.ok()) continue;
    const auto checked = check(bytes, {.validation = RecordValidation::kFull, .origin = BatchOrigin::kLog});

    Decompressor decompressor;
    auto iterator = RecordIterator::open(*view, decompressor);
    bool readable = iterator.ok();
    std::int32_t count = 0;
    for (RecordView record; readable;) {
      const auto more = iterator->next(record);
      if (!more.ok()) readable = false;
      if (!more.ok() || !*more) break;
      ++count;
    }
    EXPECT_EQ(checked.has_value(), readable) << "seed " << seed << (checked ? "" : checked.error().reason);
    if (checked) {
      EXPECT_EQ(count, checked->records_count) << seed;
    }
    refused += checked ? 0 : 1;
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace pyralog::record
