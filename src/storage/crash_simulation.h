#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "io/task_scope.h"
#include "io/virtual_world.h"
#include "record/batch_view.h"
#include "storage/crash_model.h"
#include "storage/crash_workload.h"
#include "storage/file_cache.h"
#include "storage/file_names.h"
#include "storage/shard_store.h"

namespace pyralog::storage::crash {

inline StoreGeometry shrunk_geometry() {
  StoreGeometry geometry;
  geometry.sector_bytes = 8;
  geometry.block_bytes = 64;
  geometry.journal_file_bytes = 4096;
  geometry.journal_bytes_max = 5 * 4096;
  geometry.round_bytes_max = 2048;
  geometry.dirty_bytes_max = 8192;
  geometry.pass_bytes_max = 300;
  geometry.write_bytes_max = 100;
  geometry.batch_copied_bytes_below = 120;
  geometry.bypass_bytes_min = 400;
  geometry.bypass_partitions_max = 2;
  geometry.clean_journal_bytes_min = 6000;
  geometry.tail_cache_bytes_max = 1000;
  return geometry;
}

/// One node's store under random work, crashed at random steps (in recovery too), checked after every start.
class Simulation {
 public:
  static constexpr NodeId kNode{1};

  explicit Simulation(std::uint64_t seed) : world_(seed), random_(seed * 7919 + 1) {
    options_.data_directory = "data";
    options_.disk_uuid.bytes.fill(9);
    options_.geometry = shrunk_geometry();
    disk().options().sector_bytes = 8;
    disk().options().block_bytes = 64;
    disk().options().grants_direct = !random_.chance(1, 8);
    // Half of the runs leave the bypass out, so that the rest gets its turn.
    if (random_.chance(1, 2)) options_.geometry.bypass_bytes_min = UINT64_MAX;
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
      const auto mode = static_cast<io::CrashMode>(random_.below(3));
      const std::uint64_t reach = random_.chance(1, 3) ? 60 : 1500;
      disk().crash_at_step(disk().steps() + random_.between(1, reach), mode);
      live(random_.between(20, 400));
    }
    disk().crash_never();
    if (error.empty()) {
      boot();
      live(0);
    }
    return error.empty();
  }

  std::string error;
  std::uint64_t bypassed_bytes = 0;  ///< what came through each way, so that runs can be shown to cover it
  std::uint64_t images = 0;

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

  /// One life of the process: ends with a crash, a clean stop, or an error.
  void live(std::uint64_t operations) {
    store_ = nullptr;
    ended_ = false;
    world_.start(*reactor_, process(operations));
    const auto ended = [this] {
      if (store_ != nullptr && reactor_->alive()) acknowledged_ = std::max(acknowledged_, store_->synced());
      return ended_ || !reactor_->alive() || !error.empty();
    };
    if (world_.run_until(ended, world_.now() + std::chrono::hours(1)) != io::RunEnd::kDone) fail("the store hangs");
    if (reactor_->alive()) {
      // A clean stop: the process goes, the system stays up.
      disk().crash_never();
      world_.crash(kNode, io::CrashMode::kKill);
    } else if (verbose_) {
      std::printf("crashed; acknowledged %llu\n", static_cast<unsigned long long>(acknowledged_.value));
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
    check(store);
    store_ = &store;
    for (std::uint64_t i = 0; i < operations && error.empty() && !store.failure().has_value(); ++i) {
      co_await workload_.operate(store);
    }
    if (operations == 0) co_await check_idle(store);
    if (error.empty() && store.failure().has_value() && reactor_->alive()) fail(store.failure()->to_string());
    bypassed_bytes += store.counters().bypassed_bytes;
    images += store.counters().images;
    const Result<> closed = co_await store.close();
    if (!closed.ok() && reactor_->alive()) fail("does not stop: " + closed.error().to_string());
    acknowledged_ = std::max(acknowledged_, store.synced());
    store_ = nullptr;
    ended_ = true;
  }

  /// What the store says that it holds.
  Model read(ShardStore& store) {
    Model model;
    std::vector<StoredPart> parts;
    for (PartitionFiles* partition : store.partitions()) {
      ModelPartition& into = model.partitions[partition->incarnation()];
      into.start = partition->start();
      into.end = partition->log_end();
      for (const Segment& segment : partition->segments()) {
        if (segment.end == 0) continue;
        Bytes& bytes = into.segments[segment.base];
        partition->locate(segment.base, 0, UINT64_MAX, parts);
        const std::string path = file_path("data/" + partition->directory(), segment.base, FileKind::kLog);
        const Bytes file = disk().has(path) ? disk().contents(path) : Bytes();
        for (const StoredPart& part : parts) {
          const ByteView from = part.slice.empty() ? ByteView(file) : part.slice.view();
          const std::uint64_t begin = part.slice.empty() ? part.position : 0;
          if (begin + part.bytes > from.size()) break;
          bytes.insert(bytes.end(), from.begin() + static_cast<std::ptrdiff_t>(begin),
                       from.begin() + static_cast<std::ptrdiff_t>(begin + part.bytes));
        }
        if (bytes.size() != segment.end) fail("a log has a hole");
      }
    }
    for (std::uint64_t owner = 1; owner < 3; ++owner) {
      for (const StateKey key : store.state_keys(Incarnation(owner))) {
        const Slice value = store.state(key);
        model.states[key] = Bytes(value.data(), value.data() + value.size());
      }
    }
    return model;
  }

  void check(ShardStore& store) {
    Model found = read(store);
    if (store.synced() < acknowledged_) fail("round numbers went back");
    if (!history_.allows(found, acknowledged_)) fail("wrong state: " + history_.newest().difference(found));
    acknowledged_ = store.synced();
    history_.restart(std::move(found), acknowledged_);
  }

  /// Left alone, everything reaches the segments and the journal is not needed any more.
  io::Task<> check_idle(ShardStore& store) {
    io::AbortSource never;
    (void)co_await io::sleep_for(std::chrono::seconds(60), never);
    const StoreCounters& counters = store.counters();
    if (counters.dirty_bytes != 0) fail("idle, and still dirty");
    if (counters.journal_retained_bytes != 0) fail("idle, and still in need of the journal");
    if (!(read(store) == history_.newest())) fail("changed while idle");
  }

  io::VirtualWorld world_;
  Random random_;
  StoreOptions options_;
  io::VirtualReactor* reactor_ = nullptr;
  ShardStore* store_ = nullptr;
  bool ended_ = false;
  bool verbose_ = false;
  History history_;
  Workload workload_{random_, history_};
  RoundSequence acknowledged_;
};

}  // namespace pyralog::storage::crash
