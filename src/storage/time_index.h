#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/time.h"
#include "storage/log_format.h"

namespace pyralog::storage {

/// The newest timestamp among all of a segment's batches up to and including the one with base `offset`. A segment's
/// `.timeindex` has one beside a sparse entry whenever the newest timestamp rose since the entry before; so a record not
/// older than some time lies after the last entry below that time.
struct TimeEntry {
  WallTime timestamp;
  Offset offset;

  /// What a search looks for: the last entry before a time.
  struct Bound {
    WallTime before;
  };
  bool within(const Bound& bound) const noexcept { return timestamp < bound.before; }
  bool rises_after(const TimeEntry& previous) const noexcept {
    return timestamp > previous.timestamp && offset > previous.offset;
  }

  static constexpr std::uint64_t kMagic = log_format::index::kTimeMagic;
  static constexpr std::uint8_t kKind = log_format::index::kTimeKind;
  static constexpr std::size_t kBytes = log_format::index::kTimeEntryBytes;
  void store(std::byte* to) const noexcept {
    store_little(to, timestamp.ms);
    store_little(to + 8, offset.value);
  }
  static TimeEntry load(const std::byte* from) noexcept {
    return {WallTime{load_little<std::int64_t>(from)}, Offset(load_little<std::int64_t>(from + 8))};
  }
  friend bool operator==(const TimeEntry&, const TimeEntry&) = default;
};

}  // namespace pyralog::storage
