#include "record/batch_builder.h"

#include <gtest/gtest.h>

#include <string>

#include "core/random.h"
#include "record/batch_check.h"
#include "record/batch_fixture.h"
#include "record/record_iterator.h"

namespace pyralog::record {
namespace {

using fixture::Bytes;
using fixture::bytes_of;

constexpr Codec kCodecs[] = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};

/// A record that owns its parts, to compare with what comes back.
struct OwnedRecord {
  std::int64_t timestamp_ms;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;

  friend bool operator==(const OwnedRecord&, const OwnedRecord&) = default;
};

std::optional<ByteView> view_of(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return as_bytes(*text);
}
std::optional<std::string> text_of(const std::optional<ByteView>& bytes) {
  if (!bytes) return std::nullopt;
  return std::string(as_text(*bytes));
}

Result<> append(BatchBuilder& builder, const OwnedRecord& record) {
  std::vector<HeaderInput> headers;
  for (const auto& [key, value] : record.headers) headers.push_back({.key = key, .value = view_of(value)});
  const RecordInput input{.timestamp = WallTime{record.timestamp_ms},
                          .key = view_of(record.key),
                          .value = view_of(record.value),
                          .headers = headers};
  const std::size_t before = builder.bytes_uncompressed();
  auto appended = builder.append(input);
  EXPECT_LE(builder.bytes_uncompressed() - before, BatchBuilder::record_bytes_max(input));
  return appended;
}

std::vector<OwnedRecord> read_back(const BatchView& batch) {
  Decompressor decompressor;
  RecordIterator iterator = RecordIterator::open(batch, decompressor).value();
  std::vector<OwnedRecord> records;
  for (RecordView record; iterator.next(record).value();) {
    EXPECT_EQ(record.offset, batch.base_offset() + OffsetDelta(static_cast<std::int64_t>(records.size())));
    OwnedRecord owned{record.timestamp.ms, text_of(record.key), text_of(record.value), {}};
    for (const HeaderView& header : record.headers)
      owned.headers.emplace_back(std::string(header.key), text_of(header.value));
    EXPECT_EQ(static_cast<std::int32_t>(owned.headers.size()), record.headers.count());
    records.push_back(std::move(owned));
  }
  return records;
}

std::optional<std::string> random_text(Random& random, std::size_t bytes_max) {
  if (random.chance(1, 5)) return std::nullopt;
  std::string text(random.chance(1, 8) ? 0 : random.below(bytes_max), '\0');
  for (char& c : text) c = static_cast<char>(random.chance(1, 2) ? 'a' : random.next());
  return text;
}

OwnedRecord random_record(Random& random) {
  OwnedRecord record{static_cast<std::int64_t>(1'700'000'000'000 + random.below(10'000)) - 5'000,
                     random_text(random, 40), random_text(random, random.chance(1, 20) ? 70'000 : 300), {}};
  for (std::uint64_t left = random.chance(1, 4) ? random.below(5) : 0; left > 0; --left)
    record.headers.emplace_back(random_text(random, 20).value_or(""), random_text(random, 30));
  return record;
}

TEST(BatchBuilder, RoundTripsRandomRecordsWithEachCodec) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    std::vector<OwnedRecord> records(random.between(1, 60));
    for (OwnedRecord& record : records) record = random_record(random);
    for (const Codec codec : kCodecs) {
      BatchBuilder builder({.codec = codec, .base_offset = Offset(static_cast<std::int64_t>(random.below(1u << 30)))});
      std::int64_t max_timestamp = records.front().timestamp_ms;
      for (const OwnedRecord& record : records) {
        ASSERT_TRUE(append(builder, record).ok());
        max_timestamp = std::max(max_timestamp, record.timestamp_ms);
      }
      EXPECT_EQ(builder.records_count(), static_cast<std::int32_t>(records.size()));
      const Bytes bytes = bytes_of(builder.finish().value());
      const BatchView batch = BatchView::parse_only(bytes, bytes.size()).value();
      EXPECT_TRUE(batch.verify_crc().ok());
      EXPECT_EQ(batch.codec(), codec);
      EXPECT_EQ(batch.max_timestamp(), WallTime{max_timestamp});
      EXPECT_EQ(read_back(batch), records) << "seed " << seed << " codec " << static_cast<int>(codec);

      Decompressor decompressor;
      const auto facts = check_structure(
          batch, {.validation = RecordValidation::kFull, .origin = BatchOrigin::kLog}, decompressor);
      ASSERT_TRUE(facts.has_value()) << facts.error().reason;
      EXPECT_EQ(facts->max_timestamp, WallTime{max_timestamp});
    }
  }
}

TEST(BatchBuilder, KeepsNullAndEmptyApart) {
  const std::vector<OwnedRecord> records = {
      {10, std::nullopt, std::nullopt, {}},
      {9, "", "", {{"", ""}, {"", std::nullopt}}},
      {-1, "k", std::nullopt, {}},
      {11, std::nullopt, "v", {{"h", "x"}, {"h", "y"}}},
  };
  BatchBuilder builder;
  for (const OwnedRecord& record : records) ASSERT_TRUE(append(builder, record).ok());
  const Bytes bytes = bytes_of(builder.finish().value());
  EXPECT_EQ(read_back(BatchView::parse(bytes).value()), records);
}

TEST(BatchBuilder, StartsAgainAfterClear) {
  BatchBuilder builder({.codec = Codec::kLz4});
  ASSERT_TRUE(append(builder, {1, "a", std::string(1000, 'x'), {}}).ok());
  const Bytes first = bytes_of(builder.finish().value());
  builder.clear();
  EXPECT_TRUE(builder.empty());
  ASSERT_TRUE(append(builder, {1, "a", std::string(1000, 'x'), {}}).ok());
  EXPECT_EQ(bytes_of(builder.finish().value()), first);
  EXPECT_EQ(bytes_of(builder.finish().value()), first) << "finishing twice changes nothing";
  builder.clear({.base_offset = Offset(5)});
  ASSERT_TRUE(append(builder, {7, "b", "c", {}}).ok());
  const Bytes second = bytes_of(builder.finish().value());
  EXPECT_EQ(BatchView::parse(second).value().base_offset(), Offset(5));
  EXPECT_EQ(BatchView::parse(second).value().base_timestamp(), WallTime{7});
}

TEST(BatchBuilder, WritesControlAndProducerFields) {
  BatchBuilder builder({.leader_epoch = LeaderEpoch(3),
                        .producer_id = ProducerId(8),
                        .producer_epoch = ProducerEpoch(2),
                        .transactional = true,
                        .control = true});
  ASSERT_TRUE(append(builder, {1, std::string("\0\0\0\1", 4), std::string("\0\0\0\0\0\7", 6), {}}).ok());
  const Bytes bytes = bytes_of(builder.finish().value());
  const BatchView view = BatchView::parse(bytes).value();
  EXPECT_TRUE(view.is_control() && view.is_transactional());
  EXPECT_EQ(view.producer_id(), ProducerId(8));
  EXPECT_EQ(view.producer_epoch(), ProducerEpoch(2));
  EXPECT_EQ(view.base_sequence(), kNoSequence);
  EXPECT_EQ(view.leader_epoch(), LeaderEpoch(3));
}

TEST(BatchBuilder, RefusesWhatReadersWouldNotOpenAndStaysUsable) {
  BatchBuilder builder;
  ASSERT_TRUE(append(builder, {1, "a", "b", {}}).ok());
  const Bytes before = bytes_of(builder.finish().value());
  EXPECT_EQ(fixture::code_of(append(builder, {1, "a", std::string(limits::kDecompressedBytesMax, 'x'), {}})),
            ErrorCode::kTooLarge);
  EXPECT_EQ(fixture::code_of(append(builder, {std::numeric_limits<std::int64_t>::min(), "a", "b", {}})),
            ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(bytes_of(builder.finish().value()), before);

  BatchBuilder dense({.codec = Codec::kZstd});
  ASSERT_TRUE(append(dense, {1, "a", std::string(20u << 20, 'x'), {}}).ok());
  EXPECT_EQ(fixture::code_of(dense.finish()), ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace pyralog::record
