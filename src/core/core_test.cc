#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/checksum.h"
#include "core/ids.h"
#include "core/latency_histogram.h"
#include "core/random.h"
#include "core/result.h"
#include "core/slice.h"

namespace pyralog {
namespace {

TEST(Checksum, MatchesThePublishedCheckValue) { EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u); }

TEST(Checksum, IsTheSameInPiecesAndOnBothSidesOfTheInlineLimit) {
  Random random(1);
  std::vector<std::byte> bytes(5000);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
  for (std::size_t size : {0u, 1u, 7u, 8u, 255u, 256u, 257u, 4096u, 5000u}) {
    const ByteView all(bytes.data(), size);
    for (std::size_t cut : {std::size_t{0}, size / 3, size}) {
      EXPECT_EQ(crc32c(all), crc32c(all.subspan(cut), crc32c(all.first(cut)))) << size << " " << cut;
    }
  }
}

TEST(Uuid, PrintsAsKafkaDoes) {
  Uuid uuid;
  for (std::size_t i = 0; i < 16; ++i) uuid.bytes[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(uuid.to_string(), "AAECAwQFBgcICQoLDA0ODw");
}

TEST(Random, IsTheSameForTheSameSeed) {
  Random a(7), b(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next(), b.next());
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.below(10), 10u);
}

Result<int> half(int n) {
  if (n % 2 != 0) return Error(ErrorCode::kInvalidArgument, "odd");
  return n / 2;
}
Result<int> quarter(int n) {
  PYRALOG_ASSIGN(const int first, half(n));
  PYRALOG_TRY(half(first));
  return half(first);
}

TEST(Result, PropagatesTheError) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().to_string(), "invalid argument: odd");
  EXPECT_EQ(half(1).error().with_context("x").detail(), "x: odd");
}

TEST(LatencyHistogram, PutsEachValueBelowItsBucketsEnd) {
  using H = LatencyHistogram;
  for (std::uint64_t us : {0u, 1u, 3u, 4u, 7u, 8u, 9u, 100u, 1000u, 131072u, 99'999'999u}) {
    const std::size_t bucket = H::bucket_of(us);
    EXPECT_LT(us, H::bucket_end_us(bucket)) << us;
    if (bucket > 0) EXPECT_GE(us, H::bucket_end_us(bucket - 1)) << us;
  }
  EXPECT_EQ(H::bucket_of(~std::uint64_t{0}), H::kBuckets - 1);
}

TEST(LatencyHistogram, GivesPercentilesOfMergedShards) {
  LatencyHistogram a, b;
  for (int i = 0; i < 99; ++i) a.record(std::chrono::microseconds(100));
  b.record(std::chrono::milliseconds(20));
  a.merge(b);
  EXPECT_EQ(a.count(), 100u);
  EXPECT_EQ(a.max_us(), 20'000u);
  EXPECT_LE(a.percentile_us(0.5), 125u);
  EXPECT_GE(a.percentile_us(0.5), 100u);
  EXPECT_EQ(a.percentile_us(0.995), 20'000u);
  EXPECT_EQ(LatencyHistogram().percentile_us(0.5), 0u);
}

TEST(Slice, SharesOneAlignedChunk) {
  Slice whole = Slice::copy_of(as_bytes("hello world"));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(whole.data()) % Chunk::kAlignment, 0u);
  Slice tail = whole.part(6, 5);
  whole = Slice();
  EXPECT_EQ(as_text(tail.view()), "world");
}

}  // namespace
}  // namespace pyralog
