#include <lz4.h>
#include <lz4frame.h>
#include <xxhash.h>

#include <algorithm>

#include "record/codecs.h"

namespace pyralog::record::codecs {
namespace {

// The frame format, version 1 (github.com/lz4/lz4, doc/lz4_Frame_format.md). Little-endian. Read by hand rather than
// through the library's stream decoder, whose buffers follow the block size that the frame claims.
constexpr std::uint32_t kFrameMagic = 0x184D2204;
constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kDescriptorBytesMin = 2;  // flags, block descriptor
constexpr std::size_t kContentSizeBytes = 8;
constexpr std::size_t kChecksumBytes = 4;

constexpr std::uint8_t kVersionMask = 0xC0;
constexpr std::uint8_t kVersion1 = 0x40;
constexpr std::uint8_t kBlocksIndependent = 0x20;
constexpr std::uint8_t kHasBlockChecksums = 0x10;
constexpr std::uint8_t kHasContentSize = 0x08;
constexpr std::uint8_t kHasContentChecksum = 0x04;
constexpr std::uint8_t kReservedFlag = 0x02;
constexpr std::uint8_t kHasDictionary = 0x01;

constexpr std::uint8_t kBlockReservedMask = 0x8F;
constexpr int kBlockSizeShift = 4;
constexpr unsigned kBlockSizeIdMin = 4;  // 64 KiB; each next is four times as large, up to 4 MiB

constexpr std::uint32_t kBlockStored = 0x80000000u;

// The densest block spends a byte on 255 of output, beside a few bytes of its own.
constexpr std::size_t kBlockRatioMax = 255;
constexpr std::size_t kBlockSlackBytes = 64;

struct FrameHeader {
  std::size_t bytes;  // its own size
  std::size_t block_bytes_max;
  bool has_block_checksums;
  bool has_content_checksum;
};

std::uint32_t xxh32(ByteView bytes) { return XXH32(bytes.data(), bytes.size(), 0); }

Result<FrameHeader> parse_frame_header(ByteView payload) {
  if (payload.size() < kMagicBytes + kDescriptorBytesMin + 1) return ErrorCode::kCorrupt;
  if (load_little<std::uint32_t>(payload.data()) != kFrameMagic) return ErrorCode::kCorrupt;
  const auto flags = static_cast<std::uint8_t>(payload[kMagicBytes]);
  const auto block = static_cast<std::uint8_t>(payload[kMagicBytes + 1]);
  if ((flags & kVersionMask) != kVersion1 || (flags & kReservedFlag) != 0) return ErrorCode::kCorrupt;
  if ((block & kBlockReservedMask) != 0 || block >> kBlockSizeShift < kBlockSizeIdMin) return ErrorCode::kCorrupt;
  // The Java clients read neither; a batch that only some consumers can open must not get into a log.
  if ((flags & kBlocksIndependent) == 0 || (flags & kHasDictionary) != 0) return ErrorCode::kUnsupportedCodec;

  // The content size may be wrong in practice and is not needed.
  const std::size_t descriptor_bytes = kDescriptorBytesMin + ((flags & kHasContentSize) != 0 ? kContentSizeBytes : 0);
  if (payload.size() < kMagicBytes + descriptor_bytes + 1) return ErrorCode::kCorrupt;
  const std::uint32_t hash = xxh32(payload.subspan(kMagicBytes, descriptor_bytes));
  if (payload[kMagicBytes + descriptor_bytes] != static_cast<std::byte>(hash >> 8)) return ErrorCode::kCorrupt;
  const unsigned size_id = block >> kBlockSizeShift;
  return FrameHeader{.bytes = kMagicBytes + descriptor_bytes + 1,
                     .block_bytes_max = (64u << 10) << (2 * (size_id - kBlockSizeIdMin)),
                     .has_block_checksums = (flags & kHasBlockChecksums) != 0,
                     .has_content_checksum = (flags & kHasContentChecksum) != 0};
}

Result<> decompress_block(ByteView block, bool stored, const FrameHeader& header, std::size_t output_bytes_max,
                          ByteBuffer& output) {
  const std::size_t allowed = output_bytes_max - output.size();
  if (stored) {
    if (block.size() > header.block_bytes_max) return ErrorCode::kCorrupt;
    if (block.size() > allowed) return ErrorCode::kTooLarge;
    output.append(block);
    return {};
  }
  // Decoding stops one byte beyond what is allowed, which is how an excess shows.
  const std::size_t wanted =
      std::min({header.block_bytes_max, kBlockRatioMax * block.size() + kBlockSlackBytes, allowed + 1});
  const MutableBytes room = output.room(wanted, output_bytes_max + 1);
  const auto* const from = reinterpret_cast<const char*>(block.data());
  auto* const to = reinterpret_cast<char*>(room.data());
  const auto block_bytes = static_cast<int>(block.size());
  const auto room_bytes = static_cast<int>(wanted);
  const int bytes = wanted > allowed ? LZ4_decompress_safe_partial(from, to, block_bytes, room_bytes, room_bytes)
                                     : LZ4_decompress_safe(from, to, block_bytes, room_bytes);
  if (bytes < 0) return ErrorCode::kCorrupt;
  if (static_cast<std::size_t>(bytes) > allowed) return ErrorCode::kTooLarge;
  output.commit(static_cast<std::size_t>(bytes));
  return {};
}

}  // namespace

Result<> decompress_lz4(ByteView payload, std::size_t output_bytes_max, ByteBuffer& output) {
  PYRALOG_ASSIGN(const FrameHeader header, parse_frame_header(payload));
  payload = payload.subspan(header.bytes);
  const std::size_t checksum_bytes = header.has_block_checksums ? kChecksumBytes : 0;
  for (;;) {
    if (payload.size() < sizeof(std::uint32_t)) return ErrorCode::kCorrupt;
    const auto word = load_little<std::uint32_t>(payload.data());
    payload = payload.subspan(sizeof word);
    if (word == 0) break;
    const std::size_t block_bytes = word & ~kBlockStored;
    if (block_bytes + checksum_bytes > payload.size()) return ErrorCode::kCorrupt;
    const ByteView block = payload.first(block_bytes);
    if (header.has_block_checksums && load_little<std::uint32_t>(payload.data() + block_bytes) != xxh32(block))
      return ErrorCode::kCorrupt;
    PYRALOG_TRY(decompress_block(block, (word & kBlockStored) != 0, header, output_bytes_max, output));
    payload = payload.subspan(block_bytes + checksum_bytes);
  }
  if (header.has_content_checksum) {
    if (payload.size() < kChecksumBytes || load_little<std::uint32_t>(payload.data()) != xxh32(output.view()))
      return ErrorCode::kCorrupt;
    payload = payload.subspan(kChecksumBytes);
  }
  // Kafka's clients stop after one frame and would miss what follows.
  if (!payload.empty()) return ErrorCode::kCorrupt;
  return {};
}

void compress_lz4(ByteView bytes, ByteBuffer& output) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  const MutableBytes room = output.room(LZ4F_compressFrameBound(bytes.size(), &preferences));
  const std::size_t written = LZ4F_compressFrame(room.data(), room.size(), bytes.data(), bytes.size(), &preferences);
  PYRALOG_ASSERT(!LZ4F_isError(written), "the bound must hold");
  output.commit(written);
}

}  // namespace pyralog::record::codecs
