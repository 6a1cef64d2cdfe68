#include "io/chunk_pool.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "core/random.h"

namespace pyralog::io {
namespace {

constexpr std::size_t kSmall = ChunkPool::kClassBytes[0];

TEST(ChunkPool, TakesTheSmallestClassThatFits) {
  ChunkPool pool;
  for (const std::size_t bytes : {std::size_t{1}, kSmall, kSmall + 1, std::size_t{1} << 20, (std::size_t{1} << 20) + 1}) {
    const Slice slice = pool.take_slice(bytes);
    EXPECT_GE(slice.chunk()->size(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slice.data()) % Chunk::kAlignment, 0u);
    EXPECT_EQ(pool.used_bytes(), slice.chunk()->size());
  }
  EXPECT_EQ(pool.take_slice(kSmall).chunk()->size(), kSmall);
  EXPECT_EQ(pool.take_slice(5u << 20).chunk()->size(), 5u << 20);
  EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(ChunkPool, UsesMemoryAgain) {
  ChunkPool pool;
  const std::byte* place = nullptr;
  for (int i = 0; i < 10; ++i) {
    Slice slice = pool.take_slice(100);
    if (place != nullptr) EXPECT_EQ(slice.data(), place);
    place = slice.data();
    slice.mutable_data()[99] = std::byte{1};
    const Slice second = slice;  // two references: the chunk comes back once
  }
  EXPECT_EQ(pool.free_bytes(), kSmall);
}

TEST(ChunkPool, BoundsWhatLiesFree) {
  ChunkPool pool(4 * kSmall);
  std::vector<Slice> slices;
  for (int i = 0; i < 20; ++i) slices.push_back(pool.take_slice(kSmall));
  EXPECT_EQ(pool.used_bytes(), 20 * kSmall);
  slices.clear();
  EXPECT_EQ(pool.used_bytes(), 0u);
  EXPECT_EQ(pool.free_bytes(), 4 * kSmall);
}

TEST(ChunkPool, GivesBackWhatWasNotNeededSinceTheLastTrim) {
  ChunkPool pool;
  std::vector<Slice> slices;
  for (int i = 0; i < 10; ++i) slices.push_back(pool.take_slice(kSmall));
  slices.clear();
  pool.trim();
  EXPECT_EQ(pool.free_bytes(), 10 * kSmall);
  for (int i = 0; i < 3; ++i) slices.push_back(pool.take_slice(kSmall));
  slices.clear();
  pool.trim();  // seven lay free all the time
  EXPECT_EQ(pool.free_bytes(), 3 * kSmall);
  pool.trim();
  EXPECT_EQ(pool.free_bytes(), 0u);
}

TEST(ChunkPool, MayEndBeforeItsChunks) {
  Slice slice;
  {
    ChunkPool pool;
    slice = pool.take_slice(kSmall);
    const Slice free_at_the_end = pool.take_slice(kSmall);
  }
  slice.mutable_data()[kSmall - 1] = std::byte{1};
  slice = Slice();
}

TEST(ChunkPool, TakesBackWhatOtherThreadsDrop) {
  auto pool = std::make_unique<ChunkPool>(std::size_t{1} << 20);
  constexpr std::size_t kThreads = 3;
  Random random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::vector<Slice>> shares(kThreads);
    for (int i = 0; i < 60; ++i) {
      Slice slice = pool->take_slice(random.below(200'000));
      slice.mutable_data()[0] = std::byte{7};
      for (auto& share : shares) share.push_back(slice);
    }
    std::vector<std::thread> threads;
    for (auto& share : shares) {
      threads.emplace_back([mine = std::move(share)]() mutable {
        for (const Slice& slice : mine) EXPECT_EQ(slice.data()[0], std::byte{7});
        mine.clear();
      });
    }
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(pool->take_slice(1).empty());
    if (round + 1 == 50) pool.reset();  // while the others still drop
    for (std::thread& thread : threads) thread.join();
    if (pool != nullptr) {
      EXPECT_EQ(pool->used_bytes(), 0u);
      EXPECT_LE(pool->free_bytes(), std::size_t{1} << 20);
      pool->trim();
    }
  }
}

}  // namespace
}  // namespace pyralog::io
