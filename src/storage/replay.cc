#include "storage/replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/byte_codec.h"
#include "storage/planted.h"

namespace pyralog::storage {
namespace {

Error contradiction(const Descriptor& descriptor, const char* what) {
  return Error(ErrorCode::kCorrupt, fmt::format("journal: partition {:#x}, segment {} at byte {}: {}",
                                                descriptor.incarnation.value, descriptor.at.segment.value,
                                                descriptor.at.position, what));
}

Segment* find(std::vector<Segment>& segments, Offset base) {
  const auto at = std::find_if(segments.begin(), segments.end(), [&](const Segment& segment) { return segment.base == base; });
  return at == segments.end() ? nullptr : &*at;
}

struct CreatePayload {
  DurabilityClass durability;
  CachedBounds bounds;
  std::string directory;
};

Result<CreatePayload> decode_create(ByteView bytes) {
  CreatePayload create;
  std::uint8_t durability = 0;
  std::int64_t write_delay = 0, flush_delay = 0;
  if (!take_little(bytes, durability) || durability > 1 || !take_little(bytes, create.bounds.write_bytes_max) ||
      !take_little(bytes, create.bounds.write_records_max) || !take_little(bytes, write_delay) ||
      !take_little(bytes, create.bounds.flush_bytes_max) || !take_little(bytes, flush_delay) || bytes.empty()) {
    return ErrorCode::kCorrupt;
  }
  create.durability = static_cast<DurabilityClass>(durability);
  create.bounds.write_delay_max = Duration(write_delay);
  create.bounds.flush_delay_max = Duration(flush_delay);
  create.directory = as_text(bytes);
  return create;
}

}  // namespace

std::vector<std::byte> encode_create(const std::string& directory, DurabilityClass durability, const CachedBounds& bounds) {
  std::vector<std::byte> out;
  put_little(out, static_cast<std::uint8_t>(durability));
  put_little(out, bounds.write_bytes_max);
  put_little(out, bounds.write_records_max);
  put_little(out, std::int64_t{bounds.write_delay_max.count()});
  put_little(out, bounds.flush_bytes_max);
  put_little(out, std::int64_t{bounds.flush_delay_max.count()});
  const ByteView name = as_bytes(directory);
  out.insert(out.end(), name.begin(), name.end());
  return out;
}

namespace {

void put_state(std::vector<std::byte>& out, LogState& state) {
  // More producers than this have a snapshot, or are found in the log again.
  constexpr std::size_t kStateBytesMax = 64u << 10;
  const std::size_t before = out.size();
  state.encode(out);
  if (out.size() - before <= kStateBytesMax) return;
  out.resize(before);
  state.forget_producers();
  state.encode(out);
}

}  // namespace

std::vector<std::byte> encode_start(LogState state, Offset start, Offset first_segment) {
  state.drop_front(start, first_segment);
  std::vector<std::byte> out;
  put_state(out, state);
  return out;
}

std::vector<std::byte> encode_compact(LogState state, std::span<const Segment> replacements) {
  std::vector<std::byte> out;
  put_little(out, static_cast<std::uint32_t>(replacements.size()));
  for (const Segment& segment : replacements) {
    put_little(out, segment.base.value);
    put_little(out, segment.end);
    put_little(out, segment.edition);
  }
  put_state(out, state);
  return out;
}

Replay::Replay(Checkpoint checkpoint, std::uint64_t block_bytes)
    : block_bytes_(block_bytes), shown_(checkpoint.shown), states_(std::move(checkpoint.states)) {
  for (CheckpointPartition& base : checkpoint.partitions) {
    Partition partition;
    partition.state_at = {base.segments.back().base, base.segments.back().end};
    partition.base = std::move(base);
    if (partition.base.redo <= shown_ && !planted(Bug::kLastBlockNotRestored)) {
      // The cleaner may have been rewriting the block in which the clean bytes end, so its start is taken from the journal.
      for (Segment& segment : partition.base.segments) {
        if (segment.clean_end == segment.end) continue;
        segment.clean_end = align_down(segment.clean_end, block_bytes_);
        break;
      }
    }
    const Incarnation incarnation = partition.base.incarnation;
    partitions_.emplace(incarnation, std::move(partition));
  }
}

Result<> Replay::apply(const RoundPlace& place, std::span<const Descriptor> descriptors, ByteView round) {
  rounds_.push_back(place);
  for (const Descriptor& descriptor : descriptors) {
    const ByteView payload = descriptor.has_payload() ? round.subspan(descriptor.place, descriptor.length) : ByteView();
    PYRALOG_TRY(apply_one(descriptor, payload));
  }
  return {};
}

Result<> Replay::apply_one(const Descriptor& descriptor, ByteView payload) {
  const RoundSequence round = rounds_.back().sequence;
  const bool is_new = round > shown_;
  if (descriptor.kind == RoundKind::kEmpty) return {};
  if (descriptor.kind == RoundKind::kState) {
    if (!is_new) return {};
    const StateKey key{descriptor.incarnation, descriptor.at.position};
    if (payload.empty()) {
      states_.erase(key);
    } else {
      states_[key] = Slice::copy_of(payload);
    }
    return {};
  }
  if (descriptor.kind == RoundKind::kCreate) return is_new ? apply_create(descriptor, payload) : Result<>();
  if (descriptor.kind == RoundKind::kPartition) return is_new ? apply_partition(descriptor, payload) : Result<>();
  const auto found = partitions_.find(descriptor.incarnation);
  if (found == partitions_.end()) {
    // Rounds that the checkpoint shows may speak of partitions that were removed since.
    return is_new ? Result<>(contradiction(descriptor, "no such partition")) : Result<>();
  }
  Partition& partition = found->second;
  switch (descriptor.kind) {
    case RoundKind::kData:
    case RoundKind::kImage:
    case RoundKind::kBody:
      return is_new || round >= partition.base.redo ? apply_data(partition, descriptor) : Result<>();
    case RoundKind::kTruncate:
      return is_new || round >= partition.base.redo ? apply_truncate(partition, descriptor) : Result<>();
    case RoundKind::kStart:
      return is_new ? apply_start(partition, descriptor, payload) : Result<>();
    case RoundKind::kCompact:
      return is_new ? apply_compact(partition, descriptor, payload) : Result<>();
    case RoundKind::kDelete:
      if (is_new) partitions_.erase(found);
      return {};
    default:
      return contradiction(descriptor, "unknown kind");
  }
}

void Replay::cut_ranges(Partition& partition, LogPosition at) {
  auto& ranges = partition.ranges;
  ranges.erase(ranges.lower_bound(at), ranges.end());
  if (ranges.empty()) return;
  const auto last = std::prev(ranges.end());
  if (last->first.segment == at.segment) last->second.end = std::min(last->second.end, at.position);
}

void Replay::put_range(Partition& partition, const Descriptor& descriptor) {
  auto& ranges = partition.ranges;
  const LogPosition begin = descriptor.at;
  const std::uint64_t end = descriptor.end_position();
  // What was there before gives way: only an IMAGE repeats bytes, those at the log's end.
  auto next = ranges.lower_bound(begin);
  if (next != ranges.begin()) {
    const auto before = std::prev(next);
    if (before->first.segment == begin.segment) before->second.end = std::min(before->second.end, begin.position);
  }
  while (next != ranges.end() && next->first.segment == begin.segment && next->first.position < end) next = ranges.erase(next);
  ranges.emplace(begin, Range{end, descriptor.kind == RoundKind::kBody, rounds_.size() - 1, descriptor.place});
  const LogPosition range_end{begin.segment, end};
  auto& journaled = partition.journaled;
  const RoundSequence round = rounds_.back().sequence;
  if (!journaled.empty() && journaled.back().first == round) {
    journaled.back().second = std::max(journaled.back().second, range_end);
  } else {
    journaled.emplace_back(round, range_end);
  }
}

void Replay::lower_clean(Partition& partition, LogPosition at) {
  Segment* segment = find(partition.base.segments, at.segment);
  // Rounds from before a compaction that the checkpoint shows speak of the segments that it replaced.
  if (segment != nullptr && segment->edition == 0) segment->clean_end = std::min(segment->clean_end, at.position);
}

Result<> Replay::apply_data(Partition& partition, const Descriptor& descriptor) {
  const bool is_new = rounds_.back().sequence > shown_;
  const bool is_image = descriptor.kind == RoundKind::kImage;
  if (descriptor.length == 0) return contradiction(descriptor, "no bytes");
  if (is_new) {
    auto& segments = partition.base.segments;
    if (is_image) {
      if (LogPosition{descriptor.at.segment, descriptor.end_position()} != partition.end()) {
        return contradiction(descriptor, "an image that does not end at the log's end");
      }
    } else if (descriptor.at != partition.end()) {
      const bool starts_segment = descriptor.at.segment > segments.back().base && descriptor.at.position == 0;
      if (!starts_segment) return contradiction(descriptor, "bytes that do not follow the log's end");
      segments.push_back(Segment{.base = descriptor.at.segment});
    }
    if (!is_image) segments.back().end = descriptor.end_position();
  }
  put_range(partition, descriptor);
  if (is_image) lower_clean(partition, descriptor.at);
  return {};
}

Result<> Replay::apply_truncate(Partition& partition, const Descriptor& descriptor) {
  cut_ranges(partition, descriptor.at);
  auto& journaled = partition.journaled;
  while (!journaled.empty() && journaled.back().second > descriptor.at) {
    if (journaled.size() == 1 || journaled[journaled.size() - 2].second < descriptor.at) {
      journaled.back().second = descriptor.at;
      break;
    }
    journaled.pop_back();
  }
  if (rounds_.back().sequence <= shown_) return {};
  auto& segments = partition.base.segments;
  if (descriptor.at > partition.end() || find(segments, descriptor.at.segment) == nullptr) {
    return contradiction(descriptor, "truncation outside of the log");
  }
  while (segments.back().base > descriptor.at.segment) segments.pop_back();
  segments.back().end = descriptor.at.position;
  lower_clean(partition, descriptor.at);
  partition.base.state.truncate(Offset(descriptor.value), descriptor.at.segment);
  partition.state_at = std::min(partition.state_at, descriptor.at);
  return {};
}

Result<> Replay::apply_start(Partition& partition, const Descriptor& descriptor, ByteView payload) {
  auto& segments = partition.base.segments;
  const Offset start(descriptor.value);
  std::erase_if(segments, [&](const Segment& segment) { return segment.base < descriptor.at.segment; });
  if (segments.empty()) segments.push_back(Segment{.base = descriptor.at.segment});
  if (segments.front().base != descriptor.at.segment || start < partition.base.start) {
    return contradiction(descriptor, "a start without its segment");
  }
  auto state = LogState::decode(payload);
  if (!state.ok() || !payload.empty() || state->log_end() < start || state->segment_base() < segments.back().base) {
    return contradiction(descriptor, "malformed state");
  }
  // A segment that was begun and has no batch yet.
  if (state->segment_base() > segments.back().base) segments.push_back(Segment{.base = state->segment_base()});
  partition.base.start = start;
  partition.base.state = std::move(*state);
  partition.state_at = partition.end();
  cut_ranges(partition, partition.end());
  return {};
}

Result<> Replay::apply_create(const Descriptor& descriptor, ByteView payload) {
  auto create = decode_create(payload);
  if (!create.ok()) return contradiction(descriptor, "malformed creation");
  const auto [found, created] = partitions_.try_emplace(descriptor.incarnation);
  if (!created) return contradiction(descriptor, "created twice");
  Partition& partition = found->second;
  partition.base.durability = create->durability;
  partition.base.cached_bounds = create->bounds;
  partition.base.incarnation = descriptor.incarnation;
  partition.base.directory = std::move(create->directory);
  partition.base.start = Offset(descriptor.value);
  partition.base.segments.push_back(Segment{.base = partition.base.start});
  partition.base.state.trim(partition.base.start);
  partition.state_at = partition.end();
  // Its appends leave no trace here.
  if (create->durability == DurabilityClass::kCached) partition.base.cached = CachedMark{partition.end(), partition.end()};
  return {};
}

Result<> Replay::apply_partition(const Descriptor& descriptor, ByteView payload) {
  const auto found = partitions_.find(descriptor.incarnation);
  auto entry = decode_partition(payload);
  if (found == partitions_.end()) return contradiction(descriptor, "no such partition");
  if (!entry.ok() || !payload.empty() || entry->incarnation != descriptor.incarnation) {
    return contradiction(descriptor, "a malformed partition");
  }
  found->second = Partition{.base = std::move(*entry), .state_at = {}, .ranges = {}, .journaled = {}};
  found->second.state_at = found->second.end();
  return {};
}

Result<> Replay::apply_compact(Partition& partition, const Descriptor& descriptor, ByteView payload) {
  const auto malformed = [&] { return contradiction(descriptor, "malformed segments"); };
  std::uint32_t count = 0;
  constexpr std::size_t kBytesEach = 20;
  if (!take_little(payload, count) || payload.size() / kBytesEach < count) return malformed();
  std::vector<Segment> replacements(count);
  for (Segment& segment : replacements) {
    (void)(take_little(payload, segment.base.value) && take_little(payload, segment.end) &&
           take_little(payload, segment.edition));
    segment.clean_end = segment.end;
    segment.named = true;
    const bool rises = &segment == &replacements.front() || segment.base > (&segment - 1)->base;
    if (!rises || segment.base < descriptor.at.segment || segment.base.value >= descriptor.value) return malformed();
  }
  auto state = LogState::decode(payload);
  if (!state.ok() || !payload.empty()) return contradiction(descriptor, "malformed state");
  auto& segments = partition.base.segments;
  // A segment that was begun and has no batch yet.
  if (state->segment_base() > segments.back().base) segments.push_back(Segment{.base = state->segment_base()});
  const auto from = std::ranges::find(segments, descriptor.at.segment, &Segment::base);
  const auto to = std::ranges::find(segments, Offset(descriptor.value), &Segment::base);
  if (from >= to || to == segments.end()) return contradiction(descriptor, "a compaction without its segments");
  if (replacements.empty() && from == segments.begin()) return malformed();
  const auto place = segments.erase(from, to);
  segments.insert(place, replacements.begin(), replacements.end());
  // They were clean, so all before them was; what the journal has of that is of no use any more.
  for (Segment& segment : segments) {
    if (segment.base.value < descriptor.value) segment.clean_end = segment.end;
  }
  partition.ranges.erase(partition.ranges.begin(), partition.ranges.lower_bound({Offset(descriptor.value), 0}));
  if (!planted(Bug::kCompactionWithoutState)) {
    partition.base.state = std::move(*state);
    partition.state_at = partition.end();
  }
  return {};
}

bool Replay::body_is_clean(const Descriptor& body) const {
  const auto found = partitions_.find(body.incarnation);
  if (found == partitions_.end()) return false;
  const auto& segments = found->second.base.segments;
  const auto at = std::find_if(segments.begin(), segments.end(),
                               [&](const Segment& segment) { return segment.base == body.at.segment; });
  return at != segments.end() && body.end_position() <= at->clean_end;
}

std::optional<std::string> Replay::directory_of(Incarnation incarnation) const {
  const auto found = partitions_.find(incarnation);
  if (found == partitions_.end()) return std::nullopt;
  return found->second.base.directory;
}

Result<ReplayedPartition> Replay::finish_one(Partition partition) {
  ReplayedPartition out;
  auto& segments = partition.base.segments;
  const LogPosition end = partition.end();
  if (partition.base.cached.has_value()) {
    out.clean = end;
    out.state_at = end;
    out.base = std::move(partition.base);
    return out;
  }
  auto first_dirty = std::find_if(segments.begin(), segments.end(), [](const Segment& at) { return at.clean_end < at.end; });
  out.clean = first_dirty == segments.end() ? end : LogPosition{first_dirty->base, first_dirty->clean_end};
  auto next = partition.ranges.begin();
  for (auto segment = first_dirty; segment != segments.end(); ++segment) {
    std::uint64_t position = segment == first_dirty ? segment->clean_end : 0;
    segment->clean_end = position;
    while (position < segment->end) {
      while (next != partition.ranges.end() &&
             LogPosition{next->first.segment, next->second.end} <= LogPosition{segment->base, position}) {
        ++next;
      }
      if (next == partition.ranges.end() || next->first > LogPosition{segment->base, position}) {
        return Error(ErrorCode::kCorrupt, fmt::format("{}: the journal lacks bytes from {} on of segment {}",
                                                      partition.base.directory, position, segment->base.value));
      }
      const std::uint64_t part_end = std::min(next->second.end, segment->end);
      const auto skipped = static_cast<std::uint32_t>(position - next->first.position);
      out.ranges.push_back({{segment->base, position}, part_end - position, next->second.is_body, next->second.round,
                            next->second.place + skipped});
      position = part_end;
    }
  }
  out.journaled = std::move(partition.journaled);
  out.state_at = partition.state_at;
  out.base = std::move(partition.base);
  return out;
}

Result<std::vector<ReplayedPartition>> Replay::finish() {
  std::vector<ReplayedPartition> out;
  out.reserve(partitions_.size());
  for (auto& [incarnation, partition] : partitions_) {
    PYRALOG_ASSIGN(ReplayedPartition finished, finish_one(std::move(partition)));
    out.push_back(std::move(finished));
  }
  // In one order whatever the hash says: equal seeds must give equal runs.
  std::sort(out.begin(), out.end(), [](const ReplayedPartition& a, const ReplayedPartition& b) {
    return a.base.incarnation < b.base.incarnation;
  });
  partitions_.clear();
  return out;
}

}  // namespace pyralog::storage
