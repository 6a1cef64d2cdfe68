#pragma once

#include <cstdint>

namespace pyralog::protocol {

/// Which records a reader sees. Values from the wire may lie outside the enumerators.
enum class IsolationLevel : std::int8_t {
  kReadUncommitted = 0,
  kReadCommitted = 1,  ///< only up to the last stable offset, with the list of aborted transactions
};

}  // namespace pyralog::protocol
