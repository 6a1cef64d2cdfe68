#include "protocol/kafka/codec.h"

#include <fmt/format.h>

#include "core/limits.h"
#include "protocol/kafka/frame_builder.h"
#include "protocol/kafka/reader.h"

namespace pyralog::protocol {
namespace {

constexpr std::size_t kLengthBytes = 4;

/// Clients cannot know which header a version uses whose response header changed, so ApiVersions never changes it.
bool has_flexible_response_header(const Api& api, ApiVersion version) {
  return api.is_flexible(version) && api.key != ApiKey::kApiVersions;
}

}  // namespace

Result<ReceivedRequest> parse_request(ByteView frame) {
  Arena unused;
  Reader reader(frame, ApiVersion(0), Reader::Lengths::kFixed, unused);
  ReceivedRequest request;
  request.header.api_key = static_cast<ApiKey>(reader.integer<std::int16_t>());
  request.header.api_version = ApiVersion(reader.integer<std::int16_t>());
  request.header.correlation_id = reader.integer<std::int32_t>();
  PYRALOG_TRY(reader.result());
  request.api = find_api(request.header.api_key);
  if (request.api == nullptr) {
    return Error(ErrorCode::kUnsupportedVersion,
                 fmt::format("no API has key {}", static_cast<std::int16_t>(request.header.api_key)));
  }
  if (!request.api->accepted.contains(request.header.api_version)) return request;
  request.header.client_id = reader.nullable_short_string();
  if (request.api->is_flexible(request.header.api_version)) reader.skip_tagged_fields();
  PYRALOG_TRY(reader.result());
  request.body = reader.rest();
  return request;
}

Result<ReceivedResponse> parse_response(ByteView frame, const Api& api, ApiVersion version) {
  Arena unused;
  Reader reader(frame, version, Reader::Lengths::kFixed, unused);
  ReceivedResponse response;
  response.correlation_id = reader.integer<std::int32_t>();
  if (has_flexible_response_header(api, version)) reader.skip_tagged_fields();
  PYRALOG_TRY(reader.result());
  response.body = reader.rest();
  return response;
}

Slice flatten(const OutgoingFrame& frame) {
  Slice flat = Slice::allocate(frame.bytes);
  std::byte* at = flat.mutable_data();
  const auto append = [&at](const Slice& slice) {
    if (!slice.empty()) std::memcpy(at, slice.data(), slice.size());
    at += slice.size();
  };
  append(frame.head);
  for (const Piece& piece : frame.tail) {
    const auto* slice = std::get_if<Slice>(&piece);
    PYRALOG_ASSERT(slice != nullptr, "an external range has no bytes in memory");
    append(*slice);
  }
  return flat;
}

namespace detail {

FrameHeader FrameHeader::of_request(const Api& api, ApiVersion version, std::int32_t correlation_id,
                                    std::optional<std::string_view> client_id) {
  FrameHeader header;
  header.api = &api;
  header.version = version;
  header.correlation_id = correlation_id;
  header.client_id = client_id;
  header.is_request = true;
  header.has_tagged_fields = api.is_flexible(version);
  return header;
}

FrameHeader FrameHeader::of_response(const Api& api, ApiVersion version, std::int32_t correlation_id) {
  FrameHeader header;
  header.api = &api;
  header.version = version;
  header.correlation_id = correlation_id;
  header.has_tagged_fields = has_flexible_response_header(api, version);
  return header;
}

std::size_t FrameHeader::bytes() const noexcept {
  const std::size_t request_bytes = is_request ? 2 + 2 + 2 + client_id.value_or("").size() : 0;
  return kLengthBytes + request_bytes + 4 + (has_tagged_fields ? 1 : 0);
}

Error refused(const Api& api, const Sizer& sizer) { return sizer.refusal().with_context(api.name); }

Error unsupported(const Api& api, ApiVersion version) {
  return Error(ErrorCode::kUnsupportedVersion, fmt::format("{} version {}", api.name, version.value));
}

Result<OutgoingFrame> begin_frame(const FrameHeader& header, const EncodedSize& size, AllocateSlice allocate) {
  if (header.client_id && header.client_id->size() > 0x7fff) return Error(ErrorCode::kTooLarge, "client id");
  OutgoingFrame frame;
  frame.bytes = header.bytes() + size.total_bytes();
  if (frame.bytes - kLengthBytes > limits::kFrameBytesMax) {
    return Error(ErrorCode::kTooLarge, fmt::format("{} frame of {} bytes", header.api->name, frame.bytes));
  }
  const std::size_t inline_bytes = header.bytes() + size.inline_bytes;
  frame.head = allocate(inline_bytes);
  if (frame.head.size() > inline_bytes) frame.head = frame.head.part(0, inline_bytes);
  return frame;
}

Writer write_header(OutgoingFrame& frame, const FrameHeader& header, std::vector<RecordsHole>& holes) {
  Writer writer(frame.head.mutable_view(), header.version, header.api->is_flexible(header.version), holes);
  writer.integer(static_cast<std::int32_t>(frame.bytes - kLengthBytes));
  if (header.is_request) {
    writer.integer(static_cast<std::int16_t>(header.api->key));
    writer.integer(header.version.value);
  }
  writer.integer(header.correlation_id);
  if (header.is_request) {
    writer.integer(static_cast<std::int16_t>(header.client_id ? static_cast<std::int16_t>(header.client_id->size()) : -1));
    writer.raw(as_bytes(header.client_id.value_or("")));
  }
  if (header.has_tagged_fields) writer.varint(0);
  return writer;
}

void place_records(OutgoingFrame& frame, const std::vector<RecordsHole>& holes, std::size_t pieces_count) {
  if (holes.empty()) return;
  const Slice written = frame.head;
  frame.head = written.part(0, holes.front().inline_position);
  frame.tail.reserve(pieces_count + holes.size());
  for (std::size_t i = 0; i < holes.size(); ++i) {
    for (const Piece& piece : holes[i].records->pieces()) frame.tail.push_back(piece);
    const std::size_t begin = holes[i].inline_position;
    const std::size_t end = i + 1 < holes.size() ? holes[i + 1].inline_position : written.size();
    if (begin != end) frame.tail.emplace_back(written.part(begin, end - begin));
  }
}

}  // namespace detail
}  // namespace pyralog::protocol
