#pragma once

#include <cstdint>
#include <type_traits>

#include "protocol/kafka/every_message.h"
#include "protocol/kafka/codec.h"

/// One way to encode either kind of message, for tests that walk over all of them.
namespace pyralog::protocol::testing {

inline constexpr std::int32_t kCorrelationId = 0x01020304;
inline constexpr std::string_view kClientId = "tester";

/// The body (without length prefix and header) of a message's frame.
template <bool kIsRequest, class Message>
Result<Slice> encode_body(const Message& message, ApiVersion version) {
  const Api& api = Message::kApi;
  OutgoingFrame frame;
  std::size_t header_bytes = 4 + 4;
  if constexpr (kIsRequest) {
    PYRALOG_ASSIGN(frame, encode_request(message, version, kCorrelationId, kClientId));
    header_bytes += 2 + 2 + 2 + kClientId.size() + (api.is_flexible(version) ? 1 : 0);
  } else {
    PYRALOG_ASSIGN(frame, encode_response(message, version, kCorrelationId));
    header_bytes += api.is_flexible(version) && api.key != ApiKey::kApiVersions ? 1 : 0;
  }
  const Slice flat = flatten(frame);
  return flat.part(header_bytes, flat.size() - header_bytes);
}

/// Calls `visit.template operator()<kIsRequest, Message>(version)` for every message in every accepted version.
template <class Visit>
void for_each_message_version(Visit&& visit) {
  for_each_api([&]<class Request, class Response>() {
    const VersionRange range = Request::kApi.accepted;
    for (std::int16_t version = range.first.value; version <= range.last.value; ++version) {
      visit.template operator()<true, Request>(ApiVersion(version));
      visit.template operator()<false, Response>(ApiVersion(version));
    }
  });
}

}  // namespace pyralog::protocol::testing
