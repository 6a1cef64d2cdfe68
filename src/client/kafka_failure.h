#pragma once

#include <optional>
#include <string_view>

#include "core/result.h"
#include "protocol/kafka/error_code.h"

namespace pyralog::client {

/// Our error for one that a server answered with, about `subject` ("log orders"): "not found: log orders:
/// UNKNOWN_TOPIC_OR_PARTITION". The server's own message is part of the detail. Retriable if the same request may succeed
/// later or at another node.
Error failure_of(protocol::KafkaError error, std::string_view subject,
                 std::optional<std::string_view> message = std::nullopt);

/// Nothing, or the failure.
inline Result<> check_answer(protocol::KafkaError error, std::string_view subject,
                             std::optional<std::string_view> message = std::nullopt) {
  if (error == protocol::KafkaError::kNone) return {};
  return failure_of(error, subject, message);
}

/// The server is not the partition's leader, or does not know the partition yet: ask for metadata again.
bool is_stale_metadata(protocol::KafkaError error) noexcept;

}  // namespace pyralog::client
