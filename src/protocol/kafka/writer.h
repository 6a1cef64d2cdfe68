#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "protocol/kafka/field.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

/// Bytes that an unsigned varint takes.
constexpr std::size_t varint_bytes(std::uint32_t value) noexcept {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

/// How a message will look on the wire.
struct EncodedSize {
  std::size_t inline_bytes = 0;    ///< what a Writer writes
  std::size_t external_bytes = 0;  ///< records that are referred to, not written
  std::size_t pieces_count = 0;    ///< how many pieces those are in

  std::size_t total_bytes() const noexcept { return inline_bytes + external_bytes; }
};

/// A place in the written bytes where `records` go.
struct RecordsHole {
  std::size_t inline_position;
  const Records* records;
};

/// Writes wire values into memory that a measurement has sized: it neither checks nor grows. Records made of pieces are
/// noted as holes instead of being written.
class Writer {
 public:
  Writer(MutableBytes into, ApiVersion version, bool is_flexible, std::vector<RecordsHole>& holes) noexcept
      : begin_(into.data()),
        at_(into.data()),
        end_(into.data() + into.size()),
        holes_(&holes),
        version_(version),
        is_flexible_(is_flexible) {}

  ApiVersion version() const noexcept { return version_; }
  bool is_flexible() const noexcept { return is_flexible_; }
  bool is_full() const noexcept { return at_ == end_; }

  template <std::integral T>
  void integer(T value) noexcept {
    store_big(at_, value);
    at_ += sizeof(T);
  }
  void uuid(const Uuid& value) noexcept { raw(std::as_bytes(std::span(value.bytes))); }
  void raw(ByteView bytes) noexcept {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void varint(std::uint32_t value) noexcept {
    for (; value >= 0x80; value >>= 7) *at_++ = static_cast<std::byte>(value | 0x80);
    *at_++ = static_cast<std::byte>(value);
  }

  /// -1: null.
  void string_length(std::int64_t length) noexcept { this->length<std::int16_t>(length); }
  void bytes_length(std::int64_t length) noexcept { this->length<std::int32_t>(length); }

  void records(const Records& records) {
    bytes_length(records.is_null() ? -1 : static_cast<std::int64_t>(records.size()));
    raw(records.bytes());
    if (!records.pieces().empty()) holes_->push_back({static_cast<std::size_t>(at_ - begin_), &records});
  }

 private:
  template <std::signed_integral T>
  void length(std::int64_t length) noexcept {
    if (is_flexible_) {
      varint(static_cast<std::uint32_t>(length + 1));
    } else {
      integer(static_cast<T>(length));
    }
  }

  std::byte* begin_;
  std::byte* at_;
  std::byte* end_;
  std::vector<RecordsHole>* holes_;
  ApiVersion version_;
  bool is_flexible_;
};

/// Adds up what a Writer would write, and finds out whether it may: the first refusal sticks.
class Sizer {
 public:
  Sizer(ApiVersion version, bool is_flexible) noexcept : version_(version), is_flexible_(is_flexible) {}

  ApiVersion version() const noexcept { return version_; }
  bool is_flexible() const noexcept { return is_flexible_; }
  const EncodedSize& size() const noexcept { return size_; }

  void add(std::size_t bytes) noexcept { size_.inline_bytes += bytes; }
  void string(std::string_view text) noexcept {
    if (text.size() > 0x7fff) refuse(ErrorCode::kTooLarge, "holds a string of more than 32767 bytes");
    add((is_flexible_ ? varint_bytes(static_cast<std::uint32_t>(text.size() + 1)) : 2) + text.size());
  }
  void null_string() noexcept { add(is_flexible_ ? 1 : 2); }
  /// Length prefix of bytes, or count of an array.
  void length(std::size_t value) noexcept {
    if (value > 0x7fff'fffe) refuse(ErrorCode::kTooLarge, "has a length of more than 2^31 - 2");
    add(is_flexible_ ? varint_bytes(static_cast<std::uint32_t>(value + 1)) : 4);
  }
  void null_length() noexcept { add(is_flexible_ ? 1 : 4); }
  void records(const Records& records) noexcept {
    if (records.is_null()) return null_length();
    const std::size_t bytes = records.size();
    length(bytes);
    add(records.bytes().size());
    size_.external_bytes += bytes - records.bytes().size();
    size_.pieces_count += records.pieces().size();
  }

  /// `why` is a literal that goes on from the field's name.
  void refuse(ErrorCode code, const char* why) noexcept {
    if (why_ == nullptr) code_ = code, why_ = why;
  }
  /// Names the field of a refusal that has none yet.
  void name_refusal(const char* field) noexcept {
    if (why_ != nullptr && field_ == nullptr) [[unlikely]]
      field_ = field;
  }
  bool refused() const noexcept { return why_ != nullptr; }
  Error refusal() const;

 private:
  EncodedSize size_;
  const char* field_ = nullptr;
  const char* why_ = nullptr;
  ErrorCode code_ = ErrorCode::kInvalidArgument;
  ApiVersion version_;
  bool is_flexible_;
};

}  // namespace pyralog::protocol
