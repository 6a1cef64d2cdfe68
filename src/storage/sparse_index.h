#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bytes.h"
#include "core/ids.h"
#include "storage/log_format.h"

namespace pyralog::storage {

/// Where one batch of a segment lies. A segment's `.index` has one for its first batch and then for about every 4 KiB;
/// offsets and positions rise strictly.
struct SparseEntry {
  Offset offset;                ///< the batch's base
  std::uint64_t position = 0;   ///< of its first byte in the segment
  std::uint32_t batch_bytes = 0;

  /// What a search looks for: the last entry within both bounds.
  struct Bound {
    Offset offset_max;
    std::uint64_t position_max = UINT64_MAX;
  };
  bool within(const Bound& bound) const noexcept {
    return offset <= bound.offset_max && position <= bound.position_max;
  }
  bool rises_after(const SparseEntry& previous) const noexcept {
    return offset > previous.offset && position > previous.position;
  }

  static constexpr std::uint64_t kMagic = log_format::index::kSparseMagic;
  static constexpr std::uint8_t kKind = log_format::index::kSparseKind;
  static constexpr std::size_t kBytes = log_format::index::kSparseEntryBytes;
  void store(std::byte* to) const noexcept {
    store_little(to, offset.value);
    store_little(to + 8, position);
    store_little(to + 16, batch_bytes);
  }
  static SparseEntry load(const std::byte* from) noexcept {
    return {Offset(load_little<std::int64_t>(from)), load_little<std::uint64_t>(from + 8),
            load_little<std::uint32_t>(from + 16)};
  }
  friend bool operator==(const SparseEntry&, const SparseEntry&) = default;
};

}  // namespace pyralog::storage
