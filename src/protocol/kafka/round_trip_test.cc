#include <gtest/gtest.h>

#include <algorithm>

#include "protocol/kafka/message_codec.h"
#include "protocol/kafka/random_message.h"

namespace pyralog::protocol {
namespace {

using testing::encode_body;
using testing::for_each_message_version;

template <bool kIsRequest, class Message>
std::string label(ApiVersion version) {
  return std::string(Message::kApi.name) + (kIsRequest ? " request v" : " response v") + std::to_string(version.value);
}

TEST(MessageCodec, DecodesWhatItEncodes) {
  Random random(20261);
  for_each_message_version([&]<bool kIsRequest, class Message>(ApiVersion version) {
    for (int round = 0; round < 30; ++round) {
      Arena arena;
      Message message{};
      testing::fill(random, arena, version, message);
      const Result<Slice> body = encode_body<kIsRequest>(message, version);
      ASSERT_TRUE(body.ok()) << label<kIsRequest, Message>(version) << ": " << body.error().to_string();
      const Result<Message> decoded = decode<Message>(body->view(), version, arena);
      ASSERT_TRUE(decoded.ok()) << label<kIsRequest, Message>(version) << ": " << decoded.error().to_string();
      ASSERT_TRUE(*decoded == message) << label<kIsRequest, Message>(version);
    }
  });
}

TEST(MessageCodec, RefusesEveryTruncation) {
  Random random(20262);
  for_each_message_version([&]<bool kIsRequest, class Message>(ApiVersion version) {
    Arena arena;
    Message message{};
    testing::fill(random, arena, version, message);
    const Slice body = encode_body<kIsRequest>(message, version).value();
    const std::size_t step = body.size() / 2000 + 1;
    for (std::size_t bytes = 0; bytes < body.size(); bytes += step) {
      Arena scratch;
      const Result<Message> decoded = decode<Message>(body.view().first(bytes), version, scratch);
      ASSERT_FALSE(decoded.ok()) << label<kIsRequest, Message>(version) << " cut to " << bytes;
      ASSERT_EQ(decoded.error().code(), ErrorCode::kCorrupt);
    }
  });
}

TEST(MessageCodec, SurvivesBitFlipsWithinItsMemoryBudget) {
  Random random(20263);
  for_each_message_version([&]<bool kIsRequest, class Message>(ApiVersion version) {
    for (int round = 0; round < 8; ++round) {
      Arena arena;
      Message message{};
      testing::fill(random, arena, version, message);
      const Slice original = encode_body<kIsRequest>(message, version).value();
      for (int flip = 0; flip < 60 && !original.empty(); ++flip) {
        Slice damaged = Slice::copy_of(original.view());
        for (std::uint64_t i = random.between(1, 4); i > 0; --i) {
          damaged.mutable_data()[random.below(damaged.size())] ^= std::byte(1u << random.below(8));
        }
        Arena scratch;
        const Result<Message> decoded = decode<Message>(damaged.view().first(original.size()), version, scratch);
        ASSERT_LE(scratch.reserved_bytes(), 8 * original.size() + (64u << 10));
        if (!decoded.ok()) continue;
        // Whatever was understood can be said again, and then stays the same.
        const Result<Slice> again = encode_body<kIsRequest>(*decoded, version);
        ASSERT_TRUE(again.ok()) << label<kIsRequest, Message>(version) << ": " << again.error().to_string();
        Arena scratch_again;
        const Result<Message> decoded_again = decode<Message>(again->view(), version, scratch_again);
        ASSERT_TRUE(decoded_again.ok() && *decoded_again == *decoded) << label<kIsRequest, Message>(version);
      }
    }
  });
}

TEST(MessageCodec, ToleratesBytesAfterTheMessage) {
  Random random(20264);
  for_each_message_version([&]<bool kIsRequest, class Message>(ApiVersion version) {
    Arena arena;
    Message message{};
    testing::fill(random, arena, version, message);
    const Slice body = encode_body<kIsRequest>(message, version).value();
    Slice longer = Slice::allocate(body.size() + 3).part(0, body.size() + 3);
    std::ranges::copy(body.view(), longer.mutable_data());
    std::ranges::fill(longer.mutable_view().last(3), std::byte{0xff});
    const Result<Message> decoded = decode<Message>(longer.view(), version, arena);
    ASSERT_TRUE(decoded.ok() && *decoded == message) << label<kIsRequest, Message>(version);
  });
}

TEST(MessageCodec, RefusesVersionsOutsideTheRange) {
  for_each_api([&]<class Request, class Response>() {
    Arena arena;
    const VersionRange range = Request::kApi.accepted;
    for (int version : {range.first.value - 1, range.last.value + 1, -1, 32767, -32768}) {
      const ApiVersion outside(static_cast<std::int16_t>(version));
      EXPECT_EQ(decode<Request>({}, outside, arena).error().code(), ErrorCode::kUnsupportedVersion);
      EXPECT_EQ(decode<Response>({}, outside, arena).error().code(), ErrorCode::kUnsupportedVersion);
      EXPECT_EQ(encode_request(Request{}, outside, 0, {}).error().code(), ErrorCode::kUnsupportedVersion);
      EXPECT_EQ(encode_response(Response{}, outside, 0).error().code(), ErrorCode::kUnsupportedVersion);
    }
  });
}

}  // namespace
}  // namespace pyralog::protocol
