#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "core/bytes.h"
#include "core/slice.h"

namespace pyralog::protocol {

/// The elements of an array field. Like std::string_view it owns nothing: decoded elements lie in the request's Arena,
/// those of an answer wherever its builder put them (an Arena, a vector that outlives the encoding).
template <class T>
class ArrayView {
 public:
  using value_type = T;

  constexpr ArrayView() = default;
  constexpr ArrayView(std::span<const T> items) noexcept : data_(items.data()), size_(items.size()) {}  // NOLINT
  constexpr ArrayView(std::span<T> items) noexcept : data_(items.data()), size_(items.size()) {}        // NOLINT
  constexpr ArrayView(const std::vector<T>& items) noexcept : data_(items.data()), size_(items.size()) {}  // NOLINT
  ArrayView(std::vector<T>&&) = delete;

  constexpr const T* begin() const noexcept { return data_; }
  constexpr const T* end() const noexcept { return data_ + size_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr const T& operator[](std::size_t index) const noexcept { return data_[index]; }

  friend constexpr bool operator==(ArrayView a, ArrayView b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  const T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A `bytes` field: opaque to Kafka, owned by the frame or the answer's builder.
struct Bytes {
  ByteView view;

  friend bool operator==(Bytes a, Bytes b) { return std::ranges::equal(a.view, b.view); }
};

/// Bytes that an outgoing frame takes from elsewhere (a file): the sender knows what `id` stands for.
struct ExternalRange {
  std::uint32_t id = 0;
  std::size_t bytes = 0;

  friend bool operator==(const ExternalRange&, const ExternalRange&) = default;
};

/// Part of an outgoing frame: bytes in memory, or a range that is sent without passing through memory.
using Piece = std::variant<Slice, ExternalRange>;

inline std::size_t piece_bytes(const Piece& piece) noexcept {
  const auto* slice = std::get_if<Slice>(&piece);
  return slice != nullptr ? slice->size() : std::get<ExternalRange>(piece).bytes;
}

/// A `records` field: null, bytes in place (decoded: inside the frame; encoded: copied into the message, so meant for
/// small payloads), or pieces that an outgoing frame refers to. What it points to must live until the encoding is done;
/// encoding counts references to the slices, so the frame then stands alone.
class Records {
 public:
  constexpr Records() = default;
  constexpr Records(ByteView bytes) noexcept : bytes_(bytes), is_null_(false) {}  // NOLINT: a view of the same bytes
  static Records of(std::span<const Piece> pieces) noexcept {
    Records records;
    records.pieces_ = pieces;
    records.is_null_ = false;
    return records;
  }

  constexpr bool is_null() const noexcept { return is_null_; }
  constexpr ByteView bytes() const noexcept { return bytes_; }
  constexpr std::span<const Piece> pieces() const noexcept { return pieces_; }

  /// Length on the wire, of bytes or pieces.
  std::size_t size() const noexcept {
    std::size_t total = bytes_.size();
    for (const Piece& piece : pieces_) total += piece_bytes(piece);
    return total;
  }

  /// Equal content; external ranges count as their id and length.
  friend bool operator==(const Records& a, const Records& b) {
    return a.is_null_ == b.is_null_ && std::ranges::equal(a.bytes_, b.bytes_) &&
           std::ranges::equal(a.pieces_, b.pieces_, same_piece);
  }

 private:
  static bool same_piece(const Piece& a, const Piece& b) {
    if (a.index() != b.index()) return false;
    if (const auto* range = std::get_if<ExternalRange>(&a)) return *range == std::get<ExternalRange>(b);
    return std::ranges::equal(std::get<Slice>(a).view(), std::get<Slice>(b).view());
  }

  ByteView bytes_;
  std::span<const Piece> pieces_;
  bool is_null_ = true;
};

/// The part of `frame` that `view` (a decoded Records or Bytes) lies in, as a counted reference: no copy.
inline Slice slice_of(const Slice& frame, ByteView view) {
  if (view.empty()) return {};
  const std::ptrdiff_t begin = view.data() - frame.data();
  PYRALOG_ASSERT(begin >= 0, "view is not inside its frame");
  return frame.part(static_cast<std::size_t>(begin), view.size());
}

}  // namespace pyralog::protocol
