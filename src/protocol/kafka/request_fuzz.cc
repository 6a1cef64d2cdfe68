#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/assert.h"
#include "protocol/kafka/message_codec.h"
#include "protocol/kafka/random_message.h"
#include "protocol/kafka/reader.h"

/// Decodes a message whose API and version the first two bytes choose (requests and responses). Memory stays within the
/// budget, and what decodes can be encoded, decoded and encoded again without a change. Half of what the mutator tries
/// starts from a valid message, so that it reaches beyond the first length.
namespace pyralog::protocol {
namespace {

constexpr std::size_t kChoiceBytes = 2;

struct Target {
  void (*check)(ByteView body, ApiVersion version);
  Slice (*random_body)(Random& random, ApiVersion version);
  ApiVersion version;
};

template <bool kIsRequest, class Message>
void check(ByteView body, ApiVersion version) {
  Arena arena;
  const Result<Message> message = decode<Message>(body, version, arena);
  PYRALOG_ASSERT(arena.reserved_bytes() <= Reader::kBudgetFactor * body.size() + Reader::kBudgetFreeBytes, "over budget");
  if (!message.ok()) return;
  const Slice encoded = testing::encode_body<kIsRequest>(*message, version).value();
  // A message may shrink (tagged fields that hold their defaults are not sent) but must keep its meaning. The budget of
  // the shorter form may then be too small for it, which is the only refusal that is right.
  Arena arena_again;
  const Result<Message> again = decode<Message>(encoded.view(), version, arena_again);
  if (!again.ok() && encoded.size() < body.size()) return;
  PYRALOG_ASSERT(again.ok() && *again == *message, "an encoded message decodes to something else");
  const Slice encoded_again = testing::encode_body<kIsRequest>(*again, version).value();
  PYRALOG_ASSERT(std::ranges::equal(encoded.view(), encoded_again.view()), "encoding is not stable");
}

template <bool kIsRequest, class Message>
Slice random_body(Random& random, ApiVersion version) {
  Arena arena;
  Message message{};
  testing::fill(random, arena, version, message);
  return testing::encode_body<kIsRequest>(message, version).value();
}

const std::vector<Target>& targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> list;
    testing::for_each_message_version([&]<bool kIsRequest, class Message>(ApiVersion version) {
      list.push_back({check<kIsRequest, Message>, random_body<kIsRequest, Message>, version});
    });
    return list;
  }();
  return all;
}

}  // namespace
}  // namespace pyralog::protocol

using namespace pyralog;
using namespace pyralog::protocol;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(reinterpret_cast<const std::byte*>(data), size);
  if (size < kChoiceBytes) return 0;
  const auto choice = load_little<std::uint16_t>(input.data());
  const Target& target = targets()[choice % targets().size()];
  target.check(input.subspan(kChoiceBytes), target.version);
  // The same bytes as a frame: header, then whatever API and version it names.
  const Result<ReceivedRequest> request = parse_request(input);
  if (request.ok() && request->body.size() > size) std::abort();
  return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  Random random(seed);
  if (random.chance(1, 2)) {
    const auto choice = static_cast<std::uint16_t>(random.below(targets().size()));
    const Slice body = targets()[choice].random_body(random, targets()[choice].version);
    if (kChoiceBytes + body.size() <= max_size) {
      store_little(reinterpret_cast<std::byte*>(data), choice);
      if (!body.empty()) std::memcpy(data + kChoiceBytes, body.data(), body.size());
      size = kChoiceBytes + body.size();
    }
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
