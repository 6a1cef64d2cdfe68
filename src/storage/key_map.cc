#include "storage/key_map.h"

#include <xxhash.h>

#include <algorithm>

#include "core/assert.h"

namespace pyralog::storage {
namespace {

constexpr std::size_t kSlotsFirst = 1024;
static_assert(XXH3_SECRET_SIZE_MIN <= 192);

}  // namespace

KeyMap::KeyMap(std::size_t bytes_max) : slots_max_(std::max(bytes_max / kEntryBytes, kEntriesMin * 2)) {}

void KeyMap::clear(Random& random) {
  slots_ = std::vector<Slot>();
  count_ = 0;
  for (std::size_t at = 0; at < secret_.size(); at += sizeof(std::uint64_t)) store_little(secret_.data() + at, random.next());
}

KeyMap::Hash KeyMap::hash(ByteView key) const noexcept {
  const XXH128_hash_t hash = XXH3_128bits_withSecret(key.data(), key.size(), secret_.data(), secret_.size());
  return {hash.low64, hash.high64};
}

/// Where the hash is, or the free slot where it belongs.
std::size_t KeyMap::find_slot(const std::vector<Slot>& slots, Hash hash) const noexcept {
  auto at = static_cast<std::size_t>(static_cast<unsigned __int128>(hash.low) * slots.size() >> 64);
  while (slots[at].offset >= 0 && (slots[at].low != hash.low || slots[at].high != hash.high)) {
    if (++at == slots.size()) at = 0;
  }
  return at;
}

/// Old and new table together stay within the bound, so the last step up may be a small one.
bool KeyMap::grow() {
  const std::size_t room = slots_max_ - slots_.size();
  const std::size_t wanted = slots_.empty() ? std::min(kSlotsFirst, slots_max_) : std::min(slots_.size() * 2, room);
  if (wanted <= slots_.size()) return false;
  std::vector<Slot> larger(wanted);
  for (const Slot& slot : slots_) {
    if (slot.offset >= 0) larger[find_slot(larger, {slot.low, slot.high})] = slot;
  }
  slots_ = std::move(larger);
  return true;
}

bool KeyMap::put(ByteView key, Offset offset) {
  PYRALOG_ASSERT(offset.value >= 0, "a record's offset is not negative");
  const Hash sought = hash(key);
  if (slots_.empty() && !grow()) return false;
  std::size_t at = find_slot(slots_, sought);
  if (slots_[at].offset < 0) {
    if (count_ == entries_for(slots_.size())) {
      if (!grow()) return false;
      at = find_slot(slots_, sought);
    }
    ++count_;
  }
  slots_[at] = {sought.low, sought.high, offset.value};
  return true;
}

std::optional<Offset> KeyMap::find(ByteView key) const {
  if (slots_.empty()) return std::nullopt;
  const Slot& slot = slots_[find_slot(slots_, hash(key))];
  return slot.offset < 0 ? std::nullopt : std::optional(Offset(slot.offset));
}

}  // namespace pyralog::storage
