#include <algorithm>
#include <vector>

#include "core/assert.h"
#include "record/compression.h"
#include "record/fuzz_memory.h"

/// Opens any bytes with each codec under small limits, and holds the decoders to their memory: bytes as they come, and
/// sound streams with a few bytes changed, which get past magics and checksums. Or sends the bytes through a round trip.
namespace pyralog::record {
namespace {

constexpr DecompressionLimits kLimits{.output_bytes_max = 1u << 20, .ratio_max = 50, .ratio_free_bytes = 256u << 10};

// What a call may hold beside its output: in general, and for zstd its window and tables.
constexpr std::size_t kBytesPerInputByte = 8;
constexpr std::size_t kFixedBytes = 64u << 10;
constexpr std::size_t kZstdBytes = limits::kZstdWindowBytesMax + (1u << 20);

void open_any(Codec codec, ByteView input) {
  const fuzz::MemoryMeter meter;
  const std::size_t output_bytes_max = kLimits.output_bytes_for(input.size());
  Decompressor decompressor(kLimits);
  const auto output = decompressor.decompress(codec, input);
  if (output.ok()) {
    PYRALOG_ASSERT(output->size() <= output_bytes_max, "output beyond the limit");
  }
  // Growing holds the old and the new memory for a moment.
  meter.expect_at_most(kBytesPerInputByte * input.size() + kFixedBytes + 2 * (output_bytes_max + 1) +
                       (codec == Codec::kZstd ? kZstdBytes : 0));
}

void round_trip(Codec codec, ByteView input) {
  static Compressor compressor;
  static Decompressor decompressor;
  ByteBuffer compressed;
  PYRALOG_ASSERT(compressor.compress(codec, input, compressed).ok(), "the codec is known");
  const ByteView back = decompressor.decompress(codec, compressed.view()).value();
  PYRALOG_ASSERT(std::ranges::equal(back, input), "a round trip changed the bytes");
}

/// Opens the compressed form of `input` after changes to it: two bytes of place, one of value, at the input's end.
void open_changed(Codec codec, ByteView input) {
  constexpr std::size_t kChangeBytes = 3;
  constexpr std::size_t kChangesMax = 4;
  const std::size_t changes = std::min(kChangesMax, input.size() / kChangeBytes);
  const ByteView plain = input.first(input.size() - changes * kChangeBytes);
  static Compressor compressor;
  ByteBuffer compressed;
  PYRALOG_ASSERT(compressor.compress(codec, plain, compressed).ok(), "the codec is known");
  std::vector<std::byte> changed(compressed.view().begin(), compressed.view().end());
  for (ByteView left = input.subspan(plain.size()); !left.empty(); left = left.subspan(kChangeBytes))
    changed[load_big<std::uint16_t>(left.data()) % changed.size()] = left[2];
  open_any(codec, changed);
}

}  // namespace
}  // namespace pyralog::record

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pyralog;
  using namespace pyralog::record;
  if (size == 0) return 0;
  const auto codec = static_cast<Codec>(1 + data[0] % 4);
  const ByteView input(reinterpret_cast<const std::byte*>(data + 1), size - 1);
  switch (data[0] / 4 % 3) {
    case 0:
      open_any(codec, input);
      break;
    case 1:
      open_changed(codec, input);
      break;
    default:
      round_trip(codec, input);
  }
  return 0;
}
