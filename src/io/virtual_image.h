#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/bytes.h"

namespace pyralog::io {

/// The bytes of a simulated file. Pages of zeros take no memory and copies share pages until one of them is written, so
/// that a pre-zeroed journal, a device beside its cache, and snapshots for every crash point all stay cheap.
class SparseImage {
 public:
  std::uint64_t size() const noexcept { return size_; }

  /// Cuts the end off, or grows with zeros.
  void resize(std::uint64_t size);

  /// Writes at `position`, growing to the end of `bytes` when that lies behind the end; a gap reads as zeros.
  void write(std::uint64_t position, ByteView bytes);

  /// The same with `count` zeros.
  void write_zeros(std::uint64_t position, std::uint64_t count);

  /// Fills `into` from `position`; what lies behind the end reads as zeros.
  void read(std::uint64_t position, MutableBytes into) const;

  std::vector<std::byte> bytes(std::uint64_t position, std::uint64_t count) const;

 private:
  static constexpr std::size_t kPageBytes = 4096;
  using Page = std::array<std::byte, kPageBytes>;

  Page& writable_page(std::size_t index);

  std::vector<std::shared_ptr<Page>> pages_;  // null: zeros. Nothing but zeros lies behind size_
  std::uint64_t size_ = 0;
};

}  // namespace pyralog::io
