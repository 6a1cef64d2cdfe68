#include <gtest/gtest.h>

#include <string_view>

#include "record/batch_builder.h"
#include "record/batch_check.h"
#include "record/batch_fixture.h"
#include "record/record_iterator.h"

/// Batches that other programs wrote, and what is in them. Never to be regenerated from our own builder.
namespace pyralog::record {
namespace {

// kafka-python 3.0.12, DefaultRecordBatchBuilder(magic=2, compression_type=0..4, producer_id=4711, producer_epoch=3,
// base_sequence=17), with cramjam 2.14, python-snappy 0.7.3, lz4 4.4.5 and zstandard 0.25.
constexpr std::string_view kPlain =
    "0000000000000000000000b90000000002a58bd12f0000000000020000018bcfe568000000018bcfe5680500000000000012670003000000"
    "11000000036c0000000a6b65792d305674686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920"
    "646f67009001000a02015674686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f67060a"
    "7472616365066162630a656d70747900086e756c6c010c000604000100";
constexpr std::string_view kGzip =
    "0000000000000000000000a10000000002a65db79b0001000000020000018bcfe568000000018bcfe5680500000000000012670003000000"
    "11000000031f8b08002253006b02ffcb616060e0ca4eadd435082bc94855282ccd4cce56482aca2fcf5348cbaf50c82acd2d2856c82f4b2d"
    "520049e72456552aa4e4a7334c6064e0626224450b1b57495162722a5b625232576a6e41492503475e694e0e230f031b0b03230300dd15f6"
    "df88000000";
constexpr std::string_view kSnappyXerial =
    "0000000000000000000000a900000000024f7ff7aa0002000000020000018bcfe568000000018bcfe5680500000000000012670003000000"
    "110000000382534e41505059000000000100000001000000648801f03c6c0000000a6b65792d305674686520717569636b2062726f776e20"
    "666f78206a756d7073206f76657220746865206c617a7920646f67009001000a0201ae330078060a7472616365066162630a656d70747900"
    "086e756c6c010c000604000100";
constexpr std::string_view kLz4 =
    "0000000000000000000000ab0000000002adea14900003000000020000018bcfe568000000018bcfe5680500000000000012670003000000"
    "110000000304224d18684088000000000000001c63000000f01b6c0000000a6b65792d305674686520717569636b2062726f776e20666f78"
    "206a756d7073206f766572201f00ff006c617a7920646f67009001000a0201330019f010060a7472616365066162630a656d70747900086e"
    "756c6c010c00060400010000000000";
constexpr std::string_view kZstd =
    "00000000000000000000009c0000000002dd376a890004000000020000018bcfe568000000018bcfe5680500000000000012670003000000"
    "110000000328b52ffd208815030084056c0000000a6b65792d305674686520717569636b2062726f776e20666f78206a756d7073206f7665"
    "72206c617a7920646f67009001000a0201060a7472616365066162630a656d70747900086e756c6c010c000604000100020059655562557a";

// The records of kPlain, compressed by python-snappy 0.7.3 (`snappy.compress`) and by Python 3.11's gzip as two members,
// under the same header; CRC by the crc32c package.
constexpr std::string_view kSnappyRaw =
    "00000000000000000000009500000000020e504d1f0002000000020000018bcfe568000000018bcfe5680500000000000012670003000000"
    "11000000038801f03c6c0000000a6b65792d305674686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c"
    "617a7920646f67009001000a0201ae330078060a7472616365066162630a656d70747900086e756c6c010c000604000100";
constexpr std::string_view kGzipTwoMembers =
    "0000000000000000000000d60000000002e36ff6d80001000000020000018bcfe568000000018bcfe5680500000000000012670003000000"
    "11000000031f8b0800000000000203cb616060e0ca4eadd435082bc94855282ccd4cce56482aca2fcf5348cbaf50c82acd2d2856c82f4b2d"
    "520049e72456552aa4e4a7334c6064e06262846b01007a84195b460000001f8b080000000000020305c1010a80201004c01342427ac47e4d"
    "ed4a4a3d31adecf5cd9c70559e8c4d5e1c3d950b7273450b8c68bf8155766d5ab59eb575de702a6dd09c7b8c6a213d91a21f90274b254200"
    "0000";

struct Golden {
  const char* name;
  std::string_view hex;
  Codec codec;
};
constexpr Golden kGolden[] = {
    {"plain", kPlain, Codec::kNone},
    {"gzip", kGzip, Codec::kGzip},
    {"snappy xerial", kSnappyXerial, Codec::kSnappy},
    {"lz4", kLz4, Codec::kLz4},
    {"zstd", kZstd, Codec::kZstd},
    {"snappy raw", kSnappyRaw, Codec::kSnappy},
    {"gzip, two members", kGzipTwoMembers, Codec::kGzip},
};

constexpr std::string_view kFox = "the quick brown fox jumps over the lazy dog";

void expect_records(const BatchView& batch) {
  Decompressor decompressor;
  RecordIterator iterator = RecordIterator::open(batch, decompressor).value();
  RecordView record;

  ASSERT_TRUE(iterator.next(record).value());
  EXPECT_EQ(record.offset, Offset(0));
  EXPECT_EQ(record.timestamp, WallTime{1700000000000});
  EXPECT_EQ(as_text(*record.key), "key-0");
  EXPECT_EQ(as_text(*record.value), kFox);
  EXPECT_TRUE(record.headers.empty());

  ASSERT_TRUE(iterator.next(record).value());
  EXPECT_EQ(record.offset, Offset(1));
  EXPECT_EQ(record.timestamp, WallTime{1700000000005});
  EXPECT_FALSE(record.key.has_value());
  EXPECT_EQ(as_text(*record.value), kFox);
  ASSERT_EQ(record.headers.count(), 3);
  auto header = record.headers.begin();
  EXPECT_EQ(header->key, "trace");
  EXPECT_EQ(as_text(*header->value), "abc");
  ++header;
  EXPECT_EQ(header->key, "empty");
  EXPECT_EQ(as_text(header->value.value()), "");
  ++header;
  EXPECT_EQ(header->key, "null");
  EXPECT_FALSE(header->value.has_value());
  ++header;
  EXPECT_TRUE(header == record.headers.end());

  ASSERT_TRUE(iterator.next(record).value());
  EXPECT_EQ(record.offset, Offset(2));
  EXPECT_EQ(record.timestamp, WallTime{1700000000003});
  EXPECT_EQ(as_text(record.key.value()), "");
  EXPECT_FALSE(record.value.has_value());
  EXPECT_FALSE(iterator.next(record).value());
}

TEST(GoldenBatch, OfOtherProgramsReadsAsTheyWroteIt) {
  for (const Golden& golden : kGolden) {
    SCOPED_TRACE(golden.name);
    const fixture::Bytes bytes = fixture::from_hex(golden.hex);
    const BatchView batch = BatchView::parse_only(bytes, bytes.size()).value();
    EXPECT_TRUE(batch.verify_crc().ok());
    EXPECT_EQ(batch.codec(), golden.codec);
    EXPECT_EQ(batch.base_offset(), Offset(0));
    EXPECT_EQ(batch.last_offset_delta(), 2);
    EXPECT_EQ(batch.base_timestamp(), WallTime{1700000000000});
    EXPECT_EQ(batch.max_timestamp(), WallTime{1700000000005});
    EXPECT_EQ(batch.producer_id(), ProducerId(4711));
    EXPECT_EQ(batch.producer_epoch(), ProducerEpoch(3));
    EXPECT_EQ(batch.base_sequence(), 17);
    EXPECT_EQ(batch.last_sequence(), 19);
    expect_records(batch);

    Decompressor decompressor;
    const auto facts = check_structure(batch, {.validation = RecordValidation::kFull}, decompressor);
    ASSERT_TRUE(facts.has_value()) << facts.error().reason;
    EXPECT_EQ(facts->records_count, 3);
    EXPECT_EQ(facts->max_timestamp, WallTime{1700000000005});
    EXPECT_EQ(facts->null_key_count, 1);
  }
}

fixture::Bytes rebuild(Codec codec) {
  const HeaderInput headers[] = {{"trace", as_bytes("abc")}, {"empty", as_bytes("")}, {"null", std::nullopt}};
  BatchBuilder builder({.codec = codec,
                        .leader_epoch = LeaderEpoch(0),  // what kafka-python writes
                        .producer_id = ProducerId(4711),
                        .producer_epoch = ProducerEpoch(3),
                        .base_sequence = 17});
  builder.append({WallTime{1700000000000}, as_bytes("key-0"), as_bytes(kFox), {}}).value();
  builder.append({WallTime{1700000000005}, std::nullopt, as_bytes(kFox), headers}).value();
  builder.append({WallTime{1700000000003}, as_bytes(""), std::nullopt, {}}).value();
  return fixture::bytes_of(builder.finish().value());
}

TEST(GoldenBatch, IsWhatOurBuilderWritesByteForByte) {
  EXPECT_EQ(rebuild(Codec::kNone), fixture::from_hex(kPlain));
  EXPECT_EQ(rebuild(Codec::kSnappy), fixture::from_hex(kSnappyXerial)) << "one block, the same library";
}

}  // namespace
}  // namespace pyralog::record
