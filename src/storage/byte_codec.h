#pragma once

#include <concepts>
#include <cstddef>
#include <vector>

#include "core/bytes.h"

/// Little-endian fields of this folder's own formats, one after another.
namespace pyralog::storage {

template <std::integral T>
void put_little(std::vector<std::byte>& out, T value) {
  const std::size_t at = out.size();
  out.resize(at + sizeof value);
  store_little(out.data() + at, value);
}

/// Takes a field from the front of `bytes`; false, and nothing taken, if they end before it does.
template <std::integral T>
[[nodiscard]] bool take_little(ByteView& bytes, T& value) noexcept {
  if (bytes.size() < sizeof value) return false;
  value = load_little<T>(bytes.data());
  bytes = bytes.subspan(sizeof value);
  return true;
}

}  // namespace pyralog::storage
