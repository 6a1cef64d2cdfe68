#include "cli/record_format.h"

#include <gtest/gtest.h>

#include "record/batch_builder.h"

namespace pyralog::cli {
namespace {

constexpr PartitionIndex kPartition(3);

class RecordFormatTest : public ::testing::Test {
 protected:
  /// Builds a batch of one record and reads it back.
  void make(std::optional<std::string_view> key, std::optional<std::string_view> value) {
    record::RecordInput input{.timestamp = WallTime{1714566615250}, .headers = headers};
    if (key) input.key = as_bytes(*key);
    if (value) input.value = as_bytes(*value);
    ASSERT_TRUE(builder.append(input).ok());
    const auto batch = record::BatchView::parse(builder.finish().value()).value();
    ASSERT_TRUE(record::RecordIterator::open(batch, decompressor).value().next(record).value());
  }
  std::string shown(std::string_view format) const {
    std::string out;
    RecordFormat::parse(format).value().append(out, "orders", kPartition, record);
    return out;
  }
  std::string json() const {
    std::string out;
    append_json(out, "orders", kPartition, record);
    return out;
  }

  std::vector<record::HeaderInput> headers;
  record::BatchBuilder builder{record::BatchBuilderOptions{.base_offset = Offset(17)}};
  record::Decompressor decompressor;
  record::RecordView record;
};

TEST_F(RecordFormatTest, ShowsEveryField) {
  headers = {{.key = "a", .value = as_bytes("1")}, {.key = "b", .value = std::nullopt}};
  make("key", "value");
  EXPECT_EQ(shown("%l/%p@%o %k=%v %t %T %h 100%%\\n"),
            "orders/3@17 key=value 1714566615250 2024-05-01T12:30:15.250Z a=1,b= 100%\n");
}

TEST_F(RecordFormatTest, NullIsNothing) {
  make(std::nullopt, std::nullopt);
  EXPECT_EQ(shown("[%k][%v]"), "[][]");
}

TEST_F(RecordFormatTest, JsonKeepsNullEmptyAndBinaryApart) {
  make(std::nullopt, "");
  EXPECT_EQ(json(),
            "{\"log\":\"orders\",\"partition\":3,\"offset\":17,\"timestamp\":1714566615250,\"key\":null,\"value\":\"\","
            "\"headers\":[]}\n");
  builder.clear();
  make("k", "\xff\xfe");
  EXPECT_NE(json().find("\"key\":\"k\",\"value_base64\":\"//4=\""), std::string::npos) << json();
}

TEST(RecordFormatParse, RefusesUnknownFieldsAndEscapes) {
  for (const char* text : {"%x", "%", "\\q", "\\", "\\x1", "%v\\xzz"}) {
    EXPECT_EQ(RecordFormat::parse(text).error().code(), ErrorCode::kInvalidArgument) << text;
  }
}

TEST(Unescape, KnowsTheUsual) {
  EXPECT_EQ(unescape("a\\n\\t\\r\\\\\\x41").value(), "a\n\t\r\\A");
  EXPECT_EQ(unescape("\\0").value(), std::string_view("\0", 1));
}

TEST(IsoTime, ShowsTimesBefore1970AndRefusesNonsense) {
  EXPECT_EQ(iso_time(WallTime{-1}), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(iso_time(WallTime{0}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(iso_time(WallTime{INT64_MAX}), "-");
  EXPECT_EQ(iso_time(WallTime{INT64_MIN}), "-");
}

}  // namespace
}  // namespace pyralog::cli
