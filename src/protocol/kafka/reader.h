#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/bytes.h"
#include "core/result.h"
#include "protocol/kafka/arena.h"
#include "protocol/kafka/field.h"

namespace pyralog::protocol {

/// Reads wire values from untrusted bytes. The first failure sticks: from then on nothing remains and every read gives
/// zero, so callers check `result()` once at the end. Strings, bytes and records are views of the input; arrays go to
/// the arena, which may grow by at most kBudgetFactor × input + kBudgetFreeBytes, and by no more than the message may have.
class Reader {
 public:
  static constexpr std::size_t kBudgetFactor = 8;
  static constexpr std::size_t kBudgetFreeBytes = 64u << 10;
  static constexpr std::size_t kBudgetBytesMax = 64u << 20;

  enum class Lengths : bool { kFixed, kCompact };  ///< compact (varint) lengths and tagged fields: flexible versions

  Reader(ByteView input, ApiVersion version, Lengths lengths, Arena& arena,
         std::size_t budget_bytes_max = kBudgetBytesMax) noexcept
      : begin_(input.data()),
        at_(input.data()),
        end_(input.data() + input.size()),
        arena_(&arena),
        reserved_bytes_max_(arena.reserved_bytes() +
                            std::min(kBudgetFactor * input.size() + kBudgetFreeBytes, budget_bytes_max)),
        version_(version),
        is_flexible_(lengths == Lengths::kCompact) {}

  ApiVersion version() const noexcept { return version_; }
  bool is_flexible() const noexcept { return is_flexible_; }
  std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  ByteView rest() const noexcept { return {at_, remaining()}; }
  bool failed() const noexcept { return failure_ != nullptr; }

  /// kCorrupt with reason and place if something failed.
  Result<> result() const;

  /// Records a failure; `reason` is a literal. Only the first counts.
  void fail(const char* reason) noexcept;

  template <std::integral T>
  T integer() noexcept {
    if (remaining() < sizeof(T)) [[unlikely]]
      return fail("ends inside a number"), T{};
    const T value = load_big<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  bool boolean() noexcept { return integer<std::int8_t>() != 0; }
  Uuid uuid() noexcept;

  /// Unsigned LEB128 of up to five bytes and 32 bits.
  std::uint32_t varint() noexcept {
    if (at_ != end_ && (*at_ & std::byte{0x80}) == std::byte{0}) [[likely]]
      return static_cast<std::uint32_t>(*at_++);
    return varint_slow();
  }

  /// At most 32,767 bytes in either form.
  std::optional<std::string_view> nullable_string() noexcept;
  std::string_view string() noexcept;
  /// The client id of request headers keeps a two-byte length in every version.
  std::optional<std::string_view> nullable_short_string() noexcept;

  std::optional<ByteView> nullable_bytes() noexcept;
  ByteView bytes() noexcept;

  /// The count of an array, checked against what remains: each element takes at least `element_bytes_min`. -1: null.
  std::int64_t array_count(std::size_t element_bytes_min) noexcept;

  /// Memory for `count` > 0 elements, empty (and failed) when that exceeds the budget.
  template <class T>
  std::span<T> elements(std::size_t count) noexcept {
    std::span<T> items = arena_->make_within<T>(count, reserved_bytes_max_);
    if (items.empty()) [[unlikely]]
      fail("array needs more memory than its message is worth");
    return items;
  }

  /// Tagged section: `known(tag)` reads the value of a tag it knows, and returns whether it did. Others are skipped.
  /// A tag may come once, its value must have the announced size; limits::kTaggedFieldsMax and kTaggedFieldBytesMax hold.
  template <class Known>
  void tagged_fields(Known known) {
    std::uint64_t seen = 0;
    const TaggedSection section = tagged_section();
    for (std::uint32_t i = 0; i < section.count && !failed(); ++i) {
      const TaggedField field = tagged_field(section);
      if (failed()) return;
      const std::byte* value_end = at_ + field.bytes;
      const std::byte* input_end = std::exchange(end_, value_end);
      if (!known(field.tag)) {
        at_ = end_;
      } else if (!failed()) {
        if (at_ != end_) fail("tagged field has left-over bytes");
        if (field.tag < 64 && (seen >> field.tag & 1) != 0) fail("tagged field is repeated");
        if (field.tag < 64) seen |= std::uint64_t{1} << field.tag;
      }
      if (!failed()) end_ = input_end;
    }
  }
  void skip_tagged_fields() {
    tagged_fields([](std::uint32_t) { return false; });
  }

 private:
  struct TaggedSection {
    std::uint32_t count;
    const std::byte* end_max;  ///< the section may not reach beyond
  };
  struct TaggedField {
    std::uint32_t tag;
    std::uint32_t bytes;
  };

  TaggedSection tagged_section() noexcept;
  TaggedField tagged_field(const TaggedSection& section) noexcept;
  std::uint32_t varint_slow() noexcept;
  /// Length of a string or bytes; -1: null. Fails if it exceeds what remains.
  std::int64_t compact_length() noexcept;
  template <std::signed_integral T>
  std::int64_t fixed_length() noexcept;
  ByteView take(std::size_t bytes) noexcept;

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  Arena* arena_;
  std::size_t reserved_bytes_max_;
  const char* failure_ = nullptr;
  std::size_t failure_position_ = 0;
  ApiVersion version_;
  bool is_flexible_;
};

}  // namespace pyralog::protocol
