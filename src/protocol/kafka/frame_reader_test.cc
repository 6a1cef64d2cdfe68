#include "protocol/kafka/frame_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/random.h"

namespace pyralog::protocol {
namespace {

using Bytes = std::vector<std::byte>;

Bytes framed(ByteView payload) {
  Bytes bytes(4 + payload.size());
  store_big(bytes.data(), static_cast<std::int32_t>(payload.size()));
  std::ranges::copy(payload, bytes.begin() + 4);
  return bytes;
}

void feed(FrameReader& reader, ByteView bytes) {
  while (!bytes.empty()) {
    const MutableBytes room = reader.prepare();
    ASSERT_FALSE(room.empty());
    const std::size_t part = std::min(room.size(), bytes.size());
    std::ranges::copy(bytes.first(part), room.begin());
    reader.commit(part);
    bytes = bytes.subspan(part);
  }
}

TEST(FrameReader, SplitsAnyChunkingOfAStream) {
  Random random(7);
  for (int round = 0; round < 60; ++round) {
    std::vector<Bytes> payloads;
    Bytes stream;
    for (int i = 0; i < 25; ++i) {
      Bytes payload(random.chance(1, 8) ? random.below(200'000) : random.below(300));
      for (auto& byte : payload) byte = static_cast<std::byte>(random.next());
      const Bytes frame = framed(payload);
      stream.insert(stream.end(), frame.begin(), frame.end());
      payloads.push_back(std::move(payload));
    }
    FrameReader reader;
    std::vector<Slice> frames;
    const bool keeps_frames = random.chance(1, 2);
    const std::size_t chunk_max = round % 4 == 0 ? 3 : 100'000;
    std::size_t frames_count = 0;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t part = std::min<std::size_t>(stream.size() - at, random.between(1, chunk_max));
      feed(reader, ByteView(stream).subspan(at, part));
      at += part;
      for (;;) {
        Result<std::optional<Slice>> frame = reader.next();
        ASSERT_TRUE(frame.ok());
        if (!frame->has_value()) break;
        ASSERT_LT(frames_count, payloads.size());
        ASSERT_TRUE(std::ranges::equal((*frame)->view(), payloads[frames_count]));
        ++frames_count;
        if (keeps_frames) frames.push_back(std::move(**frame));
      }
    }
    ASSERT_EQ(frames_count, payloads.size());
    EXPECT_EQ(reader.pending_bytes(), 0u);
    // Frames that are still held were not overwritten by later ones.
    for (std::size_t i = 0; i < frames.size(); ++i) ASSERT_TRUE(std::ranges::equal(frames[i].view(), payloads[i]));
  }
}

TEST(FrameReader, LargeFramesAreNotCopied) {
  // Each chunk holds what was read into it and nothing else: only lengths move from one to the next.
  static std::vector<std::pair<const std::byte*, std::size_t>> chunks;
  chunks.clear();
  FrameReader reader(limits::kFrameBytesMax, [](std::size_t bytes) {
    Slice slice = Slice::allocate(bytes);
    chunks.emplace_back(slice.data(), slice.size());
    return slice;
  });
  const Bytes frame = framed(Bytes(65'000, std::byte{7}));
  Bytes stream;
  for (int i = 0; i < 30; ++i) stream.insert(stream.end(), frame.begin(), frame.end());
  std::vector<Slice> frames;
  std::size_t copied_bytes_max = 0;
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t chunks_before = chunks.size();
    const std::size_t pending = reader.pending_bytes();
    const MutableBytes room = reader.prepare();
    if (chunks.size() > chunks_before) copied_bytes_max = std::max(copied_bytes_max, pending);
    const std::size_t part = std::min(room.size(), stream.size() - at);
    std::ranges::copy(ByteView(stream).subspan(at, part), room.begin());
    reader.commit(part);
    at += part;
    while (auto got = reader.next().value()) frames.push_back(std::move(*got));
  }
  EXPECT_EQ(frames.size(), 30u);
  EXPECT_LE(copied_bytes_max, 4u + 65'004u) << "the first frame's length was not known yet";
  // From the second chunk on, three frames a chunk and no more than a length copied.
  EXPECT_LE(chunks.size(), 12u);
}

TEST(FrameReader, RefusesNegativeAndOversizeLengths) {
  for (const std::int32_t length : {-1, std::numeric_limits<std::int32_t>::min(), 1001}) {
    FrameReader reader(1000);
    Bytes bytes(4);
    store_big(bytes.data(), length);
    feed(reader, bytes);
    const ErrorCode expected = length < 0 ? ErrorCode::kCorrupt : ErrorCode::kTooLarge;
    EXPECT_EQ(reader.next().error().code(), expected);
    feed(reader, framed(as_bytes("later")));
    EXPECT_EQ(reader.next().error().code(), expected) << "a lost stream stays lost";
  }
  FrameReader reader(1000);
  feed(reader, framed(Bytes(1000)));
  EXPECT_TRUE(reader.next().value().has_value());
  reader.set_frame_bytes_max(999);
  feed(reader, framed(Bytes(1000)));
  EXPECT_FALSE(reader.next().ok());
}

TEST(FrameReader, TakesMemoryForAnAnnouncedFrameOnlyAsItArrives) {
  static std::size_t largest = 0;
  largest = 0;
  FrameReader reader(limits::kFrameBytesMax, [](std::size_t bytes) {
    largest = std::max(largest, bytes);
    return Slice::allocate(bytes);
  });
  Bytes length(4);
  store_big(length.data(), static_cast<std::int32_t>(limits::kFrameBytesMax));
  feed(reader, length);
  ASSERT_FALSE(reader.next().value().has_value());
  feed(reader, Bytes(10));
  EXPECT_LE(largest, FrameReader::kFrameBytesTrusted);
  feed(reader, Bytes(3u << 20));
  EXPECT_LE(largest, std::size_t{8} << 20);
}

TEST(FrameReader, DoesNotCopyFramesThatFitTheBuffer) {
  static int allocations = 0;
  allocations = 0;
  FrameReader reader(limits::kFrameBytesMax, [](std::size_t bytes) {
    ++allocations;
    return Slice::allocate(bytes);
  });
  const Bytes frame = framed(Bytes(100));
  for (int i = 0; i < 10'000; ++i) {
    feed(reader, frame);
    ASSERT_TRUE(reader.next().value().has_value());
  }
  EXPECT_EQ(allocations, 1) << "a buffer that no frame refers to is used again";

  // A batch-sized frame: one buffer for it, in which its bytes stay where they were received.
  const Bytes large = framed(Bytes(900'000));
  feed(reader, ByteView(large).first(10));
  ASSERT_FALSE(reader.next().value().has_value());
  const std::byte* received_at = reader.prepare().data();
  feed(reader, ByteView(large).subspan(10));
  const Slice received = reader.next().value().value();
  EXPECT_EQ(received.data() + 6, received_at);
  EXPECT_EQ(allocations, 2);
  reader.release_if_empty();
  EXPECT_EQ(reader.pending_bytes(), 0u);
}

}  // namespace
}  // namespace pyralog::protocol
