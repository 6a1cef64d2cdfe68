#include "protocol/kafka/reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/limits.h"
#include "protocol/kafka/codec.h"
#include "protocol/kafka/every_message.h"

namespace pyralog::protocol {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

struct Input {
  explicit Input(std::string_view text, Reader::Lengths lengths = Reader::Lengths::kCompact)
      : bytes(text), reader(as_bytes(bytes), ApiVersion(0), lengths, arena) {}

  std::string bytes;
  Arena arena;
  Reader reader;
};

std::string varint(std::uint32_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7) text += static_cast<char>(value | 0x80);
  return text += static_cast<char>(value);
}

TEST(Reader, TellsNullFromEmpty) {
  Input compact("\0\1\3ab"sv);
  EXPECT_FALSE(compact.reader.nullable_string().has_value());
  EXPECT_EQ(compact.reader.nullable_string(), "");
  EXPECT_EQ(compact.reader.nullable_string(), "ab");
  Input fixed("\xff\xff\0\0\0\2ab\xff\xff\xff\xff\0\0\0\1z"sv, Reader::Lengths::kFixed);
  EXPECT_FALSE(fixed.reader.nullable_string().has_value());
  EXPECT_EQ(fixed.reader.nullable_string(), "");
  EXPECT_EQ(fixed.reader.nullable_string(), "ab");
  EXPECT_FALSE(fixed.reader.nullable_bytes().has_value());
  EXPECT_EQ(as_text(*fixed.reader.nullable_bytes()), "z");
  EXPECT_TRUE(fixed.reader.result().ok());
}

TEST(Reader, RefusesLengthsBeyondTheInput) {
  for (const std::string_view text : {"\4ab"sv, "\xff\xff\xff\xff\x0f"sv, "\xff\xff\xff\xff\x1f"sv,
                                      "\x80\x80\x80\x80\x80\1"sv, "\x80"sv, ""sv}) {
    Input input(text);
    input.reader.nullable_bytes();
    EXPECT_EQ(input.reader.result().error().code(), ErrorCode::kCorrupt);
    EXPECT_EQ(input.reader.remaining(), 0u) << "after a failure nothing is left to read";
  }
  Input negative("\xff\xfe"sv, Reader::Lengths::kFixed);
  negative.reader.nullable_string();
  EXPECT_TRUE(negative.reader.failed());
  Input long_string(varint(32769) + std::string(40000, 'x'));
  EXPECT_EQ(long_string.reader.string(), "");
  EXPECT_TRUE(long_string.reader.failed()) << "compact strings have the limit of the others";
}

TEST(Reader, ReadsVarintsOfEverySize) {
  for (const std::uint32_t value : {0u, 1u, 127u, 128u, 16383u, 16384u, 2097151u, 2097152u, 268435456u, 4294967295u}) {
    Input input(varint(value));
    EXPECT_EQ(input.reader.varint(), value);
    EXPECT_TRUE(input.reader.result().ok());
    EXPECT_EQ(input.reader.remaining(), 0u);
  }
}

TEST(Reader, SaysWhatFailedAndWhere) {
  Input input("\0\0\0\7\0\1"sv, Reader::Lengths::kFixed);
  input.reader.integer<std::int32_t>();
  input.reader.integer<std::int64_t>();
  input.reader.integer<std::int8_t>();
  EXPECT_EQ(input.reader.result().error().to_string(), "corrupt data: ends inside a number at byte 4");
}

TEST(Reader, BoundsArraysByWhatTheirElementsTake) {
  for (const std::int32_t count : {2, 1000, 1 << 30, 0x7fffffff, -2, -2147483647}) {
    std::string text(4 + 15, '\0');
    store_big(reinterpret_cast<std::byte*>(text.data()), count);
    Input input(text, Reader::Lengths::kFixed);
    input.reader.array_count(8);
    EXPECT_TRUE(input.reader.failed()) << count;
  }
  Input fits("\0\0\0\2" "0123456789abcdef"sv, Reader::Lengths::kFixed);
  EXPECT_EQ(fits.reader.array_count(8), 2);
}

TEST(Reader, BoundsTheMemoryThatManyTinyElementsTake) {
  constexpr std::uint32_t kCount = 1'000'000;
  // A topic with a name of one letter takes 4 bytes on the wire and 32 in memory, just within the budget.
  std::string topics = varint(kCount + 1);
  for (std::uint32_t i = 0; i < kCount; ++i) topics += "\2t\1\0"sv;
  topics += "\0\0\0\0\0"sv;
  Arena wide;
  EXPECT_TRUE(decode<DeleteRecordsRequest>(as_bytes(topics), ApiVersion(2), wide).ok());
  EXPECT_LE(wide.reserved_bytes(), 8 * topics.size() + (64u << 10));

  // An empty name takes 1 and 16.
  const std::string names = varint(kCount + 1) + std::string(kCount, '\1') + '\0';
  Arena narrow;
  const auto refused = decode<DeleteGroupsRequest>(as_bytes(names), ApiVersion(2), narrow);
  EXPECT_EQ(refused.error().code(), ErrorCode::kCorrupt);
  EXPECT_LE(narrow.reserved_bytes(), 8 * names.size() + (64u << 10));
}

TEST(TaggedFields, AreSkippedWhenUnknown) {
  Arena arena;
  const auto body = "\0\0\0\1\0\2" "\2" "\7\3abc" "\x90\1\0"sv;  // two fields, with tags 7 and 144
  const auto response = decode<HeartbeatResponse>(as_bytes(body), ApiVersion(4), arena).value();
  EXPECT_EQ(response.throttle_time_ms, 1);
  EXPECT_EQ(response.error_code, KafkaError::kCorruptMessage);
}

TEST(TaggedFields, MayComeInAnyOrderButOnce) {
  Arena arena;
  const auto decode_tagged = [&](std::string_view tagged) {
    return decode<ApiVersionsResponse>(as_bytes("\0\0\1\0\0\0\0"s + std::string(tagged)), ApiVersion(3), arena);
  };
  const auto epoch = "\1\x8\0\0\0\0\0\0\0\x9"s;
  const auto ready = "\3\1\1"s;
  const auto swapped = decode_tagged("\2" + ready + epoch).value();
  EXPECT_EQ(swapped.finalized_features_epoch, 9);
  EXPECT_TRUE(swapped.zk_migration_ready);
  EXPECT_FALSE(decode_tagged("\2" + ready + ready).ok()) << "repeated";
  EXPECT_FALSE(decode_tagged("\1\3\2\1\1"sv).ok()) << "longer than its value";
  EXPECT_FALSE(decode_tagged("\1\1\x7\0\0\0\0\0\0\0\x9"sv).ok()) << "shorter than its value";
  EXPECT_FALSE(decode_tagged("\1\3\x7f\1"sv).ok()) << "beyond the message";
}

TEST(TaggedFields, AreLimitedInNumberAndLength) {
  Arena arena;
  const auto decode_tagged = [&](const std::string& tagged) {
    return decode<HeartbeatResponse>(as_bytes(std::string(6, '\0') + tagged), ApiVersion(4), arena);
  };
  const auto fields = [](std::uint32_t count, std::uint32_t bytes) {
    std::string text = varint(count);
    for (std::uint32_t i = 0; i < count; ++i) text += varint(i) + varint(bytes) + std::string(bytes, 'x');
    return text;
  };
  EXPECT_TRUE(decode_tagged(fields(limits::kTaggedFieldsMax, 1)).ok());
  EXPECT_FALSE(decode_tagged(fields(limits::kTaggedFieldsMax + 1, 1)).ok());
  EXPECT_TRUE(decode_tagged(fields(1, 65'000)).ok());
  EXPECT_FALSE(decode_tagged(fields(1, 66'000)).ok());
  EXPECT_FALSE(decode_tagged(fields(2, 40'000)).ok()) << "the limit holds for all of them together";
  EXPECT_FALSE(decode_tagged(varint(0xffffffff)).ok());
}

TEST(Arena, CountsWhatItTakesAndForgets) {
  Arena arena;
  EXPECT_EQ(arena.make<std::int64_t>(Arena::kInlineBytes / 8).size(), Arena::kInlineBytes / 8);
  EXPECT_EQ(arena.reserved_bytes(), 0u);
  EXPECT_EQ(arena.copy("text"), "text");
  EXPECT_EQ(arena.reserved_bytes(), Arena::kBlockBytesMin);
  EXPECT_TRUE(arena.make_within<char>(100'000, 50'000).empty());
  EXPECT_TRUE(arena.make<char>(0).empty());
  const std::span<std::uint32_t> large = arena.make<std::uint32_t>(1'000'000);
  EXPECT_EQ(large.back(), 0u);
  arena.reset();
  EXPECT_EQ(arena.reserved_bytes(), 0u);
}

}  // namespace
}  // namespace pyralog::protocol
