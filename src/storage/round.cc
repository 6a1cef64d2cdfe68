#include "storage/round.h"

#include <algorithm>
#include <cstring>

#include "core/limits.h"

namespace pyralog::storage {
namespace {

// What fills a round up to its last block.
alignas(Chunk::kAlignment) constexpr std::byte kPadding[limits::kBlockBytes]{};

}  // namespace

Slice CopyArena::copy(ByteView bytes) {
  if (chunk_.empty() || chunk_.size() - used_ < bytes.size()) {
    close_run();
    chunk_ = chunks_.take_slice(std::max(chunk_bytes_, bytes.size()));
    used_ = run_begin_ = 0;
  }
  const std::size_t at = used_;
  std::memcpy(chunk_.mutable_data() + at, bytes.data(), bytes.size());
  used_ += bytes.size();
  return chunk_.part(at, bytes.size());
}

void CopyArena::close_run() {
  if (used_ == run_begin_) return;
  const std::size_t end = std::min<std::size_t>(align_up(used_, sector_bytes_), chunk_.size());
  std::memset(chunk_.mutable_data() + used_, 0, end - used_);
  runs_.push_back(chunk_.part(run_begin_, end - run_begin_));
  used_ = run_begin_ = end;
}

std::vector<Slice> CopyArena::take_runs() {
  close_run();
  return std::exchange(runs_, {});
}

std::uint64_t Round::bytes_bound(std::uint64_t more, std::uint64_t sector_bytes, std::uint64_t block_bytes) const noexcept {
  using namespace journal_format;
  const std::uint64_t head = kRoundHeaderBytes + (entries_.size() + 1) * kDescriptorBytes;
  // Every payload in line is rounded out at both ends; runs of copies at one end each, of at least a chunk each.
  const std::uint64_t payload = payload_bytes_ + more;
  const std::uint64_t rounding = sector_bytes * (2 * (entries_in_line_ + 1) + 2 + payload / (CopyArena::kChunkBytes / 2));
  return align_up(head + payload + rounding + sector_bytes, block_bytes);
}

void Round::add(Descriptor descriptor, Slice payload, bool copied, std::uint64_t row) {
  payload_bytes_ += payload.size();
  if (!copied && !payload.empty()) ++entries_in_line_;
  entries_.push_back({descriptor, std::move(payload), copied, static_cast<std::uint32_t>(row)});
}

Round::Touched& Round::touch(PartitionFiles& partition, std::uint64_t& index, RoundSequence& in_round) {
  if (in_round != sequence_) {
    in_round = sequence_;
    index = touched_.size();
    touched_.emplace_back();
    touched_.back().partition = &partition;
  }
  return touched_[index];
}

std::uint64_t Round::place_in_line(std::uint64_t place, Entry& entry, std::uint64_t sector_bytes) {
  const std::byte* base = entry.payload.chunk()->data();
  const auto begin = static_cast<std::uint64_t>(entry.payload.data() - base);
  const std::uint64_t out_begin = align_down(begin, sector_bytes);
  const std::uint64_t out_end = align_up(begin + entry.payload.size(), sector_bytes);
  ByteView* last = pieces_.empty() ? nullptr : &pieces_.back();
  if (last != nullptr && last->data() >= base && last->data() <= base + out_begin &&
      last->data() + last->size() >= base + out_begin) {
    // The neighbour in memory was placed just before: share the sector between them, or go on where it ended.
    const auto last_begin = static_cast<std::uint64_t>(last->data() - base);
    const std::uint64_t last_place = place - last->size();
    entry.descriptor.place = static_cast<std::uint32_t>(last_place + (begin - last_begin));
    *last = ByteView(last->data(), std::max<std::uint64_t>(last->size(), out_end - last_begin));
    return last_place + last->size();
  }
  entry.descriptor.place = static_cast<std::uint32_t>(place + (begin - out_begin));
  pieces_.emplace_back(base + out_begin, out_end - out_begin);
  return place + (out_end - out_begin);
}

void Round::seal(std::uint64_t sector_bytes, std::uint64_t block_bytes) {
  using namespace journal_format;
  const std::uint64_t head_bytes = align_up(kRoundHeaderBytes + entries_.size() * kDescriptorBytes, sector_bytes);
  head_ = Slice::allocate(head_bytes);
  std::memset(head_.mutable_data(), 0, head_bytes);
  pieces_.clear();
  pieces_.emplace_back(head_.view());
  std::uint64_t place = head_bytes;
  std::vector<std::uint64_t> run_places;
  for (const Slice& run : runs_) {
    run_places.push_back(place);
    pieces_.emplace_back(run.view());
    place += run.size();
  }
  std::size_t run = 0;
  for (Entry& entry : entries_) {
    if (!entry.copied || entry.payload.empty()) continue;
    // Copies were made in the order of the entries, so runs come up one after the other.
    const auto inside = [&] {
      return entry.payload.data() >= runs_[run].data() && entry.payload.data() < runs_[run].data() + runs_[run].size();
    };
    while (!inside()) ++run;
    entry.descriptor.place =
        static_cast<std::uint32_t>(run_places[run] + static_cast<std::uint64_t>(entry.payload.data() - runs_[run].data()));
  }
  for (Entry& entry : entries_) {
    if (!entry.copied && !entry.payload.empty()) place = place_in_line(place, entry, sector_bytes);
  }
  length_ = align_up(place, block_bytes);
  if (length_ > place) pieces_.emplace_back(kPadding, length_ - place);
}

std::vector<ByteView> Round::encode(std::uint64_t salt, std::uint64_t position) {
  std::vector<Descriptor> descriptors;
  descriptors.reserve(entries_.size());
  for (const Entry& entry : entries_) descriptors.push_back(entry.descriptor);
  const RoundHeader header{.salt = salt,
                           .sequence = sequence_,
                           .position = position,
                           .length = length_,
                           .count = static_cast<std::uint32_t>(entries_.size())};
  encode_round(header, descriptors, head_.mutable_view());
  return pieces_;
}

void Round::release() {
  entries_.clear();
  runs_.clear();
  pieces_.clear();
  head_ = {};
}

}  // namespace pyralog::storage
