#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/kafka/codec.h"
#include "protocol/kafka/writer.h"

/// The parts of encoding that do not depend on the message's type. Used only by `codec_impl.h`.
namespace pyralog::protocol::detail {

/// Length prefix and header of a frame to be sent.
struct FrameHeader {
  const Api* api = nullptr;
  ApiVersion version;
  std::int32_t correlation_id = 0;
  std::optional<std::string_view> client_id;
  bool is_request = false;
  bool has_tagged_fields = false;

  static FrameHeader of_request(const Api& api, ApiVersion version, std::int32_t correlation_id,
                                std::optional<std::string_view> client_id);
  static FrameHeader of_response(const Api& api, ApiVersion version, std::int32_t correlation_id);
  std::size_t bytes() const noexcept;
};

Error refused(const Api& api, const Sizer& sizer);
Error unsupported(const Api& api, ApiVersion version);

/// A frame whose head has room for header and inline bytes. kTooLarge beyond limits::kFrameBytesMax.
Result<OutgoingFrame> begin_frame(const FrameHeader& header, const EncodedSize& size, AllocateSlice allocate);

/// Writes the header; the returned writer goes on with the message.
Writer write_header(OutgoingFrame& frame, const FrameHeader& header, std::vector<RecordsHole>& holes);

/// Splits the head at the holes and puts the records between.
void place_records(OutgoingFrame& frame, const std::vector<RecordsHole>& holes, std::size_t pieces_count);

}  // namespace pyralog::protocol::detail
