#include "record/varint.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "core/random.h"
#include "record/batch_fixture.h"

namespace pyralog::record {
namespace {

using fixture::Bytes;
using fixture::from_hex;

template <class T>
std::optional<T> read_all(const Bytes& bytes) {
  T value;
  const std::byte* const after = read_varint(bytes.data(), bytes.data() + bytes.size(), value);
  if (after != bytes.data() + bytes.size()) return std::nullopt;
  return value;
}

TEST(Varint, SpellsKnownNumbers) {
  const auto spell = [](auto value) {
    Bytes bytes;
    fixture::put_varint(bytes, value);
    return bytes;
  };
  EXPECT_EQ(spell(std::int32_t{0}), from_hex("00"));
  EXPECT_EQ(spell(std::int32_t{-1}), from_hex("01"));
  EXPECT_EQ(spell(std::int32_t{63}), from_hex("7e"));
  EXPECT_EQ(spell(std::int32_t{-64}), from_hex("7f"));
  EXPECT_EQ(spell(std::int32_t{64}), from_hex("8001"));
  EXPECT_EQ(spell(std::int32_t{-8193}), from_hex("818001"));
  EXPECT_EQ(spell(std::numeric_limits<std::int32_t>::max()), from_hex("feffffff0f"));
  EXPECT_EQ(spell(std::numeric_limits<std::int32_t>::min()), from_hex("ffffffff0f"));
  EXPECT_EQ(spell(std::numeric_limits<std::int64_t>::max()), from_hex("feffffffffffffffff01"));
  EXPECT_EQ(spell(std::numeric_limits<std::int64_t>::min()), from_hex("ffffffffffffffffff01"));
}

template <class T>
void round_trip(T value) {
  Bytes bytes;
  fixture::put_varint(bytes, value);
  EXPECT_EQ(bytes.size(), varint_bytes(value));
  EXPECT_EQ(read_all<T>(bytes), value);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    T ignored;
    EXPECT_EQ(read_varint(bytes.data(), bytes.data() + cut, ignored), nullptr) << value << " cut at " << cut;
  }
}

TEST(Varint, ReadsWhatItWrites) {
  Random random(3);
  for (int shift = 0; shift < 64; ++shift) {
    for (int i = 0; i < 20; ++i) {
      round_trip(static_cast<std::int64_t>(random.next() >> shift));
      round_trip(static_cast<std::int32_t>(random.next() >> shift));
    }
  }
}

TEST(Varint, AcceptsLongSpellings) {
  EXPECT_EQ(read_all<std::int32_t>(from_hex("8000")), 0);
  EXPECT_EQ(read_all<std::int32_t>(from_hex("8280808000")), 1);
  EXPECT_EQ(read_all<std::int64_t>(from_hex("82808080808080808000")), 1);
}

TEST(Varint, RefusesNumbersThatDoNotFit) {
  EXPECT_EQ(read_all<std::int32_t>(from_hex("ffffffff1f")), std::nullopt);
  EXPECT_EQ(read_all<std::int32_t>(from_hex("808080808000")), std::nullopt);
  EXPECT_EQ(read_all<std::int64_t>(from_hex("ffffffffffffffffff03")), std::nullopt);
  EXPECT_EQ(read_all<std::int64_t>(from_hex("8080808080808080808000")), std::nullopt);
}

}  // namespace
}  // namespace pyralog::record
