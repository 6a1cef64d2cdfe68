#pragma once

#include <map>
#include <optional>
#include <vector>

#include "io/sync.h"
#include "record/batch_view.h"
#include "storage/cached_crash_model.h"

namespace pyralog::storage::crash::cached {

/// Random operations on the logs of a store, each noted in what is to be expected of them.
class Workload {
 public:
  Workload(Random& random, std::map<Incarnation, Expected>& expected, Checker& checker, bool switches)
      : random_(random), expected_(expected), checker_(checker), switches_(switches) {}

  void begin_life() { ++life_; }

  io::Task<> create_missing(ShardStore& store) {
    for (std::uint64_t i = 0; i < kPartitions; ++i) {
      PartitionSpec spec;
      spec.incarnation = Incarnation(10 + i);
      if (store.find(spec.incarnation) != nullptr) continue;
      spec.directory = "logs/l" + std::to_string(i) + "/0";
      spec.durability = DurabilityClass::kCached;
      spec.start = Offset(static_cast<std::int64_t>(random_.below(2) * 1000));
      Expected fresh;
      fresh.start = fresh.end = fresh.promised = fresh.written = spec.start;
      const Incarnation incarnation = spec.incarnation;
      if (!(co_await store.create(std::move(spec))).ok()) co_return;
      expected_[incarnation] = fresh;
    }
  }

  io::Task<> operate(ShardStore& store) {
    if (expected_.empty()) co_return;
    auto at = expected_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(expected_.size())));
    Expected& expected = at->second;
    PartitionFiles* partition = store.find(at->first);
    if (partition == nullptr) co_return;
    const std::uint64_t choice = random_.below(100);
    if (choice < 60) {
      append(store, *partition, expected);
    } else if (choice < 80) {
      co_await pause();
    } else if (choice < 84) {
      (void)co_await store.sync_cached(*partition);
    } else if (choice < 88) {
      co_await truncate(store, *partition, expected);
    } else if (choice < 92) {
      co_await set_start(store, *partition, expected);
    } else if (choice < 96 && switches_) {
      co_await change_class(store, *partition, expected);
    } else {
      CachedBounds bounds;
      bounds.write_bytes_max = random_.between(50, 1000);
      bounds.flush_bytes_max = random_.chance(1, 2) ? UINT64_MAX : random_.between(1, 2000);
      bounds.flush_delay_max = std::chrono::milliseconds(random_.below(500));
      store.set_cached_bounds(*partition, bounds);
    }
    io::AbortSource never;
    if (!store.accepting()) co_await store.wait_accepting(never);
  }

 private:
  static constexpr std::uint64_t kSegmentBytes = 1500;
  static constexpr std::uint64_t kPartitions = 2;

  io::Task<> pause() {
    Duration delay = std::chrono::microseconds(random_.below(5000));
    if (random_.chance(1, 5)) delay = std::chrono::milliseconds(random_.below(1000));
    io::AbortSource never;
    (void)co_await io::sleep_for(delay, never);
  }

  void append(ShardStore& store, PartitionFiles& partition, Expected& expected) {
    const std::uint64_t burst = random_.chance(1, 6) ? random_.between(3, 9) : 1;
    for (std::uint64_t i = 0; i < burst; ++i) {
      const std::size_t payload = random_.chance(1, 4) ? random_.between(100, 250) : random_.between(0, 40);
      const auto records = static_cast<std::int32_t>(random_.between(1, 3));
      Slice batch = make_batch_of(make_noise(random_, payload), partition.log_end(), records);
      store_big(batch.mutable_data() + record::format::kLeaderEpochAt, life_);
      if (partition.active().end + batch.size() > kSegmentBytes) store.roll(partition);
      const auto header = record::BatchView::parse(batch.view()).value();
      if (!store.append(partition, batch, header).ok()) return;
      const LogPosition end{partition.active().base, partition.active().end};
      Bytes bytes(batch.data(), batch.data() + batch.size());
      expected.batches[header.base_offset()] = {header.end_offset(), std::move(bytes), end, life_};
      expected.end = header.end_offset();
    }
  }

  /// Cuts at the start of a random batch.
  io::Task<> truncate(ShardStore& store, PartitionFiles& partition, Expected& expected) {
    std::vector<std::pair<Offset, LogPosition>> places;
    for (const auto& [base, batch] : expected.batches) {
      const LogPosition at{batch.end_position.segment, batch.end_position.position - batch.bytes.size()};
      if (base >= expected.start && partition.find_segment(at.segment) != nullptr) places.emplace_back(base, at);
    }
    if (places.empty()) co_return;
    const auto [end, at] = places[random_.below(places.size())];
    expected.truncation = end;
    const auto cut = co_await store.truncate(partition, end, at);
    if (!cut.ok()) co_return;
    if (partition.log_end() != end) checker_.fail("truncated elsewhere");
    expected.cut(end);
    expected.promised = expected.written = end;
    expected.truncation.reset();
  }

  io::Task<> set_start(ShardStore& store, PartitionFiles& partition, Expected& expected) {
    const auto segments = partition.segments();
    const Segment first = segments[random_.below(segments.size())];
    Offset start = std::max(first.base, expected.start);
    Offset first_kept = first.base;
    if (random_.chance(1, 6)) {
      // Somewhere in the last segment, or beyond the log's end.
      start = partition.log_end() + OffsetDelta(static_cast<std::int64_t>(random_.below(3)) * 20);
      first_kept = start > partition.log_end() ? start : partition.active().base;
    }
    if (start == expected.start) co_return;
    expected.deletion = start;
    if (!(co_await store.set_start(partition, start, first_kept)).ok()) co_return;
    expected.start = start;
    expected.end = std::max(expected.end, start);
    expected.deletion.reset();
  }

  io::Task<> change_class(ShardStore& store, PartitionFiles& partition, Expected& expected) {
    const bool to_durable = expected.durability == DurabilityClass::kCached;
    expected.other_class = to_durable ? DurabilityClass::kDurable : DurabilityClass::kCached;
    if (!(co_await store.change_class(partition, *expected.other_class)).ok()) co_return;
    expected.durability = *expected.other_class;
    expected.other_class.reset();
    // What precedes is durable, and what comes is when its round is.
    expected.promised = expected.written = expected.end;
    if (partition.durable_end() != expected.end) checker_.fail("changed its class with something not durable");
  }

  Random& random_;
  std::map<Incarnation, Expected>& expected_;
  Checker& checker_;
  bool switches_;  // between the classes
  std::int32_t life_ = 0;
};

}  // namespace pyralog::storage::crash::cached
