#include <snappy.h>

#include <algorithm>
#include <array>

#include "record/codecs.h"

namespace pyralog::record::codecs {
namespace {

// The stream form of the Java library: magic, two version words, then blocks of int32 length and raw snappy.
constexpr std::array<std::uint8_t, 8> kXerialMagic = {0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0x00};
constexpr std::size_t kXerialHeaderBytes = kXerialMagic.size() + 2 * sizeof(std::int32_t);
constexpr std::int32_t kXerialVersion = 1;
constexpr std::size_t kXerialBlockBytes = 32u << 10;

// The densest element of the raw format turns three bytes into 64, so a block that claims more than this many times its
// size lies.
constexpr std::size_t kRawRatioMax = 22;

const char* chars(const std::byte* data) { return reinterpret_cast<const char*>(data); }

bool starts_xerial(ByteView bytes) {
  return bytes.size() >= kXerialHeaderBytes && std::memcmp(bytes.data(), kXerialMagic.data(), kXerialMagic.size()) == 0;
}

Result<> decompress_raw(ByteView block, std::size_t output_bytes_max, ByteBuffer& output) {
  std::size_t claimed = 0;
  if (!snappy::GetUncompressedLength(chars(block.data()), block.size(), &claimed)) return ErrorCode::kCorrupt;
  if (claimed > kRawRatioMax * block.size()) return ErrorCode::kCorrupt;
  if (claimed > output_bytes_max - output.size()) return ErrorCode::kTooLarge;
  const MutableBytes room = output.room(std::max<std::size_t>(claimed, 1), output_bytes_max);
  if (!snappy::RawUncompress(chars(block.data()), block.size(), reinterpret_cast<char*>(room.data())))
    return ErrorCode::kCorrupt;
  output.commit(claimed);
  return {};
}

}  // namespace

Result<> decompress_snappy(ByteView payload, std::size_t output_bytes_max, ByteBuffer& output) {
  if (!starts_xerial(payload)) return decompress_raw(payload, output_bytes_max, output);
  while (!payload.empty()) {
    if (starts_xerial(payload)) {  // at the start, and where streams were put one after another
      payload = payload.subspan(kXerialHeaderBytes);
      continue;
    }
    if (payload.size() < sizeof(std::int32_t)) return ErrorCode::kCorrupt;
    const auto block_bytes = load_big<std::int32_t>(payload.data());
    payload = payload.subspan(sizeof(std::int32_t));
    if (block_bytes < 0 || static_cast<std::size_t>(block_bytes) > payload.size()) return ErrorCode::kCorrupt;
    PYRALOG_TRY(decompress_raw(payload.first(block_bytes), output_bytes_max, output));
    payload = payload.subspan(block_bytes);
  }
  return {};
}

void compress_snappy(ByteView bytes, ByteBuffer& output) {
  std::array<std::byte, kXerialHeaderBytes> header;
  std::memcpy(header.data(), kXerialMagic.data(), kXerialMagic.size());
  store_big(header.data() + kXerialMagic.size(), kXerialVersion);
  store_big(header.data() + kXerialMagic.size() + sizeof(std::int32_t), kXerialVersion);
  output.append(header);
  while (!bytes.empty()) {
    const ByteView block = bytes.first(std::min(bytes.size(), kXerialBlockBytes));
    const MutableBytes room = output.room(sizeof(std::int32_t) + snappy::MaxCompressedLength(block.size()));
    std::size_t written = 0;
    snappy::RawCompress(chars(block.data()), block.size(), reinterpret_cast<char*>(room.data()) + sizeof(std::int32_t),
                        &written);
    store_big(room.data(), static_cast<std::int32_t>(written));
    output.commit(sizeof(std::int32_t) + written);
    bytes = bytes.subspan(block.size());
  }
}

}  // namespace pyralog::record::codecs
