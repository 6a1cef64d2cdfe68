#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/bytes.h"
#include "core/ids.h"

namespace pyralog::sim {

/// Names one value that a client sends; no two sendings share one.
using ValueId = StrongId<struct ValueIdTag, std::uint64_t>;

inline constexpr std::size_t kValueBytesMin = 12;

/// `bytes` bytes (at least kValueBytesMin) that follow from the id and their number: some compress well, some do not.
std::string make_value(ValueId id, std::size_t bytes);

/// The id of a value, if these are exactly the bytes that were made for it.
std::optional<ValueId> identify(ByteView value);

}  // namespace pyralog::sim
