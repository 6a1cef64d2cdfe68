#include "record/compression.h"

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include <string>

#include "core/random.h"
#include "record/batch_fixture.h"

namespace pyralog::record {
namespace {

using fixture::Bytes;
using fixture::bytes_of;
using fixture::from_hex;

constexpr Codec kCodecs[] = {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};

Bytes compress(Codec codec, ByteView bytes) {
  Compressor compressor;
  ByteBuffer output;
  EXPECT_TRUE(compressor.compress(codec, bytes, output).ok());
  return bytes_of(output.view());
}

Result<Bytes> decompress(Codec codec, ByteView payload, DecompressionLimits limits = {}) {
  Decompressor decompressor(limits);
  PYRALOG_ASSIGN(const ByteView bytes, decompressor.decompress(codec, payload));
  return bytes_of(bytes);
}

ErrorCode failure(Codec codec, ByteView payload, DecompressionLimits limits = {}) {
  const auto result = decompress(codec, payload, limits);
  EXPECT_FALSE(result.ok()) << "codec " << static_cast<int>(codec);
  return result.ok() ? ErrorCode::kInvalidArgument : result.error().code();
}

Bytes random_bytes(Random& random, std::size_t size) {
  Bytes bytes(size);
  // Runs of one byte between noise: stored, compressed and run-length pieces all occur.
  for (std::size_t at = 0; at < size;) {
    const std::size_t piece = std::min(size - at, static_cast<std::size_t>(random.between(1, 5000)));
    const bool noise = random.chance(1, 2);
    const auto same = static_cast<std::byte>(random.next());
    for (std::size_t end = at + piece; at < end; ++at) bytes[at] = noise ? static_cast<std::byte>(random.next()) : same;
  }
  return bytes;
}

void append(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

TEST(Compression, RoundTripsEverySize) {
  Random random(11);
  Compressor compressor;
  Decompressor decompressor;
  ByteBuffer output;
  for (const std::size_t size : {0u, 1u, 2u, 100u, 4096u, 32767u, 32768u, 32769u, 65535u, 65536u, 65537u, 300'000u,
                                 5'000'000u}) {
    const Bytes bytes = random_bytes(random, size);
    for (const Codec codec : kCodecs) {
      output.clear();
      ASSERT_TRUE(compressor.compress(codec, bytes, output).ok());
      const auto back = decompressor.decompress(codec, output.view());
      ASSERT_TRUE(back.ok()) << back.error().to_string();
      EXPECT_EQ(bytes_of(*back), bytes) << size << " codec " << static_cast<int>(codec);
      if (random.chance(1, 3)) decompressor.trim();
    }
  }
}

TEST(Compression, RoundTripsRandomBytes) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const Bytes bytes = random_bytes(random, random.below(200'000));
    for (const Codec codec : kCodecs)
      EXPECT_EQ(decompress(codec, compress(codec, bytes)).value(), bytes) << seed << " " << static_cast<int>(codec);
  }
}

TEST(Compression, AppendsToWhatIsThere) {
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    ByteBuffer output;
    output.append(as_bytes("head"));
    ASSERT_TRUE(Compressor().compress(codec, as_bytes("body body body"), output).ok());
    EXPECT_EQ(as_text(output.view().first(4)), "head");
    const auto body = decompress(codec, output.view().subspan(4)).value();
    EXPECT_EQ(as_text(body), "body body body");
  }
}

TEST(Compression, LeavesUncompressedPayloadsInPlace) {
  const Bytes bytes = from_hex("010203");
  Decompressor decompressor;
  EXPECT_EQ(decompressor.decompress(Codec::kNone, bytes).value().data(), bytes.data());
}

TEST(Compression, RefusesUnknownCodecs) {
  ByteBuffer output;
  for (int codec = 5; codec < 8; ++codec) {
    EXPECT_EQ(failure(static_cast<Codec>(codec), as_bytes("x")), ErrorCode::kUnsupportedCodec);
    EXPECT_EQ(fixture::code_of(Compressor().compress(static_cast<Codec>(codec), as_bytes("x"), output)),
              ErrorCode::kUnsupportedCodec);
  }
}

TEST(Compression, RefusesEveryCut) {
  Random random(5);
  const Bytes bytes = random_bytes(random, 3000);
  for (const Codec codec : kCodecs) {
    const Bytes whole = compress(codec, bytes);
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
      if (codec == Codec::kSnappy && cut == 16) continue;  // a xerial header alone is an empty stream
      const Bytes piece(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut));
      EXPECT_EQ(failure(codec, piece), ErrorCode::kCorrupt) << cut << " codec " << static_cast<int>(codec);
    }
  }
}

TEST(Compression, RefusesWhatFollowsTheEnd) {
  for (const Codec codec : kCodecs) {
    Bytes whole = compress(codec, as_bytes("some text, some text"));
    whole.push_back(std::byte{0x55});
    EXPECT_EQ(failure(codec, whole), ErrorCode::kCorrupt) << static_cast<int>(codec);
  }
}

TEST(Compression, NeverYieldsMoreThanTheLimitAndAllowsExactlyIt) {
  Random random(9);
  const Bytes bytes = random_bytes(random, 100'000);
  const std::string same(100'000, 'x');
  for (const ByteView plain : {ByteView(bytes), as_bytes(same)}) {
    for (const Codec codec : kCodecs) {
      const Bytes whole = compress(codec, plain);
      const DecompressionLimits exact{.output_bytes_max = 100'000, .ratio_free_bytes = 100'000};
      const DecompressionLimits less{.output_bytes_max = 99'999, .ratio_free_bytes = 99'999};
      EXPECT_TRUE(decompress(codec, whole, exact).ok()) << static_cast<int>(codec);
      EXPECT_EQ(failure(codec, whole, less), ErrorCode::kTooLarge) << static_cast<int>(codec);
    }
  }
}

TEST(Compression, BoundsTheRatioBeyondTheFreeBytes) {
  const DecompressionLimits limits{.output_bytes_max = 10'000, .ratio_max = 10, .ratio_free_bytes = 100};
  EXPECT_EQ(limits.output_bytes_for(0), 100u);
  EXPECT_EQ(limits.output_bytes_for(10), 100u);
  EXPECT_EQ(limits.output_bytes_for(11), 110u);
  EXPECT_EQ(limits.output_bytes_for(1000), 10'000u);
  EXPECT_EQ(limits.output_bytes_for(std::numeric_limits<std::size_t>::max()), 10'000u);
  const std::string same(20u << 20, 'x');  // zstd makes some 2 KB of it
  EXPECT_EQ(failure(Codec::kZstd, compress(Codec::kZstd, as_bytes(same))), ErrorCode::kTooLarge);
  const std::string little(4u << 20, 'x');
  EXPECT_TRUE(decompress(Codec::kZstd, compress(Codec::kZstd, as_bytes(little))).ok());
}

TEST(Gzip, JoinsMembers) {
  Bytes members = compress(Codec::kGzip, as_bytes("one "));
  append(members, compress(Codec::kGzip, as_bytes("")));
  append(members, compress(Codec::kGzip, as_bytes("two")));
  const auto joined = decompress(Codec::kGzip, members).value();
  EXPECT_EQ(as_text(joined), "one two");
}

TEST(Gzip, RefusesZlibAndRawDeflate) {
  const std::string text(500, 't');
  for (const int window_bits : {15, -15}) {
    z_stream stream{};
    ASSERT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    Bytes out(1000);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    EXPECT_EQ(failure(Codec::kGzip, out), ErrorCode::kCorrupt) << window_bits;
  }
}

TEST(Gzip, VerifiesTheMembersChecksumAndRecovers) {
  Bytes member = compress(Codec::kGzip, as_bytes("checked"));
  member[member.size() - 8] ^= std::byte{1};
  Decompressor decompressor;
  EXPECT_EQ(fixture::code_of(decompressor.decompress(Codec::kGzip, member)), ErrorCode::kCorrupt);
  member[member.size() - 8] ^= std::byte{1};
  EXPECT_EQ(as_text(decompressor.decompress(Codec::kGzip, member).value()), "checked");
}

TEST(Snappy, ReadsARawBlock) {
  // Length 5, literal of 5.
  EXPECT_EQ(decompress(Codec::kSnappy, from_hex("051068656c6c6f")).value(), bytes_of(as_bytes("hello")));
  EXPECT_EQ(failure(Codec::kSnappy, from_hex("061068656c6c6f")), ErrorCode::kCorrupt);
}

TEST(Snappy, ReadsXerialWhateverItsVersionsSay) {
  const Bytes block = from_hex("00000007051068656c6c6f");
  Bytes stream = from_hex("82534e4150505900ffffffff00000000");
  append(stream, block);
  append(stream, block);
  const auto joined = decompress(Codec::kSnappy, stream).value();
  EXPECT_EQ(as_text(joined), "hellohello");
  Bytes twice = stream;
  append(twice, stream);
  EXPECT_EQ(decompress(Codec::kSnappy, twice).value().size(), 20u);
  EXPECT_TRUE(decompress(Codec::kSnappy, from_hex("82534e41505059000000000100000001")).value().empty());
}

TEST(Snappy, RefusesBlocksThatLie) {
  const std::string_view header = "82534e41505059000000000100000001";
  for (const std::string_view block : {"00000008051068656c6c6f", "ffffffff051068656c6c6f", "000000", "00000000",
                                       "7fffffff051068656c6c6f", "00000006051068656c6c6f"}) {
    Bytes stream = from_hex(header);
    append(stream, from_hex(block));
    EXPECT_EQ(failure(Codec::kSnappy, stream), ErrorCode::kCorrupt) << block;
  }
  // Claims 4 GiB - 1 in a block of six bytes: refused before anything is allocated.
  EXPECT_EQ(failure(Codec::kSnappy, from_hex("ffffffff0f00")), ErrorCode::kCorrupt);
  EXPECT_EQ(failure(Codec::kSnappy, {}), ErrorCode::kCorrupt);
}

Bytes lz4_frame(ByteView bytes, LZ4F_preferences_t preferences) {
  Bytes frame(LZ4F_compressFrameBound(bytes.size(), &preferences));
  frame.resize(LZ4F_compressFrame(frame.data(), frame.size(), bytes.data(), bytes.size(), &preferences));
  return frame;
}

TEST(Lz4, WritesIndependentBlocksOf64KiBWithoutSizeAndContentChecksum) {
  const Bytes frame = compress(Codec::kLz4, as_bytes(std::string(200'000, 'x')));
  EXPECT_EQ(bytes_of(ByteView(frame).first(7)), from_hex("04224d18604082"));
}

TEST(Lz4, ReadsEveryOptionThatJavaReads) {
  Random random(21);
  const Bytes bytes = random_bytes(random, 300'000);
  for (const auto block : {LZ4F_max64KB, LZ4F_max256KB, LZ4F_max1MB, LZ4F_max4MB}) {
    for (int options = 0; options < 8; ++options) {
      LZ4F_preferences_t preferences{};
      preferences.frameInfo.blockSizeID = block;
      preferences.frameInfo.blockMode = LZ4F_blockIndependent;
      preferences.frameInfo.contentChecksumFlag = (options & 1) != 0 ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum;
      preferences.frameInfo.blockChecksumFlag = (options & 2) != 0 ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum;
      preferences.frameInfo.contentSize = (options & 4) != 0 ? bytes.size() : 0;
      const Bytes frame = lz4_frame(bytes, preferences);
      EXPECT_EQ(decompress(Codec::kLz4, frame).value(), bytes) << block << " " << options;
      // Any changed byte of a frame with all checksums shows.
      if (options == 7 && block == LZ4F_max64KB) {
        for (int i = 0; i < 300; ++i) {
          Bytes damaged = frame;
          damaged[random.below(damaged.size())] ^= static_cast<std::byte>(random.between(1, 255));
          EXPECT_FALSE(decompress(Codec::kLz4, damaged).ok()) << i;
        }
      }
    }
  }
}

TEST(Lz4, IgnoresAWrongContentSize) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  const std::string text(1000, 'y');
  preferences.frameInfo.contentSize = text.size();
  const Bytes honest = lz4_frame(as_bytes(text), preferences);
  // The same frame claiming 2^62 bytes; 0x0a is that descriptor's xxh32 byte, by Python's xxhash.
  Bytes liar = honest;
  const Bytes claim = from_hex("0000000000000040");
  std::copy(claim.begin(), claim.end(), liar.begin() + 6);
  EXPECT_EQ(failure(Codec::kLz4, liar), ErrorCode::kCorrupt) << "the header checksum is still the old one";
  liar[14] = std::byte{0x0a};
  EXPECT_EQ(decompress(Codec::kLz4, liar).value(), bytes_of(as_bytes(text)));
}

TEST(Lz4, RefusesLinkedBlocksAndDictionaries) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockLinked;
  EXPECT_EQ(failure(Codec::kLz4, lz4_frame(as_bytes(std::string(200'000, 'x')), preferences)),
            ErrorCode::kUnsupportedCodec);
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.dictID = 7;
  EXPECT_EQ(failure(Codec::kLz4, lz4_frame(as_bytes("abc"), preferences)), ErrorCode::kUnsupportedCodec);
}

TEST(Lz4, RefusesMalformedFrames) {
  const Bytes frame = compress(Codec::kLz4, as_bytes("some text"));
  const auto with = [&](std::size_t at, int value) {
    Bytes bytes = frame;
    bytes[at] = static_cast<std::byte>(value);
    return bytes;
  };
  EXPECT_EQ(failure(Codec::kLz4, with(0, 0x05)), ErrorCode::kCorrupt);    // magic
  EXPECT_EQ(failure(Codec::kLz4, with(4, 0xA0)), ErrorCode::kCorrupt);    // version 2
  EXPECT_EQ(failure(Codec::kLz4, with(4, 0x62)), ErrorCode::kCorrupt);    // reserved flag
  EXPECT_EQ(failure(Codec::kLz4, with(5, 0x30)), ErrorCode::kCorrupt);    // block size 3
  EXPECT_EQ(failure(Codec::kLz4, with(5, 0xC0)), ErrorCode::kCorrupt);    // reserved bit
  EXPECT_EQ(failure(Codec::kLz4, with(6, 0x83)), ErrorCode::kCorrupt);    // header checksum
  EXPECT_EQ(failure(Codec::kLz4, with(9, 0x7F)), ErrorCode::kCorrupt);    // block length
  Bytes two = frame;
  append(two, frame);
  EXPECT_EQ(failure(Codec::kLz4, two), ErrorCode::kCorrupt);  // clients would read the first only
}

TEST(Zstd, JoinsFramesAndStreamsOfUnknownSize) {
  Bytes frames = compress(Codec::kZstd, as_bytes("one "));
  append(frames, compress(Codec::kZstd, as_bytes("")));
  append(frames, compress(Codec::kZstd, as_bytes("two")));
  const auto joined = decompress(Codec::kZstd, frames).value();
  EXPECT_EQ(as_text(joined), "one two");

  // As streaming writers do: no content size, flushed in between.
  Random random(2);
  const Bytes bytes = random_bytes(random, 500'000);
  ZSTD_CCtx* context = ZSTD_createCCtx();
  Bytes out(ZSTD_compressBound(bytes.size()) + 4096);
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  for (std::size_t at = 0; at < bytes.size(); at += 50'000) {
    ZSTD_inBuffer input{bytes.data() + at, 50'000, 0};
    ZSTD_compressStream2(context, &output, &input, at + 50'000 == bytes.size() ? ZSTD_e_end : ZSTD_e_flush);
  }
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  EXPECT_EQ(ZSTD_getFrameContentSize(out.data(), out.size()), ZSTD_CONTENTSIZE_UNKNOWN);
  EXPECT_EQ(decompress(Codec::kZstd, out).value(), bytes);
}

TEST(Zstd, RefusesLargeWindows) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
  Bytes out(4096);
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  ZSTD_inBuffer input{"abc", 3, 0};
  // Flushed before the end, so that the frame cannot shrink its window to its content.
  ZSTD_compressStream2(context, &output, &input, ZSTD_e_flush);
  ZSTD_compressStream2(context, &output, &input, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  EXPECT_EQ(failure(Codec::kZstd, out), ErrorCode::kTooLarge);
}

TEST(Zstd, OpensALargeFrameOfOnePiece) {
  Random random(4);
  Bytes bytes(20u << 20);  // larger than the window limit, but it claims no more than is believed
  for (std::size_t at = 0; at < bytes.size(); at += 8) store_big(bytes.data() + at, random.next());
  EXPECT_EQ(decompress(Codec::kZstd, compress(Codec::kZstd, bytes)).value(), bytes);
}

TEST(Zstd, RefusesTheFormatsBeforeItsFirstRelease) {
  // The library on this system may read versions 0.5 to 0.7 (magics ...25 to ...27), without a limit on their windows.
  Bytes frame = compress(Codec::kZstd, as_bytes(std::string(1000, 'x')));
  Bytes second = frame;
  for (int magic = 0x1E; magic < 0x28; ++magic) {
    frame[0] = static_cast<std::byte>(magic);
    EXPECT_EQ(failure(Codec::kZstd, frame), ErrorCode::kCorrupt) << magic;
    Bytes both = second;
    append(both, frame);
    EXPECT_EQ(failure(Codec::kZstd, both), ErrorCode::kCorrupt) << magic;
  }
}

TEST(Zstd, DoesNotBelieveClaimedSizes) {
  Bytes frame = compress(Codec::kZstd, as_bytes("abc"));
  // Single segment, one byte of content size at 5: three bytes. Claims more, then less than there is.
  ASSERT_EQ(frame[4], std::byte{0x20});
  ASSERT_EQ(frame[5], std::byte{3});
  for (const int claim : {0, 2, 4, 200}) {
    frame[5] = static_cast<std::byte>(claim);
    EXPECT_EQ(failure(Codec::kZstd, frame), ErrorCode::kCorrupt) << claim;
  }
}

/// Damage is reported or changes the output; it never reads or writes outside (the sanitizers watch).
TEST(Compression, SurvivesDamage) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Random random(seed);
    const Bytes bytes = random_bytes(random, random.below(3000));
    for (const Codec codec : kCodecs) {
      Bytes whole = compress(codec, bytes);
      for (std::uint64_t left = random.between(1, 4); left > 0; --left)
        whole[random.below(whole.size())] = static_cast<std::byte>(random.next());
      const auto result = decompress(codec, whole);
      if (result.ok()) {
        EXPECT_LE(result->size(), limits::kDecompressionRatioFreeBytes);
      }
    }
  }
}

}  // namespace
}  // namespace pyralog::record
