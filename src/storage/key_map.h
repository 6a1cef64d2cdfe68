#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/random.h"

namespace pyralog::storage {

/// Keys and the offset of the last record that has each, for compaction: 24 bytes a key, in bounded memory.
///
/// A key is known by 128 bits of its hash alone. Two different keys that share them would cost one of them its value, so the
/// hash (XXH3) takes a secret drawn anew for each use: whoever chooses keys cannot look for such a pair beforehand, and by
/// chance one among a billion keys happens once in 10^20 uses. Comparing the keys themselves would take their memory,
/// or a read from the disk for each record that is superseded.
class KeyMap {
 public:
  static constexpr std::size_t kEntryBytes = 24;
  static constexpr std::size_t kEntriesMin = 16;

  /// Never takes more than `bytes_max`, while it grows neither; room for kEntriesMin keys is always there.
  explicit KeyMap(std::size_t bytes_max);

  /// Forgets everything and gives the memory back; `random` draws the secret.
  void clear(Random& random);

  /// The record at `offset` has the key; offsets rise from call to call. False: full, and the key is not noted.
  [[nodiscard]] bool put(ByteView key, Offset offset);
  /// Of the last record put with that key.
  std::optional<Offset> find(ByteView key) const;

  std::size_t size() const noexcept { return count_; }
  std::size_t memory_bytes() const noexcept { return slots_.capacity() * kEntryBytes; }

 private:
  struct Slot {
    std::uint64_t low = 0, high = 0;
    std::int64_t offset = -1;  // negative: free
  };
  static_assert(sizeof(Slot) == kEntryBytes);
  struct Hash {
    std::uint64_t low, high;
  };

  Hash hash(ByteView key) const noexcept;
  std::size_t find_slot(const std::vector<Slot>& slots, Hash hash) const noexcept;
  bool grow();
  static std::size_t entries_for(std::size_t slots) noexcept { return slots - slots / 5; }

  std::size_t slots_max_;
  std::vector<Slot> slots_;
  std::size_t count_ = 0;
  std::array<std::byte, 192> secret_{};
};

}  // namespace pyralog::storage
