#include "protocol/kafka/reader.h"

#include <fmt/format.h>

#include <cstring>

#include "core/limits.h"

namespace pyralog::protocol {
namespace {

constexpr std::size_t kStringBytesMax = 0x7fff;

}  // namespace

Result<> Reader::result() const {
  if (!failed()) return {};
  return Error(ErrorCode::kCorrupt, fmt::format("{} at byte {}", failure_, failure_position_));
}

void Reader::fail(const char* reason) noexcept {
  if (failed()) return;
  failure_ = reason;
  failure_position_ = static_cast<std::size_t>(at_ - begin_);
  at_ = end_;
}

Uuid Reader::uuid() noexcept {
  Uuid uuid;
  const ByteView raw = take(uuid.bytes.size());
  if (!raw.empty()) std::memcpy(uuid.bytes.data(), raw.data(), raw.size());
  return uuid;
}

std::uint32_t Reader::varint_slow() noexcept {
  std::uint64_t value = 0;
  for (int shift = 0; shift <= 28; shift += 7) {
    const auto byte = integer<std::uint8_t>();
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) {
      if (value > 0xffff'ffffu) fail("varint exceeds 32 bits");
      return failed() ? 0 : static_cast<std::uint32_t>(value);
    }
  }
  fail("varint exceeds five bytes");
  return 0;
}

std::int64_t Reader::compact_length() noexcept {
  const std::int64_t length = std::int64_t{varint()} - 1;
  if (length > static_cast<std::int64_t>(remaining())) fail("length exceeds the message");
  return failed() ? 0 : length;
}

template <std::signed_integral T>
std::int64_t Reader::fixed_length() noexcept {
  const std::int64_t length = integer<T>();
  if (length < -1) fail("negative length");
  if (length > static_cast<std::int64_t>(remaining())) fail("length exceeds the message");
  return failed() ? 0 : length;
}

ByteView Reader::take(std::size_t bytes) noexcept {
  if (bytes > remaining()) [[unlikely]]
    return fail("ends inside a value"), ByteView{};
  const ByteView taken(at_, bytes);
  at_ += bytes;
  return taken;
}

std::optional<std::string_view> Reader::nullable_string() noexcept {
  if (!is_flexible_) return nullable_short_string();
  const std::int64_t length = compact_length();
  if (length < 0) return std::nullopt;
  if (length > static_cast<std::int64_t>(kStringBytesMax)) fail("string exceeds 32767 bytes");
  return failed() ? std::string_view("") : as_text(take(static_cast<std::size_t>(length)));
}

std::optional<std::string_view> Reader::nullable_short_string() noexcept {
  const std::int64_t length = fixed_length<std::int16_t>();
  if (length < 0) return std::nullopt;
  return as_text(take(static_cast<std::size_t>(length)));
}

std::string_view Reader::string() noexcept {
  const std::optional<std::string_view> value = nullable_string();
  if (!value) fail("null where a string is required");
  return value.value_or("");
}

std::optional<ByteView> Reader::nullable_bytes() noexcept {
  const std::int64_t length = is_flexible_ ? compact_length() : fixed_length<std::int32_t>();
  if (length < 0) return std::nullopt;
  return take(static_cast<std::size_t>(length));
}

ByteView Reader::bytes() noexcept {
  const std::optional<ByteView> value = nullable_bytes();
  if (!value) fail("null where bytes are required");
  return value.value_or(ByteView{});
}

std::int64_t Reader::array_count(std::size_t element_bytes_min) noexcept {
  const std::int64_t count = is_flexible_ ? std::int64_t{varint()} - 1 : std::int64_t{integer<std::int32_t>()};
  if (count < -1) fail("negative count");
  // Neither factor exceeds 2^32, so the product does not overflow.
  if (count > 0 && static_cast<std::uint64_t>(count) * element_bytes_min > remaining()) fail("count exceeds the message");
  return failed() ? 0 : count;
}

Reader::TaggedSection Reader::tagged_section() noexcept {
  const std::uint32_t count = varint();
  if (count > limits::kTaggedFieldsMax) fail("too many tagged fields");
  const std::size_t reach = std::min(remaining(), limits::kTaggedFieldBytesMax);
  return {failed() ? 0 : count, at_ + reach};
}

Reader::TaggedField Reader::tagged_field(const TaggedSection& section) noexcept {
  const std::uint32_t tag = varint();
  const std::uint32_t bytes = varint();
  if (failed()) return {0, 0};
  if (bytes > remaining()) return fail("tagged field exceeds the message"), TaggedField{0, 0};
  if (at_ > section.end_max || bytes > static_cast<std::size_t>(section.end_max - at_))
    return fail("tagged fields are too long"), TaggedField{0, 0};
  return {tag, bytes};
}

}  // namespace pyralog::protocol
