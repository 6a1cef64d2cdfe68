#include "storage/partition_ledger.h"

#include <algorithm>

#include "core/assert.h"
#include "storage/planted.h"

namespace pyralog::storage {

void PartitionLedger::create(PartitionFiles& partition, Incarnation incarnation, std::string directory,
                             DurabilityClass durability, Offset start) {
  partition.incarnation_ = incarnation;
  partition.directory_ = std::move(directory);
  partition.durability_ = durability;
  partition.start_ = start;
  partition.durable_end_ = start;
  partition.segments_.assign(1, Segment{.base = start});
  partition.state_.trim(start);
  partition.synced_ = partition.clean_ = LogPosition{start, 0};
}

Segment* PartitionLedger::segment(Offset base) noexcept {
  const auto at = std::lower_bound(p_.segments_.begin(), p_.segments_.end(), base,
                                   [](const Segment& segment, Offset sought) { return segment.base < sought; });
  return at != p_.segments_.end() && at->base == base ? &*at : nullptr;
}

std::optional<LogPosition> PartitionLedger::image_begin() const noexcept {
  const LogPosition at = end();
  if (dirty() || at.position % block_bytes_ == 0) return std::nullopt;
  return LogPosition{at.segment, align_down(at.position, block_bytes_)};
}

void PartitionLedger::note_journaled(RoundSequence round, LogPosition end) {
  auto& journaled = p_.journaled_;
  if (!journaled.empty()) {
    PartitionFiles::Journaled& last = journaled.back();
    // Recovery asks for whole blocks, so one row a block is enough: naming an older round only makes it read more.
    const bool same_block = last.end.segment == end.segment && last.end.position / block_bytes_ == end.position / block_bytes_;
    if (last.round == round || same_block) {
      last.end = std::max(last.end, end);
      return;
    }
  }
  journaled.push_back({round, end});
}

void PartitionLedger::append(Slice bytes, RoundSequence round) {
  push_resident(std::move(bytes));
  note_journaled(round, end());
}

void PartitionLedger::push_resident(Slice bytes) {
  const LogPosition at = end();
  const std::uint64_t size = bytes.size();
  p_.dirty_bytes_ += size;
  p_.memory_bytes_ += size;
  p_.segments_.back().end += size;
  Resident* last = p_.residents_.empty() ? nullptr : &p_.residents_.back();
  if (last != nullptr && !last->in_file && last->at.segment == at.segment && last->end() == at.position &&
      last->slice.join(bytes)) {
    last->bytes += size;
  } else {
    p_.residents_.push_back({at, size, std::move(bytes), false});
  }
}

void PartitionLedger::begin_cached() {
  PYRALOG_ASSERT(p_.segments_.back().end == 0 && p_.journaled_.empty(), "a class begins in a new segment, all else clean");
  p_.durability_ = DurabilityClass::kCached;
  if (p_.cached_ == nullptr) p_.cached_ = std::make_unique<Cached>();
  settle_cached();
}

void PartitionLedger::end_cached() {
  PYRALOG_ASSERT(p_.segments_.back().end == 0 && p_.clean_ == end(), "a class begins in a new segment, all else clean");
  p_.durability_ = DurabilityClass::kDurable;
  p_.durable_end_ = p_.state_.log_end();
  p_.cached_.reset();
}

void PartitionLedger::settle_cached() {
  Cached& cached = *p_.cached_;
  cached.synced = p_.synced_ = end();
  cached.mark = CachedMark{end(), end()};
  cached.state.clear();
  p_.state_.encode(cached.state);
  cached.next.reset();
  cached.ends.clear();
  cached.unsynced_bytes = cached.unsynced_records = cached.unwritten_records = 0;
  p_.durable_end_ = p_.state_.log_end();
}

void PartitionLedger::forget_mark() {
  Cached& cached = *p_.cached_;
  cached.mark.reset();
  cached.next.reset();
  cached.ends.clear();
  cached.synced = p_.synced_ = end();
}

void PartitionLedger::append_cached(Slice bytes, Offset log_end) {
  push_resident(std::move(bytes));
  p_.synced_ = end();
  std::vector<PartitionFiles::BatchEnd>& ends = p_.cached_->ends;
  const bool same_block = !ends.empty() && ends.back().end.segment == end().segment &&
                          align_up(ends.back().end.position, block_bytes_) == align_up(end().position, block_bytes_);
  if (same_block) ends.pop_back();
  ends.push_back({end(), log_end});
}

void PartitionLedger::offer_scan_start() {
  Cached& cached = *p_.cached_;
  if (cached.next.has_value() || (cached.mark.has_value() && cached.mark->scan_from == end())) return;
  cached.next.emplace(end());
  p_.state_.encode(cached.next->state);
}

void PartitionLedger::offer_segment_start() {
  p_.cached_->next.reset();
  offer_scan_start();
}

bool PartitionLedger::cached_synced(LogPosition synced_end) {
  Cached& cached = *p_.cached_;
  cached.synced = std::max(cached.synced, synced_end);
  if (!cached.mark.has_value()) return false;
  // A block that will be written to again may be destroyed with what was synced in it; no block of a finished segment will.
  LogPosition solid = cached.synced;
  const Segment* at = segment(solid.segment);
  const bool finished = at != nullptr && at != &p_.segments_.back() && solid.position == at->end;
  if (!finished) solid.position = align_down(solid.position, block_bytes_);
  CachedMark& mark = *cached.mark;
  if (cached.next.has_value() && cached.next->at <= solid) {
    mark.scan_from = cached.next->at;
    mark.solid_end = std::max(mark.solid_end, mark.scan_from);
    cached.state = std::move(cached.next->state);
    cached.next.reset();
  }
  const auto first = std::find_if(cached.ends.begin(), cached.ends.end(),
                                  [&](const PartitionFiles::BatchEnd& row) { return row.end > solid; });
  if (first == cached.ends.begin()) return false;
  // A batch that reaches beyond the solid blocks may be lost, the part below with it.
  mark.solid_end = std::max(mark.solid_end, std::prev(first)->end);
  p_.durable_end_ = std::max(p_.durable_end_, std::prev(first)->log_end);
  cached.ends.erase(cached.ends.begin(), first);
  return true;
}

void PartitionLedger::restore(LogPosition at, std::uint64_t bytes, Slice slice) {
  const bool in_file = slice.empty();
  if (!in_file) p_.dirty_bytes_ += bytes;
  p_.memory_bytes_ += slice.size();
  p_.residents_.push_back({at, bytes, std::move(slice), in_file});
}

void PartitionLedger::restored(LogPosition clean) {
  p_.clean_ = clean;
  p_.synced_ = end();
  p_.durable_end_ = p_.state_.log_end();
  pass_over_clean();
}

void PartitionLedger::roll(Offset base) {
  if (p_.segments_.back().end == 0 || p_.segments_.back().base == base) return;
  p_.segments_.push_back(Segment{.base = base});
  pass_over_clean();
}

bool PartitionLedger::synced(LogPosition end_synced, Offset log_end) {
  if (p_.cached_ != nullptr) return false;  // a round says nothing of its bytes
  // A truncation that was issued after the round may have taken some of it back.
  p_.synced_ = std::min(std::max(p_.synced_, end_synced), end());
  const Offset durable_end = std::min(std::max(p_.durable_end_, log_end), p_.state_.log_end());
  if (durable_end == p_.durable_end_) return false;
  p_.durable_end_ = durable_end;
  return true;
}

std::size_t PartitionLedger::first_resident_behind(LogPosition at) const noexcept {
  const auto begin = p_.residents_.begin() + static_cast<std::ptrdiff_t>(p_.residents_begin_);
  const auto found = std::partition_point(begin, p_.residents_.end(), [&](const Resident& resident) {
    return LogPosition{resident.at.segment, resident.end()} <= at;
  });
  return static_cast<std::size_t>(found - p_.residents_.begin());
}

void PartitionLedger::mark_body(Offset segment_base, std::uint64_t begin, std::uint64_t body_end) {
  std::vector<Resident> split;
  const std::size_t first = first_resident_behind({segment_base, begin});
  std::size_t last = first;
  for (; last < p_.residents_.size(); ++last) {
    const Resident& resident = p_.residents_[last];
    if (resident.at.segment != segment_base || resident.at.position >= body_end) break;
    // The part before the body, the part in it, the part behind it.
    const std::uint64_t cuts[] = {resident.at.position, std::clamp(begin, resident.at.position, resident.end()),
                                  std::clamp(body_end, resident.at.position, resident.end()), resident.end()};
    for (std::size_t i = 0; i < 3; ++i) {
      if (cuts[i] == cuts[i + 1]) continue;
      const std::uint64_t bytes = cuts[i + 1] - cuts[i];
      if (i == 1) p_.dirty_bytes_ -= bytes;
      split.push_back({{segment_base, cuts[i]}, bytes, resident.slice.part(cuts[i] - resident.at.position, bytes), i == 1});
    }
  }
  const auto at = p_.residents_.begin() + static_cast<std::ptrdiff_t>(first);
  const auto next = p_.residents_.erase(at, p_.residents_.begin() + static_cast<std::ptrdiff_t>(last));
  p_.residents_.insert(next, std::make_move_iterator(split.begin()), std::make_move_iterator(split.end()));
  pass_over_clean();
}

std::optional<RoundSequence> PartitionLedger::redo() const noexcept {
  if (p_.journaled_.empty()) return std::nullopt;
  if (planted(Bug::kRedoIgnoresRoundInFlight) && p_.clean_ >= p_.synced_) return std::nullopt;
  return p_.journaled_.front().round;
}

PartitionLedger::DirtyRun PartitionLedger::dirty_run(std::uint64_t bytes_max) const {
  DirtyRun run{.segment = p_.clean_.segment, .end = p_.clean_.position, .bytes = 0, .parts = {}};
  for (std::size_t i = first_resident_behind(p_.clean_); i < p_.residents_.size(); ++i) {
    const Resident& resident = p_.residents_[i];
    if (resident.at >= p_.synced_ && !planted(Bug::kUnsyncedRoundCleaned)) break;
    if (run.parts.empty()) run.segment = resident.at.segment;
    if (resident.at.segment != run.segment || run.bytes >= bytes_max) break;
    if (resident.in_file) {
      run.end = resident.end();
      continue;
    }
    std::uint64_t begin = resident.at.position;
    if (p_.clean_.segment == run.segment) begin = std::max(begin, p_.clean_.position);
    std::uint64_t part_end = resident.end();
    if (p_.synced_.segment == run.segment && !planted(Bug::kUnsyncedRoundCleaned)) {
      part_end = std::min(part_end, p_.synced_.position);
    }
    if (part_end <= begin) break;
    part_end = std::min(part_end, begin + (bytes_max - run.bytes));
    run.parts.push_back({begin, part_end - begin, resident.slice.part(begin - resident.at.position, part_end - begin)});
    run.bytes += part_end - begin;
    run.end = part_end;
    if (part_end < resident.end()) break;
  }
  return run;
}

std::uint64_t PartitionLedger::dirty_part(const Resident& resident) const noexcept {
  if (resident.in_file) return 0;
  if (p_.clean_.segment != resident.at.segment) return p_.clean_ < resident.at ? resident.bytes : 0;
  const std::uint64_t begin = std::max(resident.at.position, p_.clean_.position);
  return begin < resident.end() ? resident.end() - begin : 0;
}

void PartitionLedger::advance_clean(const DirtyRun& run) {
  p_.dirty_bytes_ -= run.bytes;
  p_.clean_ = std::max(p_.clean_, LogPosition{run.segment, run.end});
  Segment* at = segment(p_.clean_.segment);
  if (at != nullptr) at->clean_end = std::max(at->clean_end, p_.clean_.position);
  pass_over_clean();
}

void PartitionLedger::pass_over_clean() {
  for (;;) {
    Segment* at = segment(p_.clean_.segment);
    if (at != nullptr && p_.clean_.position == at->end && at != &p_.segments_.back()) {
      p_.clean_ = {(at + 1)->base, 0};
      continue;
    }
    const std::size_t next = first_resident_behind(p_.clean_);
    if (next == p_.residents_.size() || !p_.residents_[next].in_file || p_.residents_[next].at > p_.clean_) break;
    p_.clean_.position = p_.residents_[next].end();
    if (at != nullptr) at->clean_end = std::max(at->clean_end, p_.clean_.position);
  }
  forget_journaled();
}

void PartitionLedger::forget_journaled() {
  auto& journaled = p_.journaled_;
  if (p_.clean_ >= end()) {
    journaled.clear();
    return;
  }
  const LogPosition needed{p_.clean_.segment, align_down(p_.clean_.position, block_bytes_)};
  const auto first = std::find_if(journaled.begin(), journaled.end(),
                                  [&](const PartitionFiles::Journaled& row) { return row.end > needed; });
  journaled.erase(journaled.begin(), first);
}

std::vector<SegmentName> PartitionLedger::truncate(LogPosition at) {
  std::vector<SegmentName> gone;
  while (p_.residents_.size() > p_.residents_begin_) {
    Resident& last = p_.residents_.back();
    if (LogPosition{last.at.segment, last.end()} <= at) break;
    p_.dirty_bytes_ -= dirty_part(last);
    p_.memory_bytes_ -= last.slice.size();
    if (last.at >= at) {
      p_.residents_.pop_back();
      continue;
    }
    last.bytes = at.position - last.at.position;
    if (!last.slice.empty()) last.slice = last.slice.part(0, last.bytes);
    p_.dirty_bytes_ += dirty_part(last);
    p_.memory_bytes_ += last.slice.size();
    break;
  }
  while (p_.segments_.size() > 1 && p_.segments_.back().base > at.segment) {
    gone.push_back(p_.segments_.back().name());
    p_.segments_.pop_back();
  }
  Segment& active = p_.segments_.back();
  active.end = at.position;
  active.clean_end = std::min(active.clean_end, at.position);
  p_.synced_ = std::min(p_.synced_, at);
  p_.clean_ = std::min(p_.clean_, at);
  auto& journaled = p_.journaled_;
  while (!journaled.empty() && journaled.back().end > at) {
    if (journaled.size() == 1 || journaled[journaled.size() - 2].end < at) {
      journaled.back().end = at;
      break;
    }
    journaled.pop_back();
  }
  forget_journaled();
  return gone;
}

std::vector<SegmentName> PartitionLedger::drop_front(Offset first) {
  std::vector<SegmentName> gone;
  const auto kept = std::find_if(p_.segments_.begin(), p_.segments_.end(), [&](const Segment& at) { return at.base >= first; });
  for (auto at = p_.segments_.begin(); at != kept; ++at) gone.push_back(at->name());
  p_.segments_.erase(p_.segments_.begin(), kept);
  if (p_.segments_.empty()) p_.segments_.push_back(Segment{.base = first});
  const std::size_t behind = first_resident_behind({first, 0});
  for (std::size_t i = p_.residents_begin_; i < behind; ++i) {
    p_.dirty_bytes_ -= dirty_part(p_.residents_[i]);
    p_.memory_bytes_ -= p_.residents_[i].slice.size();
    p_.residents_[i].slice = {};
  }
  p_.residents_begin_ = behind;
  compact_residents();
  const LogPosition front{first, 0};
  p_.clean_ = std::max(p_.clean_, front);
  p_.synced_ = std::max(p_.synced_, front);
  pass_over_clean();
  return gone;
}

std::vector<SegmentName> PartitionLedger::replace(Offset first, Offset end, std::span<const Segment> replacements) {
  const auto find = [this](Offset base) { return std::ranges::find(p_.segments_, base, &Segment::base); };
  const auto from = find(first), to = find(end);
  PYRALOG_ASSERT(from < to && to != p_.segments_.end() && p_.clean_ >= (LogPosition{end, 0}), "only clean segments go");
  std::vector<SegmentName> gone;
  for (auto at = from; at != to; ++at) gone.push_back(at->name());
  // What memory has of them lies at other positions now.
  evict({end, 0});
  const auto place = p_.segments_.erase(from, to);
  p_.segments_.insert(place, replacements.begin(), replacements.end());
  ++p_.replacements_;
  return gone;
}

void PartitionLedger::drop_memory() {
  p_.residents_.clear();
  p_.residents_begin_ = 0;
  p_.cached_.reset();
  p_.journaled_.clear();
  p_.dirty_bytes_ = p_.memory_bytes_ = 0;
}

void PartitionLedger::evict(LogPosition below) {
  const std::size_t clean_end = first_resident_behind(std::min(below, p_.clean_));
  const std::size_t end = first_resident_behind(below);
  for (std::size_t i = p_.residents_begin_; i < end; ++i) {
    Resident& resident = p_.residents_[i];
    // Above the first dirty byte, a body's row stays: it says that the file has the bytes.
    if (i >= clean_end && !resident.in_file) continue;
    p_.memory_bytes_ -= resident.slice.size();
    resident.slice = {};
  }
  p_.residents_begin_ = clean_end;
  compact_residents();
}

void PartitionLedger::compact_residents() {
  auto& residents = p_.residents_;
  if (p_.residents_begin_ == residents.size()) {
    residents.clear();
    residents.shrink_to_fit();
    p_.residents_begin_ = 0;
  } else if (p_.residents_begin_ > residents.size() / 2) {
    residents.erase(residents.begin(), residents.begin() + static_cast<std::ptrdiff_t>(p_.residents_begin_));
    p_.residents_begin_ = 0;
  }
}

}  // namespace pyralog::storage
