#pragma once

#include <cstdint>
#include <limits>

namespace pyralog::protocol {

/// An authorized_operations value (else a bit per operation): the client did not ask for them.
inline constexpr std::int32_t kOperationsNotRequested = std::numeric_limits<std::int32_t>::min();

}  // namespace pyralog::protocol
