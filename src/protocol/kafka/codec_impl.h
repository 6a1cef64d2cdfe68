#pragma once

#include <vector>

#include "protocol/kafka/codec.h"
#include "protocol/kafka/decode_impl.h"
#include "protocol/kafka/encode_impl.h"
#include "protocol/kafka/frame_builder.h"

/// Bodies of the templates of `codec.h`. Each API's .cc includes this and instantiates them with PYRALOG_KAFKA_CODEC, so
/// that users of a message compile its struct only.
namespace pyralog::protocol {

template <class Message>
Result<Message> decode(ByteView body, ApiVersion version, Arena& arena) {
  static_assert(static_cast<std::size_t>(Message::kApi.accepted.last.value) < detail::kTableVersions);
  if (!Message::kApi.accepted.contains(version)) return detail::unsupported(Message::kApi, version);
  const auto lengths = Message::kApi.is_flexible(version) ? Reader::Lengths::kCompact : Reader::Lengths::kFixed;
  std::size_t budget_bytes_max = Reader::kBudgetBytesMax;
  if constexpr (requires { Message::kArrayBytesMax; }) budget_bytes_max = Message::kArrayBytesMax;
  Reader reader(body, version, lengths, arena, budget_bytes_max);
  Message message{};
  detail::read_struct(reader, message);
  if (reader.failed()) [[unlikely]]
    return reader.result().error().with_context(Message::kApi.name);
  return message;
}

namespace detail {

template <class Message>
Result<OutgoingFrame> encode_frame(const Message& message, const FrameHeader& header, AllocateSlice allocate) {
  if (!header.api->accepted.contains(header.version)) return unsupported(*header.api, header.version);
  Sizer sizer(header.version, header.api->is_flexible(header.version));
  size_struct(sizer, message);
  if (sizer.refused()) [[unlikely]]
    return refused(*header.api, sizer);
  PYRALOG_ASSIGN(OutgoingFrame frame, begin_frame(header, sizer.size(), allocate));
  std::vector<RecordsHole> holes;
  Writer writer = write_header(frame, header, holes);
  write_struct(writer, message);
  PYRALOG_ASSERT(writer.is_full(), "a message differs from its measured size");
  place_records(frame, holes, sizer.size().pieces_count);
  return frame;
}

}  // namespace detail

template <class Message>
Result<OutgoingFrame> encode_request(const Message& message, ApiVersion version, std::int32_t correlation_id,
                                     std::optional<std::string_view> client_id, AllocateSlice allocate) {
  const auto header = detail::FrameHeader::of_request(Message::kApi, version, correlation_id, client_id);
  return detail::encode_frame(message, header, allocate);
}

template <class Message>
Result<OutgoingFrame> encode_response(const Message& message, ApiVersion version, std::int32_t correlation_id,
                                      AllocateSlice allocate) {
  const auto header = detail::FrameHeader::of_response(Message::kApi, version, correlation_id);
  return detail::encode_frame(message, header, allocate);
}

}  // namespace pyralog::protocol

/// Instantiates the codec of both messages of an API; used inside namespace pyralog::protocol.
#define PYRALOG_KAFKA_CODEC(Request, Response)                                                                   \
  template Result<Request> decode<Request>(ByteView, ApiVersion, Arena&);                                        \
  template Result<Response> decode<Response>(ByteView, ApiVersion, Arena&);                                      \
  template Result<OutgoingFrame> encode_request<Request>(const Request&, ApiVersion, std::int32_t,               \
                                                         std::optional<std::string_view>, AllocateSlice);        \
  template Result<OutgoingFrame> encode_response<Response>(const Response&, ApiVersion, std::int32_t, AllocateSlice)
