#include "storage/shard_store.h"

#include <algorithm>

#include "storage/replay.h"
#include "storage/store_parts.h"

namespace pyralog::storage {

Result<> ShardStore::Parts::serving() const {
  if (context.failure.has_value()) return context.failed_error();
  if (closing) return ErrorCode::kClosed;
  return {};
}

void ShardStore::Parts::start_loops() {
  committing.spawn(committer.run(committing));
  background.spawn(cleaner.run(background));
  background.spawn(flusher.run(background));
  background.spawn(checkpointer.run(background));
  background.spawn(space.run(background));
  background.spawn(scrubber.run(background));
}

ShardStore::ShardStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
ShardStore::~ShardStore() = default;

io::Task<Result<std::unique_ptr<ShardStore>>> ShardStore::open(StoreOptions options, FileCache& files) {
  auto parts = std::make_unique<Parts>(io::Reactor::current(), std::move(options), files);
  StoreLoader loader(*parts);
  PYRALOG_CO_TRY(co_await loader.load());
  PYRALOG_CO_TRY(co_await parts->finish_removals());
  PYRALOG_CO_TRY(co_await parts->space.look());
  parts->start_loops();
  co_return std::unique_ptr<ShardStore>(new ShardStore(std::move(parts)));
}

io::Task<Result<>> ShardStore::close() {
  Parts& parts = *parts_;
  parts.closing = true;
  co_await parts.committing.close();
  co_await parts.background.close();
  parts.bypass.close();
  Result<> result;
  if (!parts.context.failure.has_value()) result = co_await parts.cleaner.clean_all();
  if (!parts.context.failure.has_value() && result.ok()) result = co_await parts.flusher.settle_all();
  if (!parts.context.failure.has_value() && result.ok()) result = co_await parts.committer.prove_now();
  if (!parts.context.failure.has_value() && result.ok()) result = co_await parts.checkpointer.store_now(true);
  if (parts.context.failure.has_value()) co_return parts.context.failed_error();
  co_return result;
}

std::vector<PartitionFiles*> ShardStore::partitions() {
  std::vector<PartitionFiles*> all;
  all.reserve(parts_->context.partitions.size());
  for (const auto& [incarnation, partition] : parts_->context.partitions) all.push_back(partition.get());
  return all;
}

PartitionFiles* ShardStore::find(Incarnation incarnation) noexcept {
  const auto found = parts_->context.partitions.find(incarnation);
  return found == parts_->context.partitions.end() ? nullptr : found->second.get();
}

io::Task<Result<PartitionFiles*>> ShardStore::create(PartitionSpec spec) {
  Parts& parts = *parts_;
  PYRALOG_CO_TRY(parts.serving());
  if (spec.incarnation.value == 0 || spec.directory.empty() || spec.start < Offset(0)) {
    co_return Error(ErrorCode::kInvalidArgument, "a partition needs an incarnation, a directory and a start");
  }
  if (find(spec.incarnation) != nullptr) co_return ErrorCode::kAlreadyExists;
  const std::vector<std::byte> payload = encode_create(spec.directory, spec.durability, spec.cached_bounds);
  const Descriptor descriptor{.kind = RoundKind::kCreate, .incarnation = spec.incarnation, .value = spec.start.value};
  const RoundSequence round = parts.committer.add(descriptor, payload, nullptr);
  auto partition = std::make_unique<PartitionFiles>();
  PartitionLedger::create(*partition, spec.incarnation, std::move(spec.directory), spec.durability, spec.start);
  parts.context.ledger(*partition).set_cached_bounds(spec.cached_bounds);
  if (spec.durability == DurabilityClass::kCached) parts.context.ledger(*partition).begin_cached();
  PartitionFiles* created = partition.get();
  parts.context.partitions.emplace(spec.incarnation, std::move(partition));
  // Beside the round, and sharing syncs with all that are created together, so that the first writes do not wait for it.
  // Whatever fails here is tried again then; a failed sync has ended the store already.
  (void)co_await parts.segments.make_file(*created, created->active().base);
  PYRALOG_CO_TRY(co_await parts.committer.wait_synced(round));
  co_return created;
}

io::Task<Result<>> ShardStore::remove(Incarnation incarnation) {
  Parts& parts = *parts_;
  PYRALOG_CO_TRY(parts.serving());
  if (find(incarnation) == nullptr) co_return ErrorCode::kNotFound;
  PartitionFiles& partition = *find(incarnation);
  co_await parts.cleaner.freeze(partition);
  PYRALOG_CO_TRY(parts.serving());
  // Before the deletion, so that a start which finds that finds this too.
  const StateKey removal{incarnation, StateKey::kSlotOfStore};
  (void)parts.set_state(removal, Slice::copy_of(as_bytes(partition.directory())));
  const Descriptor descriptor{.kind = RoundKind::kDelete, .incarnation = incarnation};
  const RoundSequence round = parts.committer.add(descriptor, {}, &partition);
  parts.committer.note_end(partition);
  parts.cleaner.forget(partition);
  parts.flusher.forget(partition);
  parts.context.tracked(partition, [&] { parts.context.ledger(partition).drop_memory(); });
  // Rounds under way still know it, so it lives until this round is durable.
  std::unique_ptr<PartitionFiles> owner = std::move(parts.context.partitions.at(incarnation));
  parts.context.partitions.erase(incarnation);
  const Result<> synced = co_await parts.committer.wait_synced(round);
  if (!synced.ok()) {
    // The store has failed, and yet a round that is being written will look at it once more.
    parts.removed_in_failure.push_back(std::move(owner));
    co_return synced;
  }
  parts.bypass.forget(incarnation);
  parts.context.files.forget_partition(incarnation);
  co_return co_await parts.finish_removal(removal, owner->directory());
}

io::Task<Result<>> ShardStore::Parts::finish_removal(StateKey removal, std::string directory) {
  PYRALOG_CO_TRY(co_await segments.remove_directory(std::move(directory)));
  (void)set_state(removal, Slice());
  co_return Result<>();
}

/// Those that a crash interrupted, or undid: unlinked files come back with the power.
io::Task<Result<>> ShardStore::Parts::finish_removals() {
  std::vector<std::pair<StateKey, std::string>> removals;
  for (const auto& [key, value] : context.states) {
    if (key.slot == StateKey::kSlotOfStore) removals.emplace_back(key, as_text(value.view()));
  }
  for (auto& [key, directory] : removals) {
    const auto names_it = [&](const auto& entry) { return entry.second->directory() == directory; };
    // The deletion itself may have been lost, and the directory be used as ever.
    if (std::ranges::any_of(context.partitions, names_it)) {
      (void)set_state(key, Slice());
    } else {
      PYRALOG_CO_TRY(co_await finish_removal(key, std::move(directory)));
    }
  }
  co_return Result<>();
}

io::Task<Result<>> ShardStore::make_directory(const PartitionFiles& partition) {
  co_return co_await parts_->segments.make_directory(partition.directory());
}

io::Task<Result<>> ShardStore::sync_directory(const PartitionFiles& partition) {
  co_return co_await parts_->segments.sync_directory(partition);
}

Result<RoundSequence> ShardStore::append(PartitionFiles& partition, Slice batch, const record::BatchHeader& header,
                                         SpaceUse space_use) {
  Parts& parts = *parts_;
  PYRALOG_TRY(parts.serving());
  if (batch.size() > parts.committer.batch_bytes_max()) return ErrorCode::kTooLarge;
  if (space_use == SpaceUse::kLeavesSome && !parts.space.admits(batch.size())) return ErrorCode::kNoSpace;
  ++parts.context.counters.appended_batches;
  parts.context.counters.appended_bytes += batch.size();
  const bool cached = partition.durability() == DurabilityClass::kCached;
  RoundSequence round;
  if (cached) {
    parts.flusher.append(partition, std::move(batch), header);
  } else {
    round = parts.committer.append(partition, std::move(batch), header.end_offset());
  }
  partition.state().apply(header, partition.active().base, parts.context.reactor.wall_now());
  return round;
}

io::Task<Result<>> ShardStore::wait_synced(RoundSequence round) { return parts_->committer.wait_synced(round); }
RoundSequence ShardStore::synced() const noexcept { return parts_->committer.synced(); }

void ShardStore::roll(PartitionFiles& partition) {
  if (partition.active().end == 0) return;
  const Offset base = partition.log_end();
  PartitionLedger ledger = parts_->context.ledger(partition);
  ledger.roll(base);
  partition.state().begin_segment(base);
  if (ledger.cached() != nullptr) ledger.offer_segment_start();
}

io::Task<Result<>> ShardStore::truncate(PartitionFiles& partition, Offset end, LogPosition at) {
  Parts& parts = *parts_;
  PYRALOG_CO_TRY(parts.serving());
  PartitionLedger ledger = parts.context.ledger(partition);
  const Segment* segment = partition.find_segment(at.segment);
  if (segment == nullptr || at.position > segment->end || end > partition.log_end()) co_return ErrorCode::kOutOfRange;
  // Only what is committed is compacted, and that is never taken back.
  if (segment->edition != 0) co_return Error(ErrorCode::kOutOfRange, "a compacted segment cannot be cut");
  if (at == ledger.end()) co_return Result<>();
  if (ledger.cached() != nullptr) co_return co_await parts.truncate_cached(partition, end, at);
  co_await parts.cleaner.freeze(partition);
  PYRALOG_CO_TRY(parts.serving());
  const Descriptor descriptor{.kind = RoundKind::kTruncate, .incarnation = partition.incarnation(), .at = at,
                              .value = end.value};
  const RoundSequence round = parts.committer.add(descriptor, {}, &partition);
  std::vector<SegmentName> gone;
  parts.context.tracked(partition, [&] { gone = ledger.truncate(at); });
  partition.state().truncate(end, at.segment);
  ledger.set_durable_end(std::min(partition.durable_end(), end));
  parts.committer.note_end(partition);
  const Result<> synced = co_await parts.committer.wait_synced(round);
  parts.cleaner.thaw(partition);
  PYRALOG_CO_TRY(synced);
  parts.bypass.forget(partition.incarnation());
  co_return co_await parts.segments.remove(partition, std::move(gone));
}

io::Task<Result<>> ShardStore::set_start(PartitionFiles& partition, Offset start, Offset first_segment) {
  Parts& parts = *parts_;
  PYRALOG_CO_TRY(parts.serving());
  if (start < partition.start()) co_return ErrorCode::kOutOfRange;
  const bool empties = partition.find_segment(first_segment) == nullptr;
  if (empties && (start < partition.log_end() || first_segment != start)) co_return ErrorCode::kInvalidArgument;
  if (!empties && (first_segment > start || start > partition.log_end())) co_return ErrorCode::kInvalidArgument;
  if (partition.durability() == DurabilityClass::kCached) {
    co_return co_await parts.set_cached_start(partition, start, first_segment);
  }
  co_await parts.cleaner.freeze(partition);
  PYRALOG_CO_TRY(parts.serving());
  PartitionLedger ledger = parts.context.ledger(partition);
  const Descriptor descriptor{.kind = RoundKind::kStart, .incarnation = partition.incarnation(),
                              .at = {first_segment, 0}, .value = start.value};
  const std::vector<std::byte> payload = encode_start(partition.state(), start, first_segment);
  const RoundSequence round = parts.committer.add(descriptor, payload, &partition);
  std::vector<SegmentName> gone;
  parts.context.tracked(partition, [&] { gone = ledger.drop_front(first_segment); });
  ledger.set_start(start);
  partition.state().drop_front(start, first_segment);
  parts.committer.note_end(partition);
  const Result<> synced = co_await parts.committer.wait_synced(round);
  parts.cleaner.thaw(partition);
  PYRALOG_CO_TRY(synced);
  parts.bypass.forget(partition.incarnation());
  co_return co_await parts.segments.remove(partition, std::move(gone));
}

io::Task<Result<>> ShardStore::replace_segments(PartitionFiles& partition, Offset first, Offset end,
                                               std::vector<Segment> replacements) {
  Parts& parts = *parts_;
  PYRALOG_CO_TRY(parts.serving());
  for (Segment& segment : replacements) {
    PYRALOG_ASSERT(segment.edition > 0 && segment.base >= first && segment.base < end, "a segment that replaces no other");
    segment.clean_end = segment.end;
    segment.named = true;
  }
  if (partition.durability() == DurabilityClass::kCached) {
    co_return co_await parts.replace_cached(partition, first, end, std::move(replacements));
  }
  co_await parts.cleaner.freeze(partition);
  PYRALOG_CO_TRY(parts.serving());
  PartitionLedger ledger = parts.context.ledger(partition);
  const bool are_there = partition.find_segment(first) != nullptr && partition.find_segment(end) != nullptr;
  if (!are_there || ledger.clean() < LogPosition{end, 0}) {
    parts.cleaner.thaw(partition);
    co_return are_there ? ErrorCode::kAborted : ErrorCode::kOutOfRange;
  }
  const Descriptor descriptor{.kind = RoundKind::kCompact, .incarnation = partition.incarnation(), .at = {first, 0},
                              .value = end.value};
  const std::vector<std::byte> payload = encode_compact(partition.state(), replacements);
  const RoundSequence round = parts.committer.add(descriptor, payload, &partition);
  std::vector<SegmentName> gone;
  parts.context.tracked(partition, [&] { gone = ledger.replace(first, end, replacements); });
  parts.committer.note_end(partition);
  if (planted(Bug::kReplacedSegmentsGoFirst)) (void)co_await parts.segments.remove(partition, gone);
  const Result<> synced = co_await parts.committer.wait_synced(round);
  parts.cleaner.thaw(partition);
  PYRALOG_CO_TRY(synced);
  co_return co_await parts.segments.remove(partition, std::move(gone));
}

io::Task<Result<bool>> ShardStore::has_room(std::uint64_t bytes) {
  // What was free when somebody last looked says nothing on an idle node.
  PYRALOG_CO_TRY(co_await parts_->space.look());
  co_return parts_->space.has_room(bytes);
}

Result<RoundSequence> ShardStore::put_state(StateKey key, Slice value) {
  Parts& parts = *parts_;
  PYRALOG_TRY(parts.serving());
  if (value.size() > parts.committer.batch_bytes_max() / 2) return ErrorCode::kTooLarge;
  if (key.slot >= StateKey::kSlotOfStore) return Error(ErrorCode::kInvalidArgument, "a state's slot is too large");
  return parts.set_state(key, std::move(value));
}

RoundSequence ShardStore::Parts::set_state(StateKey key, Slice value) {
  const Descriptor descriptor{.kind = RoundKind::kState, .incarnation = key.owner, .at = {Offset(0), key.slot}};
  const RoundSequence round = committer.add(descriptor, value.view(), nullptr);
  if (value.empty()) {
    context.states.erase(key);
  } else {
    context.states[key] = std::move(value);
  }
  return round;
}

Slice ShardStore::state(StateKey key) const {
  const auto found = parts_->context.states.find(key);
  return found == parts_->context.states.end() ? Slice() : found->second;
}

std::vector<StateKey> ShardStore::state_keys(Incarnation owner) const {
  std::vector<StateKey> keys;
  const auto& states = parts_->context.states;
  for (auto at = states.lower_bound(StateKey{owner, 0}); at != states.end() && at->first.owner == owner; ++at) {
    keys.push_back(at->first);
  }
  return keys;
}

bool ShardStore::accepting() const noexcept {
  const Parts& parts = *parts_;
  const StoreGeometry& geometry = parts.context.geometry();
  const StoreCounters& counters = parts.context.counters;
  return !parts.closing && counters.dirty_bytes < geometry.dirty_bytes_max &&
         counters.write_cache_bytes < geometry.write_cache_bytes_max &&
         parts.journal.bytes_since(parts.checkpointer.durable_redo()) < geometry.journal_bytes_max;
}

io::Task<> ShardStore::wait_accepting(io::AbortSource& abort) {
  while (!accepting() && !parts_->context.failure.has_value() && !abort.aborted()) {
    (void)co_await parts_->context.progress.wait(abort);
  }
}

void ShardStore::set_on_damage(std::move_only_function<void(const SegmentDamage&)> callback) {
  parts_->context.on_damage = std::move(callback);
}

void ShardStore::report_damage(const SegmentDamage& damage) { parts_->context.report_damage(damage); }

bool ShardStore::repeats_from_disk(PartitionFiles& partition) const {
  if (partition.durability() != DurabilityClass::kDurable) return false;
  const auto begin = parts_->context.ledger(partition).image_begin();
  return begin.has_value() && !partition.in_memory(*begin);
}

const std::optional<Error>& ShardStore::failure() const noexcept { return parts_->context.failure; }

io::Task<> ShardStore::wait_failed(io::AbortSource& abort) {
  while (!parts_->context.failure.has_value() && !abort.aborted()) (void)co_await parts_->context.failed.wait(abort);
}

const StoreCounters& ShardStore::counters() const noexcept {
  parts_->context.counters.journal_retained_bytes = parts_->journal.bytes_since(parts_->checkpointer.durable_redo());
  return parts_->context.counters;
}

const StoreOptions& ShardStore::options() const noexcept { return parts_->context.options; }

}  // namespace pyralog::storage
