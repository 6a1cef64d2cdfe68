#pragma once

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "io/task_scope.h"
#include "io/virtual_world.h"
#include "storage/crash_faults.h"
#include "storage/crash_model.h"
#include "storage/crash_workload.h"
#include "storage/file_cache.h"
#include "storage/shard_store.h"

namespace pyralog::storage::crash {

/// One node's store under random work, crashed at random steps (in recovery too), checked after every start.
class Simulation {
 public:
  static constexpr NodeId kNode{1};

  explicit Simulation(std::uint64_t seed, std::optional<Emphasis> emphasis = {})
      : world_(seed),
        random_(seed * 7919 + 1),
        emphasis_(emphasis.value_or(static_cast<Emphasis>(random_.below(kEmphases)))) {
    options_.disk_uuid.bytes.fill(9);
    disk().options().sector_bytes = 8;
    disk().options().block_bytes = 64;
    // Without direct reads nobody sees through a cache that looks clean.
    disk().options().grants_direct = emphasis_ == Emphasis::kFailedSyncs || !random_.chance(1, 8);
    const bool bypasses = emphasis_ == Emphasis::kBypass || emphasis_ == Emphasis::kRemovals;
    const bool never_bypasses = emphasis_ == Emphasis::kAppends || (!bypasses && random_.chance(1, 2));
    if (never_bypasses) options_.geometry.bypass_bytes_min = UINT64_MAX;
    if (seed % 3 == 0) options_.geometry.direct_pass_bytes_min = UINT64_MAX;
    verbose_ = std::getenv("PYRALOG_SEED") != nullptr;
    history_.restart({}, RoundSequence(0));
  }

  /// False: what is wrong is in `error`.
  bool run() {
    boot();
    if (!world_.run(*reactor_, prepare())) return fail("cannot prepare the directory");
    const std::uint64_t lives = random_.between(3, 8);
    for (std::uint64_t i = 0; i < lives && error.empty(); ++i) {
      if (i > 0) boot();
      if (emphasis_ == Emphasis::kRot && random_.chance(2, 3)) {
        live(random_.between(20, 200), random_.chance(1, 3) ? End::kStop : End::kRest);
        for (int flip = 0; flip < 6 && error.empty(); ++flip) meet_rot();
        continue;
      }
      plan_crash();
      live(random_.between(20, 400), End::kStop);
    }
    disk().crash_never();
    disk().clear_faults();
    if (error.empty()) {
      boot();
      live(0, End::kStop);
    }
    coverage.forged = workload_.forged;
    coverage.compacted = workload_.compacted;
    return error.empty();
  }

  std::string error;
  Coverage coverage;

 private:
  enum class End : std::uint8_t { kStop, kRest };  // unless a crash comes first; resting, until all is proven

  io::VirtualDisk& disk() { return world_.disk(kNode); }
  bool fail(std::string why) {
    if (error.empty()) error = std::move(why);
    return false;
  }
  void boot() {
    reactor_ = &world_.add_reactor(kNode, ShardId(0));
    syncs_failed_before_ = disk().faults().syncs_failed;
  }
  io::Task<bool> prepare() {
    if (!(co_await io::Reactor::current().disk().make_directories("data")).ok()) co_return false;
    co_return (co_await io::Reactor::current().disk().sync_directory("")).ok();
  }

  io::CrashMode draw_mode() { return static_cast<io::CrashMode>(random_.below(3)); }
  void plan_crash() {
    const std::uint64_t reach = random_.chance(1, 3) ? 60 : 1500;
    disk().crash_at_step(disk().steps() + random_.between(1, reach), draw_mode());
    if (emphasis_ == Emphasis::kCheckpoints && random_.chance(3, 4)) {
      disk().crash_never();
      const std::string_view which = random_.chance(1, 2) ? "a" : "b";
      disk().crash_after_write("data/journal/0/1-" + std::string(which) + ".checkpoint", draw_mode());
    }
  }
  /// Whether errors are to be expected: a sync of this life has failed.
  bool sync_failed() { return disk().faults().syncs_failed > syncs_failed_before_; }

  /// One life of the process: ends with a crash, a stop, or an error.
  void live(std::uint64_t operations, End end) {
    store_ = nullptr;
    ended_ = false;
    world_.start(*reactor_, process(operations, end));
    const auto ended = [this] {
      if (store_ != nullptr && reactor_->alive()) acknowledged_ = std::max(acknowledged_, store_->synced());
      return ended_ || !reactor_->alive() || !error.empty();
    };
    if (world_.run_until(ended, world_.now() + std::chrono::hours(1)) != io::RunEnd::kDone) fail("the store hangs");
    if (reactor_->alive()) {
      // At rest the plug may be pulled; after a stop the process goes, and the system stays up.
      disk().crash_never();
      world_.crash(kNode, end == End::kRest ? draw_mode() : io::CrashMode::kKill);
    } else if (verbose_) {
      std::printf("crashed; acknowledged %llu\n", static_cast<unsigned long long>(acknowledged_.value));
    }
  }

  io::Task<> process(std::uint64_t operations, End end) {
    FileCache files(8);
    auto opened = co_await ShardStore::open(options_, files);
    if (!opened.ok()) {
      if (reactor_->alive() && !sync_failed()) fail("refused to start: " + opened.error().to_string());
      coverage.stopped_by_syncs += sync_failed();
      ended_ = true;
      co_return;
    }
    ShardStore& store = **opened;
    check(store);
    store_ = &store;
    for (std::uint64_t i = 0; i < operations && error.empty() && !store.failure().has_value(); ++i) {
      if (emphasis_ == Emphasis::kFailedSyncs && random_.chance(1, 25)) plan_failed_sync(disk(), random_);
      co_await workload_.operate(store);
    }
    if (operations == 0) co_await check_idle(store);
    coverage.bypassed_bytes += store.counters().bypassed_bytes;
    coverage.images += store.counters().images;
    if (error.empty() && store.failure().has_value() && reactor_->alive()) {
      if (!sync_failed()) fail(store.failure()->to_string());
      co_await check_stopped(store);
    }
    if (end == End::kRest && error.empty() && reactor_->alive()) {
      (void)co_await store.wait_synced(history_.newest_round());
      co_await let_time_pass(options_.geometry.prove_delay * 2);
      ended_ = true;
      co_await let_time_pass(std::chrono::hours(2));
    }
    const Result<> closed = co_await store.close();
    if (!closed.ok() && reactor_->alive() && !sync_failed()) fail("does not stop: " + closed.error().to_string());
    acknowledged_ = std::max(acknowledged_, store.synced());
    store_ = nullptr;
    ended_ = true;
  }

  /// After a failed sync nothing is accepted, and nothing acknowledged but the round whose own sync was under way.
  io::Task<> check_stopped(ShardStore& store) {
    ++coverage.stopped_by_syncs;
    const RoundSequence synced = store.synced();
    if (store.put_state({Incarnation(1), 0}, Slice::copy_of(as_bytes("late"))).ok()) fail("goes on after a failed sync");
    co_await let_time_pass(std::chrono::seconds(10));
    if (store.synced().value > synced.value + 1) fail("acknowledges after a failed sync");
    const bool waits = history_.newest_round() > store.synced();
    if (waits && (co_await store.wait_synced(history_.newest_round())).ok()) fail("a wait outlives the store");
  }

  /// Flips one bit of what is durable and proven: the store then starts with the exact state, or names corruption and
  /// leaves everything as it is. Afterwards the bit is as it was.
  void meet_rot() {
    const auto flipped = FlippedBit::draw(disk(), random_, options_.geometry.block_bytes);
    if (!flipped.has_value()) return;
    const io::VirtualDiskSnapshot before = disk().snapshot();
    flipped->apply(disk());
    boot();
    ended_ = false;
    world_.start(*reactor_, start_rotten(*flipped));
    if (world_.run_until([this] { return ended_; }, world_.now() + std::chrono::hours(1)) != io::RunEnd::kDone) {
      fail("hangs on rot");
    }
    world_.crash(kNode, io::CrashMode::kKill);
    disk().restore(before);
    if (error.empty()) return;
    error += flipped->is_lost ? "; lost " + flipped->path
                              : "; bit " + std::to_string(flipped->bit) + " of " + flipped->path + " flipped";
  }

  io::Task<> start_rotten(FlippedBit flipped) {
    const auto before = all_contents(disk());
    FileCache files(8);
    auto opened = co_await ShardStore::open(options_, files);
    if (!opened.ok()) {
      ++coverage.rot_named;
      if (opened.error().code() != ErrorCode::kCorrupt) fail("rot ends in " + opened.error().to_string());
      if (flipped.in_file_header(options_.geometry.block_bytes)) fail("one header copy is not enough");
      if (all_contents(disk()) != before) fail("a refused start changes files");
      ended_ = true;
      co_return;
    }
    ++coverage.rot_survived;
    ShardStore& store = **opened;
    Model found = read_model(store, disk());
    if (!(found == history_.newest()) && flipped.in_segment()) {
      // Readers notice it by the batch's checksum; everything around it must be right.
      disk().flip_bit(flipped.path, flipped.bit);
      found = read_model(store, disk());
    }
    if (!(found == history_.newest())) fail("rot changes the state: " + history_.newest().difference(found));
    // The EMPTY round, which comes last, may be gone.
    if (store.synced().value + 1 < acknowledged_.value) fail("rot takes rounds away");
    (void)co_await store.close();
    ended_ = true;
  }

  void check(ShardStore& store) {
    Model found = read_model(store, disk());
    if (store.synced() < acknowledged_) fail("round numbers went back");
    if (!history_.allows(found, acknowledged_)) fail("wrong state: " + history_.newest().difference(found));
    acknowledged_ = store.synced();
    history_.restart(std::move(found), acknowledged_);
  }

  /// Left alone, everything reaches the segments and the journal is not needed any more.
  io::Task<> check_idle(ShardStore& store) {
    co_await let_time_pass(std::chrono::seconds(60));
    const StoreCounters& counters = store.counters();
    if (counters.dirty_bytes != 0) fail("idle, and still dirty");
    if (counters.journal_retained_bytes != 0) fail("idle, and still in need of the journal");
    if (!(read_model(store, disk()) == history_.newest())) fail("changed while idle");
  }

  io::VirtualWorld world_;
  Random random_;
  Emphasis emphasis_;
  StoreOptions options_{.data_directory = "data", .geometry = shrunk_geometry()};
  io::VirtualReactor* reactor_ = nullptr;
  ShardStore* store_ = nullptr;
  bool ended_ = false;
  bool verbose_ = false;
  History history_;
  Workload workload_{random_, history_, disk(), emphasis_,
                     {options_.geometry.block_bytes, options_.geometry.round_bytes_max, options_.geometry.journal_file_bytes}};
  std::uint64_t syncs_failed_before_ = 0;
  RoundSequence acknowledged_;
};

}  // namespace pyralog::storage::crash
