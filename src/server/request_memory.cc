#include "server/request_memory.h"

#include <fmt/format.h>

#include "core/limits.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/reader.h"

namespace pyralog::server {

using protocol::ApiKey;

Result<std::size_t> RequestMemory::units_for(ByteView frame, std::size_t bytes) {
  // A produce request is records, which stay where they are; all others consist of what they are decoded into.
  if (frame.size() >= sizeof(std::int16_t) &&
      static_cast<ApiKey>(load_big<std::int16_t>(frame.data())) == ApiKey::kProduce) {
    return bytes;
  }
  if (bytes > limits::kControlFrameBytesMax) {
    return Error(ErrorCode::kTooLarge, fmt::format("frame of {} bytes, at most {} are accepted but to produce", bytes,
                                                   limits::kControlFrameBytesMax));
  }
  return bytes * (1 + protocol::Reader::kBudgetFactor);
}

io::Task<RequestMemory::Charge> RequestMemory::acquire(std::size_t frame_bytes, std::size_t units, io::AbortSource& abort) {
  io::Semaphore& part = part_for(frame_bytes);
  const std::size_t most = std::min(units, half_);
  if (co_await part.acquire(most, abort) != io::WaitOutcome::kWoken) co_return Charge();
  co_return Charge(part, most);
}

}  // namespace pyralog::server
