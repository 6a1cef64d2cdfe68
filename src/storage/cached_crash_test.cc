// Logs of the cached class under random work and random crashes: what is left is always the log's beginning, at least as
// far as was promised.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "io/virtual_seeds.h"
#include "io/virtual_world.h"
#include "storage/crash_model.h"
#include "storage/file_cache.h"
#include "storage/file_names.h"
#include "storage/shard_store.h"

namespace pyralog::storage::crash {
namespace {

constexpr NodeId kNode{1};
constexpr std::uint64_t kSegmentBytes = 1500;
constexpr std::uint64_t kPartitions = 2;

StoreGeometry cached_geometry() {
  StoreGeometry geometry;
  geometry.sector_bytes = 8;
  geometry.block_bytes = 64;
  geometry.journal_file_bytes = 16 << 10;
  geometry.journal_bytes_max = 5 * (16 << 10);
  geometry.round_bytes_max = 8 << 10;
  geometry.dirty_bytes_max = 16 << 10;
  geometry.write_cache_bytes_max = 4 << 10;
  geometry.pass_bytes_max = 300;
  geometry.write_bytes_max = 100;
  geometry.batch_copied_bytes_below = 120;
  geometry.bypass_bytes_min = 400;
  geometry.clean_journal_bytes_min = 6000;
  geometry.tail_cache_bytes_max = 1000;
  geometry.checkpoint_delay_max = std::chrono::milliseconds(300);
  return geometry;
}

/// What a log may be found to be after a crash.
struct Expected {
  struct Batch {
    Offset end;
    Bytes bytes;
    LogPosition end_position;
    std::int32_t epoch;
  };
  std::map<Offset, Batch> batches;  // by base; those deleted from the front included
  Offset start, end;
  Offset promised;  // below: survives a power cut
  Offset written;   // below: survives the process
  DurabilityClass durability = DurabilityClass::kCached;
  // Under way, so it may have happened or not.
  std::optional<Offset> truncation, deletion;
  std::optional<DurabilityClass> other_class;

  void cut(Offset at) {
    batches.erase(batches.lower_bound(at), batches.end());
    end = at;
  }
};

class CachedSimulation {
 public:
  explicit CachedSimulation(std::uint64_t seed) : world_(seed), random_(seed * 104729 + 3) {
    options_.data_directory = "data";
    options_.disk_uuid.bytes.fill(9);
    options_.geometry = cached_geometry();
    disk().options().sector_bytes = 8;
    disk().options().block_bytes = 64;
    disk().options().grants_direct = !random_.chance(1, 8);
    switches_ = random_.chance(1, 2);
  }

  bool run() {
    boot();
    if (!world_.run(*reactor_, prepare())) return fail("cannot begin");
    const std::uint64_t lives = random_.between(3, 8);
    for (std::uint64_t i = 0; i < lives && error.empty(); ++i) {
      if (i > 0) boot();
      mode_ = static_cast<io::CrashMode>(random_.below(3));
      disk().crash_at_step(disk().steps() + random_.between(1, random_.chance(1, 3) ? 60 : 1500), mode_);
      live(random_.between(20, 300));
    }
    disk().crash_never();
    if (error.empty()) {
      boot();
      mode_ = io::CrashMode::kKill;
      live(0);
    }
    return error.empty();
  }

  std::string error;
  std::uint64_t lost_batches = 0;  ///< what crashes took, so that runs can be shown to have lost something

 private:
  io::VirtualDisk& disk() { return world_.disk(kNode); }
  bool fail(std::string why) {
    if (error.empty()) error = std::move(why);
    return false;
  }
  void boot() { reactor_ = &world_.add_reactor(kNode, ShardId(0)); }
  io::Task<bool> prepare() {
    if (!(co_await io::Reactor::current().disk().make_directories("data")).ok()) co_return false;
    co_return (co_await io::Reactor::current().disk().sync_directory("")).ok();
  }

  void live(std::uint64_t operations) {
    store_ = nullptr;
    ended_ = false;
    ++life_;
    world_.start(*reactor_, process(operations));
    const auto ended = [this] {
      if (store_ != nullptr && reactor_->alive()) observe(*store_);
      return ended_ || !reactor_->alive() || !error.empty();
    };
    if (world_.run_until(ended, world_.now() + std::chrono::hours(1)) != io::RunEnd::kDone) fail("the store hangs");
    if (!reactor_->alive() && mode_ != io::CrashMode::kKill) lost_power_ = true;
    if (reactor_->alive()) {
      disk().crash_never();
      world_.crash(kNode, io::CrashMode::kKill);
    }
  }

  /// What the store promises now.
  void observe(ShardStore& store) {
    for (auto& [incarnation, expected] : expected_) {
      const PartitionFiles* partition = store.find(incarnation);
      if (partition == nullptr || expected.truncation.has_value() || expected.deletion.has_value()) continue;
      expected.promised = std::max(expected.promised, partition->durable_end());
      for (const auto& [base, batch] : expected.batches) {
        const Segment* segment = partition->find_segment(batch.end_position.segment);
        if (segment == nullptr || batch.end <= expected.written) continue;
        if (segment->clean_end < batch.end_position.position) break;
        expected.written = batch.end;
      }
    }
  }

  io::Task<> process(std::uint64_t operations) {
    FileCache files(8);
    auto opened = co_await ShardStore::open(options_, files);
    if (!opened.ok()) {
      if (reactor_->alive()) fail("refused to start: " + opened.error().to_string());
      ended_ = true;
      co_return;
    }
    ShardStore& store = **opened;
    for (auto& [incarnation, expected] : expected_) check(store, incarnation, expected);
    lost_power_ = false;
    store_ = &store;
    co_await create_missing(store);
    for (std::uint64_t i = 0; i < operations && error.empty() && !store.failure().has_value(); ++i) co_await operate(store);
    if (error.empty() && store.failure().has_value() && reactor_->alive()) fail(store.failure()->to_string());
    const Result<> closed = co_await store.close();
    if (!closed.ok() && reactor_->alive()) fail("does not stop: " + closed.error().to_string());
    if (closed.ok()) {
      for (auto& [incarnation, expected] : expected_) expected.promised = expected.written = expected.end;
    }
    store_ = nullptr;
    ended_ = true;
  }

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
      Bytes noise(payload);
      for (std::byte& byte : noise) byte = static_cast<std::byte>(random_.next());
      Slice batch = make_batch_of(noise, partition.log_end(), static_cast<std::int32_t>(random_.between(1, 3)));
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
    if (partition.log_end() != end) fail("truncated elsewhere");
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
    if (partition.durable_end() != expected.end) fail("changed its class with something not durable");
  }

  Bytes read(const PartitionFiles& partition) {
    Bytes bytes;
    std::vector<StoredPart> parts;
    for (const Segment& segment : partition.segments()) {
      const std::size_t before = bytes.size();
      partition.locate(segment.base, 0, UINT64_MAX, parts);
      const std::string path = file_path("data/" + partition.directory(), segment.base, FileKind::kLog, segment.edition);
      const Bytes file = disk().has(path) ? disk().contents(path) : Bytes();
      for (const StoredPart& part : parts) {
        const ByteView from = part.slice.empty() ? ByteView(file) : part.slice.view();
        const std::uint64_t begin = part.slice.empty() ? part.position : 0;
        if (begin + part.bytes > from.size()) break;
        bytes.insert(bytes.end(), from.begin() + static_cast<std::ptrdiff_t>(begin),
                     from.begin() + static_cast<std::ptrdiff_t>(begin + part.bytes));
      }
      if (bytes.size() - before != segment.end) fail("a log has a hole");
    }
    return bytes;
  }

  void check(ShardStore& store, Incarnation incarnation, Expected& expected) {
    const PartitionFiles* partition = store.find(incarnation);
    if (partition == nullptr) {
      fail("a partition is missing");
      return;
    }
    const std::string name = "partition " + std::to_string(incarnation.value) + " [" +
                             std::to_string(partition->start().value) + ", " + std::to_string(partition->log_end().value) + ")";
    const bool start_fits = partition->start() == expected.start || partition->start() == expected.deletion;
    if (!start_fits) fail(name + " starts elsewhere, not at " + std::to_string(expected.start.value));
    if (partition->durability() != expected.durability && partition->durability() != expected.other_class) {
      fail(name + " has another class");
    }
    Offset promised = lost_power_ ? expected.promised : expected.written;
    if (expected.truncation.has_value()) promised = std::min(promised, *expected.truncation);
    if (partition->log_end() < promised) fail(name + " lost what was promised, up to " + std::to_string(promised.value));
    if (partition->durable_end() != partition->log_end()) fail(name + " recovered what is not durable");
    const Bytes bytes = read(*partition);
    Offset next = partition->segments().front().base;
    std::int32_t epoch = -1;
    for (std::size_t at = 0; at < bytes.size() && error.empty();) {
      const auto batch = expected.batches.find(next);
      const ByteView rest = ByteView(bytes).subspan(at);
      if (batch == expected.batches.end() || batch->second.bytes.size() > rest.size() ||
          !std::equal(batch->second.bytes.begin(), batch->second.bytes.end(), rest.begin())) {
        fail(name + " has what was never appended at offset " + std::to_string(next.value));
        return;
      }
      at += batch->second.bytes.size();
      next = batch->second.end;
      epoch = batch->second.epoch;
    }
    if (!bytes.empty() && next != partition->log_end()) fail(name + " ends elsewhere than its batches");
    const bool has_records = epoch >= 0 && partition->log_end() > partition->start();
    if (has_records && partition->state().epochs().latest() != LeaderEpoch(epoch)) fail(name + " has another epoch");
    for (const auto& [base, batch] : expected.batches) lost_batches += base >= partition->log_end() ? 1 : 0;
    expected.cut(std::max(partition->log_end(), partition->start()));
    expected.start = partition->start();
    expected.durability = partition->durability();
    expected.promised = expected.written = expected.end;
    expected.truncation.reset();
    expected.deletion.reset();
    expected.other_class.reset();
    place_again(*partition, expected);
  }

  /// Where the batches that are left lie.
  static void place_again(const PartitionFiles& partition, Expected& expected) {
    for (const Segment& segment : partition.segments()) {
      std::uint64_t position = 0;
      auto batch = expected.batches.find(segment.base);
      for (; batch != expected.batches.end() && position < segment.end; ++batch) {
        position += batch->second.bytes.size();
        batch->second.end_position = {segment.base, position};
      }
    }
  }

  io::VirtualWorld world_;
  Random random_;
  StoreOptions options_;
  io::VirtualReactor* reactor_ = nullptr;
  ShardStore* store_ = nullptr;
  io::CrashMode mode_{};
  bool ended_ = false;
  bool lost_power_ = false;  ///< since the last check; a crash may come during recovery, too
  bool switches_ = false;
  std::int32_t life_ = 0;
  std::map<Incarnation, Expected> expected_;
};

bool survives(std::uint64_t seed) {
  CachedSimulation simulation(seed);
  const bool passed = simulation.run();
  if (!passed) std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), simulation.error.c_str());
  return passed;
}

TEST(CachedCrashes, LeaveABeginningOfTheLogThatHoldsWhatWasPromised) {
  EXPECT_TRUE(io::failing_seeds({.first = 1, .count = 300}, survives).empty());
}

TEST(CachedCrashes, TakeSomething) {
  std::uint64_t lost_batches = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CachedSimulation simulation(seed);
    EXPECT_TRUE(simulation.run()) << simulation.error;
    lost_batches += simulation.lost_batches;
  }
  EXPECT_GT(lost_batches, 100u);
}

}  // namespace
}  // namespace pyralog::storage::crash
