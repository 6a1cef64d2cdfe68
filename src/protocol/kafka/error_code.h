#pragma once

#include <cstdint>
#include <string_view>

#include "core/errors.h"

namespace pyralog::protocol {

/// An error as Kafka's clients know it; values from the wire may lie outside the enumerators. The table is
/// `error_codes.def`.
enum class KafkaError : std::int16_t {
#define PYRALOG_KAFKA_ERROR(enumerator, code, name) enumerator = code,
#include "protocol/kafka/error_codes.def"
#undef PYRALOG_KAFKA_ERROR
};

/// "OFFSET_OUT_OF_RANGE"; "UNKNOWN" for a code that Kafka does not have.
std::string_view kafka_error_name(KafkaError error) noexcept;

/// What a client is told about one of our errors where the handler knows nothing more precise. Errors that never reach a
/// client become UNKNOWN_SERVER_ERROR.
KafkaError to_kafka_error(ErrorCode code) noexcept;

}  // namespace pyralog::protocol
