#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Kafka's signed varints: zigzag, then base 128 with the low group first. `std::int32_t` takes at most 5 bytes and
/// `std::int64_t` at most 10. Longer spellings of a small number than needed are legal.
namespace pyralog::record {

template <std::signed_integral T>
constexpr std::make_unsigned_t<T> zigzag(T value) noexcept {
  using Unsigned = std::make_unsigned_t<T>;
  return (static_cast<Unsigned>(value) << 1) ^ static_cast<Unsigned>(value >> (sizeof(T) * 8 - 1));
}
template <std::unsigned_integral U>
constexpr std::make_signed_t<U> unzigzag(U raw) noexcept {
  return static_cast<std::make_signed_t<U>>((raw >> 1) ^ (U{0} - (raw & 1)));
}

template <std::signed_integral T>
constexpr std::size_t varint_bytes(T value) noexcept {
  auto raw = zigzag(value);
  std::size_t bytes = 1;
  while (raw >= 0x80) {
    raw >>= 7;
    ++bytes;
  }
  return bytes;
}

/// Writes `value` and returns the byte after it. The caller has made room for `varint_bytes(value)`.
template <std::signed_integral T>
std::byte* write_varint(std::byte* to, T value) noexcept {
  auto raw = zigzag(value);
  while (raw >= 0x80) {
    *to++ = static_cast<std::byte>(raw | 0x80);
    raw >>= 7;
  }
  *to++ = static_cast<std::byte>(raw);
  return to;
}

/// A number and the byte after it, or nullptr and nothing. Small enough to be returned in registers.
template <std::signed_integral T>
struct VarintRead {
  const std::byte* after;
  T value;
};

/// Any length of varint; the general form of `read_varint`. Returns its value rather than fill a reference, so that
/// callers can keep theirs in registers.
template <std::signed_integral T>
[[gnu::noinline]] VarintRead<T> read_long_varint(const std::byte* at, const std::byte* end) noexcept {
  using Unsigned = std::make_unsigned_t<T>;
  constexpr int kBits = sizeof(T) * 8;
  Unsigned raw = 0;
  for (int shift = 0; shift < kBits && at < end; shift += 7) {
    const auto group = static_cast<Unsigned>(*at++);
    const Unsigned low = group & 0x7F;
    if (shift + 7 > kBits && (low >> (kBits - shift)) != 0) break;
    raw |= low << shift;
    if (group < 0x80) return {at, unzigzag(raw)};
  }
  return {nullptr, 0};
}

/// Reads a varint from `[at, end)` and returns the byte after it; nullptr if the bytes end first or the number does not
/// fit. One and two bytes, which nearly all fields of a record take, are read in line.
template <std::signed_integral T>
[[gnu::always_inline]] inline const std::byte* read_varint(const std::byte* at, const std::byte* end,
                                                           T& value) noexcept {
  using Unsigned = std::make_unsigned_t<T>;
  if (at < end) [[likely]] {
    const auto first = static_cast<Unsigned>(at[0]);
    if (first < 0x80) [[likely]] {
      value = unzigzag(first);
      return at + 1;
    }
    if (end - at >= 2) [[likely]] {
      const auto second = static_cast<Unsigned>(at[1]);
      if (second < 0x80) [[likely]] {
        value = unzigzag(static_cast<Unsigned>((first & 0x7F) | second << 7));
        return at + 2;
      }
    }
  }
  const VarintRead<T> read = read_long_varint<T>(at, end);
  value = read.value;
  return read.after;
}

}  // namespace pyralog::record
