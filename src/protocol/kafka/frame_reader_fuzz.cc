#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/bytes.h"
#include "protocol/kafka/frame_reader.h"

/// Feeds a stream in chunks whose sizes come from the input, and compares the frames with a plain walk over the stream.
using namespace pyralog;
using namespace pyralog::protocol;

namespace {

constexpr std::size_t kFrameBytesMax = 5000;

/// The frame at the start of `stream` as the format defines it; empty optional if it is not whole.
std::optional<ByteView> whole_frame(ByteView stream) {
  if (stream.size() < 4) return std::nullopt;
  const auto length = load_big<std::uint32_t>(stream.data());
  if (length > kFrameBytesMax || stream.size() - 4 < length) return std::nullopt;
  return stream.subspan(4, length);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t chunk_max = data[0] + 1u;
  const ByteView stream(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  FrameReader reader(kFrameBytesMax);
  std::size_t fed = 0;
  std::size_t taken = 0;
  while (fed < stream.size()) {
    const MutableBytes room = reader.prepare();
    const std::size_t part = std::min({room.size(), chunk_max, stream.size() - fed});
    if (part == 0) std::abort();
    std::ranges::copy(stream.subspan(fed, part), room.begin());
    reader.commit(part);
    fed += part;
    for (;;) {
      const std::optional<ByteView> expected = whole_frame(stream.subspan(taken, fed - taken));
      const Result<std::optional<Slice>> frame = reader.next();
      if (!frame.ok()) {
        const auto length = load_big<std::uint32_t>(stream.data() + taken);
        if (length <= kFrameBytesMax) std::abort();
        return 0;
      }
      if (frame->has_value() != expected.has_value()) std::abort();
      if (!expected) break;
      if (!std::ranges::equal((*frame)->view(), *expected)) std::abort();
      taken += 4 + expected->size();
    }
    if (reader.pending_bytes() != fed - taken) std::abort();
  }
  return 0;
}
