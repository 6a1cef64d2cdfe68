#include <cstdint>
#include <cstring>

#include "cluster/commands.h"
#include "cluster/metadata_image.h"
#include "core/checksum.h"

namespace {

using namespace pyralog;
using namespace pyralog::cluster;

/// Puts a good checksum and length on `bytes`, so that the body behind them is reached.
std::vector<std::byte> with_good_header(ByteView body) {
  std::vector<std::byte> bytes = MetadataImage().encode_snapshot();
  bytes.resize(20);
  bytes.insert(bytes.end(), body.begin(), body.end());
  store_little(bytes.data() + 8, static_cast<std::uint64_t>(body.size()));
  const ByteView view(bytes);
  store_little(bytes.data() + 16, crc32c(view.subspan(20), crc32c(view.first(16))));
  return bytes;
}

}  // namespace

/// First byte: 0 takes the rest as one command; 1 as a snapshot; 2 as the body of a snapshot; 3 as commands, each after
/// its length in 16 bits, applied one after the other.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteView bytes = std::as_bytes(std::span(data + 1, size - 1));
  if (data[0] == 0) {
    const auto command = decode_command(bytes);
    if (!command.ok()) return 0;
    const auto again = encode_command(*command);
    PYRALOG_ASSERT(again.size() == bytes.size() && std::memcmp(again.data(), bytes.data(), again.size()) == 0,
                   "a command has one encoding");
  } else if (data[0] == 1 || data[0] == 2) {
    const auto file = data[0] == 1 ? std::vector<std::byte>(bytes.begin(), bytes.end()) : with_good_header(bytes);
    const auto image = MetadataImage::decode_snapshot(file);
    if (image.ok()) PYRALOG_ASSERT((*image)->encode_snapshot() == file, "an image has one encoding");
  } else {
    auto image = std::make_shared<const MetadataImage>();
    while (bytes.size() >= 2) {
      const std::size_t command_bytes =
          std::min<std::size_t>(load_little<std::uint16_t>(bytes.data()), bytes.size() - 2);
      const auto command = decode_command(bytes.subspan(2, command_bytes));
      bytes = bytes.subspan(2 + command_bytes);
      if (!command.ok()) continue;
      const auto next = image->apply(MetadataIndex(image->applied_index().value + 1), *command);
      if (next.ok()) image = *next;
    }
    const auto copy = MetadataImage::decode_snapshot(image->encode_snapshot());
    PYRALOG_ASSERT(copy.ok(), "every image that commands make has a valid snapshot");
    PYRALOG_ASSERT((*copy)->encode_snapshot() == image->encode_snapshot(), "a snapshot holds the whole image");
  }
  return 0;
}
