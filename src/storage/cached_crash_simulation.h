#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "io/virtual_world.h"
#include "storage/cached_crash_model.h"
#include "storage/cached_crash_workload.h"
#include "storage/crash_faults.h"
#include "storage/file_cache.h"
#include "storage/shard_store.h"

namespace pyralog::storage::crash::cached {

/// One node's store with logs of the cached class under random work, failed syncs, flipped bits and crashes at random steps.
/// What is left is always the log's beginning, at least as far as was promised.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : world_(seed), random_(seed * 104729 + 3) {
    options_.data_directory = "data";
    options_.disk_uuid.bytes.fill(9);
    options_.geometry = cached_geometry();
    disk().options().sector_bytes = 8;
    disk().options().block_bytes = 64;
    fails_syncs_ = random_.chance(1, 4);
    // Without direct reads nobody sees through a cache that looks clean.
    disk().options().grants_direct = fails_syncs_ || !random_.chance(1, 8);
    rots_ = random_.chance(1, 3);
  }

  bool run() {
    boot();
    if (!world_.run(*reactor_, prepare())) return fail("cannot begin");
    const std::uint64_t lives = random_.between(3, 8);
    for (std::uint64_t i = 0; i < lives && checker_.error.empty(); ++i) {
      if (i > 0) boot();
      mode_ = static_cast<io::CrashMode>(random_.below(3));
      if (rots_ && random_.chance(2, 3)) {
        const std::uint64_t stopped_before = stopped_by_syncs;
        live(random_.between(20, 200), End::kRest);
        disk().clear_faults();
        // What a failed sync stops does not come to rest, and its last round is not proven.
        const bool rested = stopped_by_syncs == stopped_before;
        for (int flip = 0; rested && flip < 6 && checker_.error.empty(); ++flip) meet_rot();
        continue;
      }
      disk().crash_at_step(disk().steps() + random_.between(1, random_.chance(1, 3) ? 60 : 1500), mode_);
      live(random_.between(20, 300), End::kStop);
    }
    disk().crash_never();
    disk().clear_faults();
    if (checker_.error.empty()) {
      boot();
      mode_ = io::CrashMode::kKill;
      live(0, End::kStop);
    }
    return checker_.error.empty();
  }

  const std::string& error() const noexcept { return checker_.error; }
  // So that runs can be shown to reach what they are for.
  std::uint64_t lost_batches() const noexcept { return checker_.lost_batches; }  ///< crashes took them
  std::uint64_t stopped_by_syncs = 0;
  std::uint64_t rot_named = 0, rot_cut = 0, rot_survived = 0;

 private:
  static constexpr NodeId kNode{1};
  enum class End : std::uint8_t { kStop, kRest };  // unless a crash comes first; resting, until all is proven

  io::VirtualDisk& disk() { return world_.disk(kNode); }
  bool fail(std::string why) {
    checker_.fail(std::move(why));
    return false;
  }
  void boot() {
    reactor_ = &world_.add_reactor(kNode, ShardId(0));
    syncs_failed_before_ = disk().faults().syncs_failed;
  }
  /// Whether errors are to be expected: a sync of this life has failed.
  bool sync_failed() { return disk().faults().syncs_failed > syncs_failed_before_; }
  io::Task<bool> prepare() {
    if (!(co_await io::Reactor::current().disk().make_directories("data")).ok()) co_return false;
    co_return (co_await io::Reactor::current().disk().sync_directory("")).ok();
  }

  void live(std::uint64_t operations, End end) {
    store_ = nullptr;
    ended_ = false;
    workload_.begin_life();
    world_.start(*reactor_, process(operations, end));
    const auto ended = [this] {
      if (store_ != nullptr && reactor_->alive()) observe(*store_);
      return ended_ || !reactor_->alive() || !checker_.error.empty();
    };
    if (world_.run_until(ended, world_.now() + std::chrono::hours(1)) != io::RunEnd::kDone) fail("the store hangs");
    // What a failed sync left is no better than what a power cut leaves.
    if (sync_failed() || ((!reactor_->alive() || end == End::kRest) && mode_ != io::CrashMode::kKill)) lost_power_ = true;
    if (reactor_->alive()) {
      disk().crash_never();
      world_.crash(kNode, end == End::kRest ? mode_ : io::CrashMode::kKill);
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

  io::Task<> process(std::uint64_t operations, End end) {
    FileCache files(8);
    auto opened = co_await ShardStore::open(options_, files);
    if (!opened.ok()) {
      if (reactor_->alive() && !sync_failed()) fail("refused to start: " + opened.error().to_string());
      stopped_by_syncs += sync_failed();
      ended_ = true;
      co_return;
    }
    ShardStore& store = **opened;
    for (auto& [incarnation, expected] : expected_) checker_.check(store, incarnation, expected, lost_power_);
    lost_power_ = false;
    store_ = &store;
    co_await workload_.create_missing(store);
    for (std::uint64_t i = 0; i < operations && checker_.error.empty() && !store.failure().has_value(); ++i) {
      if (fails_syncs_ && random_.chance(1, 40)) plan_failed_sync(disk(), random_);
      co_await workload_.operate(store);
    }
    const bool has_failed = store.failure().has_value() && reactor_->alive();
    if (has_failed && !sync_failed()) fail(store.failure()->to_string());
    stopped_by_syncs += has_failed && sync_failed();
    if (end == End::kRest && checker_.error.empty() && !has_failed && reactor_->alive()) {
      co_await let_time_pass(options_.geometry.prove_delay * 10);
      ended_ = true;
      co_await let_time_pass(std::chrono::hours(2));
    }
    const Result<> closed = co_await store.close();
    if (!closed.ok() && reactor_->alive() && !sync_failed()) fail("does not stop: " + closed.error().to_string());
    if (closed.ok()) {
      for (auto& [incarnation, expected] : expected_) expected.promised = expected.written = expected.end;
    }
    store_ = nullptr;
    ended_ = true;
  }

  /// Flips one bit of what is proven, and starts: corruption is named, or a log with a flipped bit ends there, or its reader
  /// will notice. Whatever the bit is not in is as it was. Afterwards everything is.
  void meet_rot() {
    const auto flipped = FlippedBit::draw(disk(), random_, options_.geometry.block_bytes);
    if (!flipped.has_value()) return;
    const io::VirtualDiskSnapshot before = disk().snapshot();
    const auto expected = expected_;
    const std::uint64_t lost = checker_.lost_batches;
    flipped->apply(disk());
    boot();
    ended_ = false;
    world_.start(*reactor_, start_rotten(*flipped));
    if (world_.run_until([this] { return ended_; }, world_.now() + std::chrono::hours(1)) != io::RunEnd::kDone) {
      fail("hangs on rot");
    }
    world_.crash(kNode, io::CrashMode::kKill);
    disk().restore(before);
    rot_cut += checker_.lost_batches - lost;
    checker_.lost_batches = lost;
    expected_ = expected;
    if (checker_.error.empty()) return;
    checker_.error += flipped->is_lost ? "; lost " + flipped->path
                                       : "; bit " + std::to_string(flipped->bit) + " of " + flipped->path + " flipped";
  }

  io::Task<> start_rotten(FlippedBit flipped) {
    FileCache files(8);
    auto opened = co_await ShardStore::open(options_, files);
    if (!opened.ok()) {
      ++rot_named;
      if (opened.error().code() != ErrorCode::kCorrupt) fail("rot ends in " + opened.error().to_string());
      ended_ = true;
      co_return;
    }
    ++rot_survived;
    ShardStore& store = **opened;
    // In a segment that was not scanned, readers notice it by the batch's checksum; everything around it must be right.
    if (flipped.in_segment() && disk().has(flipped.path) && disk().contents(flipped.path).size() > flipped.bit / 8) {
      disk().flip_bit(flipped.path, flipped.bit);
    }
    for (auto& [incarnation, expected] : expected_) {
      const PartitionFiles* partition = store.find(incarnation);
      const bool is_hit = partition != nullptr && flipped.path.starts_with("data/" + partition->directory() + "/");
      expected.has_rot = is_hit && flipped.in_segment();
      checker_.check(store, incarnation, expected, lost_power_);
    }
    (void)co_await store.close();
    ended_ = true;
  }

  io::VirtualWorld world_;
  Random random_;
  StoreOptions options_;
  io::VirtualReactor* reactor_ = nullptr;
  ShardStore* store_ = nullptr;
  io::CrashMode mode_{};
  bool ended_ = false;
  bool lost_power_ = false;  ///< since the last check; a crash may come during recovery, too
  bool fails_syncs_ = false;
  bool rots_ = false;
  std::uint64_t syncs_failed_before_ = 0;
  std::map<Incarnation, Expected> expected_;
  Checker checker_{disk()};
  Workload workload_{random_, expected_, checker_, random_.chance(1, 2)};
};

}  // namespace pyralog::storage::crash::cached
