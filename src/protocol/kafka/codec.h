#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/slice.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/arena.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

/// Header of a request. Flexible versions of an API use header version 2, others 1.
struct RequestHeader {
  ApiKey api_key{};
  ApiVersion api_version;
  std::int32_t correlation_id = 0;
  std::optional<std::string_view> client_id;
};

/// A request frame taken apart as far as its header.
struct ReceivedRequest {
  const Api* api = nullptr;
  RequestHeader header;
  ByteView body;
};

/// A frame to be sent: length prefix, header and message. `head` goes first, then `tail` in order; records are in `tail`
/// as the slices or external ranges that the message referred to. Messages without such records have no tail.
struct OutgoingFrame {
  Slice head;
  std::vector<Piece> tail;
  std::size_t bytes = 0;  ///< of all of it
};

/// Where the written part of frames comes from; must return at least as many bytes as asked.
using AllocateSlice = Slice (*)(std::size_t bytes);

/// `frame` is what follows the length prefix; the result refers to it. kCorrupt: no well-formed header.
/// kUnsupportedVersion: an API without messages here (its key is in the detail). A version outside `api->accepted` is not
/// an error here, because ApiVersions answers it; its body is then empty and its client id absent.
Result<ReceivedRequest> parse_request(ByteView frame);

/// A response frame's correlation id and body. `version` is that of the request it answers.
struct ReceivedResponse {
  std::int32_t correlation_id = 0;
  ByteView body;
};
Result<ReceivedResponse> parse_response(ByteView frame, const Api& api, ApiVersion version);

/// Reads a message of `version`; strings, bytes and records refer to `body`, arrays lie in `arena`. What follows a
/// well-formed message is ignored (librdkafka 2.15 appends bytes to some requests). kUnsupportedVersion: not in the API's
/// accepted range. kCorrupt: malformed, or it claims more than it holds; the detail says where.
/// Instantiated for every message in its API's .cc file, as are the functions below.
template <class Message>
Result<Message> decode(ByteView body, ApiVersion version, Arena& arena);

/// The frame of a request. kUnsupportedVersion: the version lacks a field that is set and may not be dropped.
/// kInvalidArgument: null where the version has none. kTooLarge: a string or array beyond what its length can say.
template <class Message>
Result<OutgoingFrame> encode_request(const Message& message, ApiVersion version, std::int32_t correlation_id,
                                     std::optional<std::string_view> client_id,
                                     AllocateSlice allocate = &Slice::allocate);

/// The frame of a response to a request of `version`; errors as for requests.
template <class Message>
Result<OutgoingFrame> encode_response(const Message& message, ApiVersion version, std::int32_t correlation_id,
                                      AllocateSlice allocate = &Slice::allocate);

/// The bytes of a frame in one piece, for tests and for senders of small frames. Must hold no external ranges.
Slice flatten(const OutgoingFrame& frame);

}  // namespace pyralog::protocol
