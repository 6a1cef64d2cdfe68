#pragma once

#include <string>

#include "io/sync.h"
#include "record/batch_view.h"
#include "storage/crash_compaction.h"
#include "storage/crash_faults.h"
#include "storage/crash_recorder.h"
#include "storage/crash_model.h"
#include "storage/shard_store.h"

namespace pyralog::storage::crash {

/// Random operations on a store, each recorded in a history at the moment at which the store takes it.
class Workload {
 public:
  Workload(Random& random, History& history, io::VirtualDisk& disk, Emphasis emphasis, const RoundBounds& bounds)
      : random_(random), history_(history), disk_(disk), emphasis_(emphasis), forger_(bounds) {}

  io::Task<> operate(ShardStore& store) {
    const std::uint64_t choice = random_.below(100);
    PartitionFiles* partition = pick(store);
    if (partition != nullptr && emphasis_ == Emphasis::kForgery && random_.chance(1, 12)) {
      co_await forge(store, *partition);
    } else if (partition != nullptr && emphasis_ == Emphasis::kRemovals && random_.chance(1, 20)) {
      co_await remove_behind_run(store, *partition);
    } else if (partition != nullptr && emphasis_ == Emphasis::kBypass && random_.chance(1, 15)) {
      co_await crash_in_run(store, *partition);
    } else if (partition != nullptr && random_.chance(1, emphasis_ == Emphasis::kCompaction ? 8 : 100)) {
      co_await compact(store, *partition);
    } else if (partition == nullptr || (choice < 3 && store.partitions().size() < kPartitionsMax)) {
      co_await create(store);
    } else if (choice < 70) {
      append(store, *partition);
    } else if (choice < 74) {
      co_await truncate(store, *partition);
    } else if (choice < 78) {
      co_await set_start(store, *partition);
    } else if (choice < 80) {
      co_await remove(store, *partition);
    } else if (choice < 84) {
      put_state(store);
    } else if (choice < 96) {
      co_await pause();
    } else {
      (void)co_await store.wait_synced(history_.newest_round());
    }
    io::AbortSource never;  // in the frame, which a crash leaves alone
    if (!store.accepting()) co_await store.wait_accepting(never);
  }

  std::uint64_t forged = 0;     ///< rounds sent as payload
  std::uint64_t compacted = 0;  ///< segments that gave way to others

 private:
  static constexpr std::uint64_t kPartitionsMax = 4;
  static constexpr std::uint64_t kSegmentBytes = 1500;

  PartitionFiles* pick(ShardStore& store) {
    const auto& partitions = history_.newest().partitions;
    if (partitions.empty()) return nullptr;
    auto at = partitions.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(partitions.size())));
    return store.find(at->first);
  }

  io::Task<> pause() {
    const std::uint64_t kind = random_.below(10);
    Duration delay = std::chrono::microseconds(random_.below(2000));
    if (kind < 3) delay = std::chrono::milliseconds(random_.below(300));
    if (kind == 9) delay = std::chrono::seconds(random_.below(20));
    co_await let_time_pass(delay);
  }

  void append(ShardStore& store, PartitionFiles& partition) {
    // Some bursts are large enough for the bypass.
    const bool large = emphasis_ == Emphasis::kBypass && random_.chance(1, 2);
    const std::uint64_t burst = large || random_.chance(1, 6) ? random_.between(3, 9) : 1;
    for (std::uint64_t i = 0; i < burst; ++i) {
      const std::size_t payload = large || random_.chance(1, 4) ? random_.between(100, 250) : random_.between(0, 40);
      if (!append_batch(store, partition, make_noise(random_, payload))) return;
    }
  }

  bool append_batch(ShardStore& store, PartitionFiles& partition, const Bytes& payload) {
    const Slice batch = make_batch_of(payload, partition.log_end(), static_cast<std::int32_t>(random_.between(1, 3)));
    if (partition.active().end + batch.size() > kSegmentBytes) store.roll(partition);
    const Offset base = partition.active().base;
    const auto header = record::BatchView::parse(batch.view()).value();
    const auto round = store.append(partition, batch, header);
    if (!round.ok()) return false;
    Model model = history_.newest();
    ModelPartition& into = model.partitions[partition.incarnation()];
    into.end = header.end_offset();
    Bytes& bytes = into.segments[base];
    bytes.insert(bytes.end(), batch.data(), batch.data() + batch.size());
    history_.push(*round, *round, std::move(model));
    return true;
  }

  /// Sends a round as payload when it can be foretold where that will lie, and pulls the plug on it.
  io::Task<> forge(ShardStore& store, PartitionFiles& partition) {
    if (!(co_await store.wait_synced(history_.newest_round())).ok()) co_return;
    const auto forgery = forger_.make(disk_, random_);
    if (!forgery.has_value()) co_return;
    ++forged;
    disk_.crash_after_write(forgery->path, io::CrashMode::kPowerLossDestroyingBlocks);
    if (append_batch(store, partition, forgery->payload)) (void)co_await store.wait_synced(history_.newest_round());
  }

  /// Three batches that are enough for the bypass and fit twice into a segment.
  void append_run(ShardStore& store, PartitionFiles& partition) {
    for (int i = 0; i < 3; ++i) (void)append_batch(store, partition, make_noise(random_, random_.between(120, 160)));
  }

  /// Two large runs, the second one in the same round as the partition's removal.
  io::Task<> remove_behind_run(ShardStore& store, PartitionFiles& partition) {
    store.roll(partition);
    append_run(store, partition);
    if (!(co_await store.wait_synced(history_.newest_round())).ok()) co_return;
    append_run(store, partition);
    co_await remove(store, partition);
  }

  /// Two large runs, the second one behind clean bytes; and no power while that is being written.
  io::Task<> crash_in_run(ShardStore& store, PartitionFiles& partition) {
    store.roll(partition);
    append_run(store, partition);
    co_await let_time_pass(std::chrono::seconds(15));
    const auto mode = random_.chance(1, 2) ? io::CrashMode::kPowerLoss : io::CrashMode::kPowerLossDestroyingBlocks;
    disk_.crash_at_step(disk_.steps() + random_.between(1, 12), mode);
    append_run(store, partition);
    (void)co_await store.wait_synced(history_.newest_round());
  }

  void put_state(ShardStore& store) {
    const StateKey key{Incarnation(random_.between(1, 2)), random_.below(3)};
    Bytes value(random_.chance(1, 4) ? 0 : random_.between(1, 60), static_cast<std::byte>(random_.next()));
    Model model = history_.newest();
    if (value.empty()) {
      model.states.erase(key);
    } else {
      model.states[key] = value;
    }
    const auto round = store.put_state(key, value.empty() ? Slice() : Slice::copy_of(value));
    if (round.ok()) history_.push(*round, *round, std::move(model));
  }

  io::Task<> create(ShardStore& store) {
    const Incarnation incarnation(next_incarnation_++);
    PartitionSpec spec;
    spec.incarnation = incarnation;
    spec.directory = "logs/l" + std::to_string(incarnation.value) + "/0";
    spec.start = Offset(static_cast<std::int64_t>(random_.below(2) * 1000));
    Model model = history_.newest();
    model.partitions[incarnation] = ModelPartition{.start = spec.start, .end = spec.start, .segments = {}};
    io::Task<> task = ignore(store.create(std::move(spec)));
    co_await recorder_.record(store, std::move(task), std::move(model), [&] { return store.find(incarnation) != nullptr; });
  }

  io::Task<> remove(ShardStore& store, PartitionFiles& partition) {
    const Incarnation incarnation = partition.incarnation();
    Model model = history_.newest();
    model.partitions.erase(incarnation);
    io::Task<> task = ignore(store.remove(incarnation));
    co_await recorder_.record(store, std::move(task), std::move(model), [&] { return store.find(incarnation) == nullptr; });
  }

  /// Writes a run of sealed segments anew, without some of their batches, and puts the result in their place.
  io::Task<> compact(ShardStore& store, PartitionFiles& partition) {
    if (partition.segments().size() < 2) co_return;
    Recompaction work(random_, partition);
    Model model = history_.newest();
    const Bytes kept = work.choose(model.partitions[partition.incarnation()].segments);
    CompactedSegment output(store, partition, work.name());
    auto replacements = co_await work.write(output, kept);
    if (!replacements.ok()) co_return co_await output.discard();
    const std::uint64_t before = partition.replacements();
    io::Task<> task = ignore(store.replace_segments(partition, work.name().base, work.end(), *std::move(replacements)));
    co_await recorder_.record(store, std::move(task), std::move(model), [&] { return partition.replacements() > before; });
    if (partition.replacements() == before) co_return co_await output.discard();
    compacted += work.count();
  }

  /// Cuts at the start of a random batch that is in no compacted segment.
  io::Task<> truncate(ShardStore& store, PartitionFiles& partition) {
    Model model = history_.newest();
    ModelPartition& into = model.partitions[partition.incarnation()];
    if (into.segments.empty()) co_return;
    auto segment = into.segments.begin();
    std::advance(segment, static_cast<std::ptrdiff_t>(random_.below(into.segments.size())));
    if (partition.find_segment(segment->first)->edition != 0) co_return;
    std::vector<std::pair<std::uint64_t, Offset>> places;
    for (std::uint64_t position = 0; position < segment->second.size();) {
      const auto header = record::BatchHeader::parse(ByteView(segment->second).subspan(position)).value();
      if (header.base_offset() >= into.start) places.emplace_back(position, header.base_offset());
      position += header.batch_bytes();
    }
    if (places.empty()) co_return;
    const auto [position, end] = places[random_.below(places.size())];
    const LogPosition at{segment->first, position};
    segment->second.resize(position);
    into.segments.erase(position == 0 ? segment : std::next(segment), into.segments.end());
    into.end = end;
    io::Task<> task = ignore(store.truncate(partition, end, at));
    co_await recorder_.record(store, std::move(task), std::move(model), [&] { return partition.log_end() == end; });
  }

  io::Task<> set_start(ShardStore& store, PartitionFiles& partition) {
    Model model = history_.newest();
    ModelPartition& into = model.partitions[partition.incarnation()];
    const auto segments = partition.segments();
    const Segment& first = segments[random_.below(segments.size())];
    Offset start = std::max(first.base, into.start);
    Offset first_kept = first.base;
    if (random_.chance(1, 8)) start = first_kept = into.end + OffsetDelta(static_cast<std::int64_t>(random_.below(50)));
    if (start == into.start) co_return;
    const bool empties = partition.find_segment(first_kept) == nullptr;
    if (empties && start < into.end) co_return;
    std::erase_if(into.segments, [&](const auto& entry) { return entry.first < first_kept; });
    into.start = start;
    into.end = std::max(into.end, start);
    io::Task<> task = ignore(store.set_start(partition, start, first_kept));
    co_await recorder_.record(store, std::move(task), std::move(model), [&] { return partition.start() == start; });
  }

  Random& random_;
  History& history_;
  Recorder recorder_{random_, history_};
  io::VirtualDisk& disk_;
  Emphasis emphasis_;
  Forger forger_;
  std::uint64_t next_incarnation_ = 10;
};

}  // namespace pyralog::storage::crash
