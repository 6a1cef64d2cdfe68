// The cached class: what changes it, and what changes differently in it. Its appends are in no journal, so a change that
// recovery must know of goes there as the partition's whole entry, which says how the log was; after it, files alone count.
#include <algorithm>

#include "storage/planted.h"
#include "storage/shard_store.h"
#include "storage/store_parts.h"

namespace pyralog::storage {

io::Task<Result<>> ShardStore::Parts::put_entry(PartitionFiles& partition, PartitionEntry entry,
                                                std::move_only_function<void()> apply) {
  std::vector<std::byte> payload;
  entry.encode(payload);
  if (payload.size() > committer.batch_bytes_max()) co_return Error(ErrorCode::kTooLarge, "a partition's entry");
  const Descriptor descriptor{.kind = RoundKind::kPartition, .incarnation = partition.incarnation()};
  const RoundSequence round = committer.add(descriptor, payload, &partition);
  apply();
  co_return co_await committer.wait_synced(round);
}

/// Scans believe names and contents: those of removed segments must not come back, and what the file of a segment that a
/// truncation emptied still holds is not to be found.
io::Task<Result<>> ShardStore::Parts::forget_emptied(PartitionFiles& partition) {
  co_await cleaner.freeze(partition);
  bypass.forget(partition.incarnation());
  Result<> done = serving();
  if (done.ok() && partition.active().end == 0) {
    std::vector<SegmentName> emptied{partition.active().name()};
    done = co_await segments.remove(partition, std::move(emptied));
    context.ledger(partition).segment(partition.active().base)->named = false;
  }
  if (done.ok()) done = co_await segments.sync_directory(partition);
  cleaner.thaw(partition);
  co_return done;
}

io::Task<Result<>> ShardStore::change_class(PartitionFiles& partition, DurabilityClass durability) {
  Parts& parts = *parts_;
  PYRALOG_CO_TRY(parts.serving());
  if (partition.durability() == durability) co_return Result<>();
  if (durability == DurabilityClass::kCached) {
    PYRALOG_CO_TRY(co_await parts.committer.wait_synced(parts.committer.newest()));
    PYRALOG_CO_TRY(co_await parts.cleaner.clean(partition));
    PYRALOG_CO_TRY(co_await parts.forget_emptied(partition));
  } else {
    PYRALOG_CO_TRY(co_await parts.flusher.sync(partition));
  }
  co_await parts.cleaner.freeze(partition);
  Result<> done = parts.serving();
  if (done.ok()) {
    // A cached append must not rewrite a block with durable bytes: the classes never share a segment.
    if (!planted(Bug::kClassesShareSegment)) roll(partition);
    done = co_await parts.put_class(partition, durability);
  }
  parts.cleaner.thaw(partition);
  co_return done;
}

io::Task<Result<>> ShardStore::Parts::put_class(PartitionFiles& partition, DurabilityClass durability) {
  PartitionLedger ledger = context.ledger(partition);
  std::vector<std::byte> state;
  partition.state().encode(state);
  PartitionEntry entry = PartitionEntry::of(partition);
  entry.durability = durability;
  entry.state = state;
  if (durability == DurabilityClass::kCached) {
    entry.cached = CachedMark{ledger.end(), ledger.end()};
    co_return co_await put_entry(partition, entry, [ledger]() mutable { ledger.begin_cached(); });
  }
  flusher.forget(partition);
  co_return co_await put_entry(partition, entry, [ledger]() mutable { ledger.end_cached(); });
}

void ShardStore::set_cached_bounds(PartitionFiles& partition, const CachedBounds& bounds) {
  parts_->context.ledger(partition).set_cached_bounds(bounds);
  parts_->flusher.update(partition);
}

io::Task<Result<>> ShardStore::sync_cached(PartitionFiles& partition) {
  PYRALOG_CO_TRY(parts_->serving());
  if (partition.durability() == DurabilityClass::kCached) co_return co_await parts_->flusher.sync(partition);
  co_return co_await parts_->committer.wait_synced(parts_->committer.newest());
}

io::Task<Result<>> ShardStore::Parts::truncate_cached(PartitionFiles& partition, Offset end, LogPosition at) {
  PartitionLedger ledger = context.ledger(partition);
  // What stays is solid then: nothing will be written to its last block again.
  PYRALOG_CO_TRY(co_await flusher.sync(partition));
  co_await cleaner.freeze(partition);
  Result<> done = serving();
  // First that the log ends here and nothing above is to be looked for; then what is above goes, for good; and only then
  // does the log go on, with files that cannot be mistaken for those that went.
  std::vector<SegmentName> gone;
  if (done.ok()) {
    std::vector<Segment> kept(partition.segments().begin(), partition.segments().end());
    while (kept.back().base > at.segment) kept.pop_back();
    kept.back().end = at.position;
    kept.back().clean_end = std::min(kept.back().clean_end, at.position);
    LogState state = partition.state();
    state.truncate(end, at.segment);
    std::vector<std::byte> encoded;
    state.encode(encoded);
    PartitionEntry entry = PartitionEntry::of(partition);
    entry.segments = kept;
    entry.state = encoded;
    auto apply = [&] {
      context.tracked(partition, [&] { gone = ledger.truncate(at); });
      partition.state().truncate(end, at.segment);
      ledger.set_durable_end(end);
      ledger.forget_mark();
    };
    done = co_await put_entry(partition, entry, std::move(apply));
  }
  if (done.ok() && at.position == 0) {
    gone.push_back({at.segment});
    ledger.segment(at.segment)->named = false;
  }
  if (!planted(Bug::kEmptiedNamesKept)) {
    if (done.ok()) done = co_await segments.remove(partition, std::move(gone));
    if (done.ok()) done = co_await segments.sync_directory(partition);
  }
  if (done.ok()) {
    ledger.roll(end);
    partition.state().begin_segment(end);
    std::vector<std::byte> state;
    partition.state().encode(state);
    PartitionEntry entry = PartitionEntry::of(partition);
    entry.cached = CachedMark{ledger.end(), ledger.end()};
    entry.state = state;
    done = co_await put_entry(partition, entry, [ledger]() mutable { ledger.begin_cached(); });
  }
  bypass.forget(partition.incarnation());
  cleaner.thaw(partition);
  co_return done;
}

io::Task<Result<>> ShardStore::Parts::set_cached_start(PartitionFiles& partition, Offset start, Offset first_segment) {
  PartitionLedger ledger = context.ledger(partition);
  const bool empties = partition.find_segment(first_segment) == nullptr;
  // Recovery must not want to scan what goes. A sync makes the start of the active segment, at least, a place to scan from.
  const auto& mark = ledger.cached()->mark;
  if (!empties && (!mark.has_value() || mark->scan_from.segment < first_segment)) {
    PYRALOG_CO_TRY(co_await flusher.sync(partition));
  }
  co_await cleaner.freeze(partition);
  Result<> done = serving();
  std::vector<SegmentName> gone;
  if (done.ok()) {
    PartitionEntry entry = PartitionEntry::of(partition);
    entry.start = start;
    entry.cached = ledger.cached()->mark;
    std::vector<std::byte> state = ledger.cached()->state;
    std::vector<Segment> kept(partition.segments().begin(), partition.segments().end());
    std::erase_if(kept, [&](const Segment& segment) { return segment.base < first_segment; });
    if (empties) {
      LogState trimmed = partition.state();
      trimmed.drop_front(start, start);
      state.clear();
      trimmed.encode(state);
      kept.assign(1, Segment{.base = start});
      entry.cached = CachedMark{{start, 0}, {start, 0}};
    }
    entry.segments = kept;
    entry.state = state;
    auto apply = [&] {
      context.tracked(partition, [&] { gone = ledger.drop_front(first_segment); });
      ledger.set_start(start);
      partition.state().drop_front(start, first_segment);
      if (empties) ledger.begin_cached();
    };
    done = co_await put_entry(partition, entry, std::move(apply));
  }
  bypass.forget(partition.incarnation());
  cleaner.thaw(partition);
  flusher.update(partition);
  PYRALOG_CO_TRY(done);
  co_return co_await segments.remove(partition, std::move(gone));
}

io::Task<Result<>> ShardStore::Parts::replace_cached(PartitionFiles& partition, Offset first, Offset end,
                                                     std::vector<Segment> replacements) {
  PartitionLedger ledger = context.ledger(partition);
  // Recovery must not want to scan what goes.
  const auto scans_below = [&] {
    const auto& mark = ledger.cached()->mark;
    return !mark.has_value() || mark->scan_from.segment < end;
  };
  if (scans_below()) PYRALOG_CO_TRY(co_await flusher.sync(partition));
  co_await cleaner.freeze(partition);
  Result<> done = serving();
  const bool are_there = partition.find_segment(first) != nullptr && partition.find_segment(end) != nullptr;
  if (done.ok() && !are_there) done = ErrorCode::kOutOfRange;
  if (done.ok() && (scans_below() || ledger.clean() < LogPosition{end, 0})) done = ErrorCode::kAborted;
  std::vector<SegmentName> gone;
  if (done.ok()) {
    std::vector<Segment> kept(partition.segments().begin(), partition.segments().end());
    const auto from = std::ranges::find(kept, first, &Segment::base);
    const auto place = kept.erase(from, std::ranges::find(kept, end, &Segment::base));
    kept.insert(place, replacements.begin(), replacements.end());
    PartitionEntry entry = PartitionEntry::of(partition);
    entry.segments = kept;
    entry.cached = ledger.cached()->mark;
    const std::vector<std::byte> state = ledger.cached()->state;
    entry.state = state;
    auto apply = [&] { context.tracked(partition, [&] { gone = ledger.replace(first, end, replacements); }); };
    done = co_await put_entry(partition, entry, std::move(apply));
  }
  cleaner.thaw(partition);
  flusher.update(partition);
  PYRALOG_CO_TRY(done);
  co_return co_await segments.remove(partition, std::move(gone));
}

}  // namespace pyralog::storage
