#pragma once

#include <span>
#include <vector>

#include "core/result.h"
#include "protocol/kafka/codec.h"
#include "protocol/kafka/produce.h"

namespace limit {

/// What a load needs to know before it can produce: one node, and any log asked for has `partitions` partitions.
struct Facts {
  std::int32_t port = 0;
  std::int32_t partitions = 1;
};

/// The answer to any request but Produce. `ends`: where each partition ends.
pyralog::Result<pyralog::protocol::OutgoingFrame> answer(const pyralog::protocol::ReceivedRequest& request, const Facts& facts,
                                                         std::span<const pyralog::Offset> ends);

/// Checks a Produce request as a server must (lengths, CRC, record structure), stamps its batches with their offsets, and
/// adds them to `batches`. Returns the answer, to be sent when they are durable.
pyralog::Result<pyralog::protocol::OutgoingFrame> accept_produce(const pyralog::protocol::ReceivedRequest& request,
                                                                 const pyralog::Slice& frame,
                                                                 std::vector<pyralog::Offset>& ends,
                                                                 std::vector<pyralog::Slice>& batches);

}  // namespace limit
