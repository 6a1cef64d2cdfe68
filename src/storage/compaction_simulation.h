#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "core/random.h"
#include "io/task_scope.h"
#include "io/virtual_world.h"
#include "storage/compaction_history.h"
#include "storage/keyed_batches.h"
#include "storage/crash_faults.h"
#include "storage/crash_model.h"
#include "storage/log_compaction.h"

namespace pyralog::storage::crash {

/// A compacted log with many records of few keys, crashed at random steps while it is compacted, read and written. Whatever
/// happens, the last value of each key is there, what was deleted stays deleted, and each producer's last batch is known.
class CompactionSimulation {
 public:
  static constexpr NodeId kNode{1};

  explicit CompactionSimulation(std::uint64_t seed) : world_(seed), random_(seed * 15485863 + 5) {
    options_.data_directory = "data";
    options_.disk_uuid.bytes.fill(9);
    options_.geometry = compacted_geometry();
    disk().options().sector_bytes = 8;
    disk().options().block_bytes = 64;
    LogSettings settings = compacted_settings();
    settings.write_caching = seed % 3 == 0;
    settings_ = std::make_shared<const LogSettings>(settings);
  }

  bool run() {
    boot();
    if (!world_.run(*reactor_, prepare())) return fail("cannot begin");
    const std::uint64_t lives = random_.between(3, 7);
    for (std::uint64_t i = 0; i < lives && error.empty(); ++i) {
      if (i > 0) boot();
      disk().crash_at_step(disk().steps() + random_.between(1, random_.chance(1, 4) ? 100 : 3000),
                           static_cast<io::CrashMode>(random_.below(3)));
      live(random_.between(30, 250));
    }
    disk().crash_never();
    if (error.empty()) {
      boot();
      live(0);
    }
    return error.empty();
  }

  std::string error;
  std::uint64_t compactions = 0, superseded = 0, tombstones = 0, passes = 0, merged = 0;

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
    files_of_ = nullptr;
    ended_ = false;
    world_.start(*reactor_, process(operations));
    const auto ended = [this] {
      if (files_of_ != nullptr && reactor_->alive()) promised_ = std::max(promised_, files_of_->durable_end());
      return ended_ || !reactor_->alive() || !error.empty();
    };
    if (world_.run_until(ended, world_.now() + std::chrono::hours(5)) != io::RunEnd::kDone) fail("the log hangs");
    if (reactor_->alive()) {
      disk().crash_never();
      world_.crash(kNode, io::CrashMode::kKill);
    }
  }

  /// Without them producers are found in the log alone.
  io::Task<> lose_snapshots() {
    io::Disk& disk = io::Reactor::current().disk();
    for (const std::string& path : files_that_end(this->disk(), ".snapshot")) (void)co_await disk.remove(path);
  }

  io::Task<> process(std::uint64_t operations) {
    FileCache files(8);
    if (random_.chance(1, 2)) co_await lose_snapshots();
    auto opened = co_await ShardStore::open(options_, files);
    if (!opened.ok()) {
      if (reactor_->alive()) fail("refused to start: " + opened.error().to_string());
      ended_ = true;
      co_return;
    }
    ShardStore& store = **opened;
    PartitionFiles* partition = store.find(Incarnation(10));
    if (partition == nullptr && !written_.empty() && promised_ > Offset(0)) fail("the log is gone");
    if (partition == nullptr) partition = co_await create(store);
    if (partition == nullptr) {
      ended_ = true;
      co_return;
    }
    record::Decompressor decompressor;
    LogShard shard{.store = store, .files = files, .decompressor = decompressor, .counters = {}, .parts = {}};
    PartitionLog log(shard, *partition, settings_);
    log.lead(log.next_epoch());
    recovered(log);
    const Result<> prepared = co_await log.prepare();
    if (!prepared.ok() && reactor_->alive()) fail("cannot be prepared: " + prepared.error().to_string());
    if (error.empty()) co_await check(log);
    if (error.empty()) check_producers(log);
    files_of_ = partition;
    io::TaskScope work;
    io::AbortSource abort;
    for (std::uint64_t i = 0; i < operations && error.empty() && !store.failure().has_value(); ++i) {
      co_await operate(log, store, work, abort);
    }
    if (error.empty() && store.failure().has_value() && reactor_->alive()) fail(store.failure()->to_string());
    abort.abort();
    co_await work.close();
    if (error.empty()) co_await check(log);
    co_await log.close();
    const Result<> closed = co_await store.close();
    if (!closed.ok() && reactor_->alive()) fail("does not stop: " + closed.error().to_string());
    if (closed.ok()) promised_ = partition->log_end();
    files_of_ = nullptr;
    ended_ = true;
  }

  io::Task<PartitionFiles*> create(ShardStore& store) {
    PartitionSpec spec;
    spec.incarnation = Incarnation(10);
    spec.directory = "logs/l/0";
    spec.durability = settings_->write_caching ? DurabilityClass::kCached : DurabilityClass::kDurable;
    auto created = co_await store.create(std::move(spec));
    co_return created.ok() ? *created : nullptr;
  }

  /// What was not durable may be gone.
  void recovered(PartitionLog& log) {
    const Offset end = log.log_end();
    if (end < promised_) fail("ends at " + std::to_string(end.value) + ", promised " + std::to_string(promised_.value));
    if (end > end_) fail("ends beyond what was written");
    if (log.start() < start_) fail("starts below what was deleted");
    start_ = log.start();
    written_.cut(end);
    end_ = end;
    batches_.cut(end);
    // A round further on may have been lost, but not what came before it.
    compacted_ = std::min(compacted_, log.files().state().compaction().end);
  }

  io::Task<> operate(PartitionLog& log, ShardStore& store, io::TaskScope& work, io::AbortSource& abort) {
    const std::uint64_t choice = random_.below(100);
    if (choice < 62) {
      append(log);
    } else if (choice < 72) {
      io::AbortSource never;
      (void)co_await io::sleep_for(std::chrono::milliseconds(random_.below(40)), never);
    } else if (choice < 75) {
      co_await let_time_pass(std::chrono::seconds(random_.below(50)));
    } else if (choice < 78) {
      co_await check(log);
    } else if (choice < 80 && end_ > start_) {
      (void)co_await log.delete_records(start_ + OffsetDelta(static_cast<std::int64_t>(random_.below(30))));
      start_ = std::max(start_, log.start());
    } else if (choice < 82) {
      log.roll();
    } else if (choice < 88 && work.running() == 0) {
      work.spawn(compact(log, abort));
    } else if (choice < 92) {
      if (work.running() == 0) co_await compact(log, abort);
    } else {
      co_await io::Reactor::current().yield();
    }
    io::AbortSource never;
    if (!store.accepting()) co_await store.wait_accepting(never);
  }

  void append(PartitionLog& log) {
    const KeyedBatch batch = batches_.make(random_, log.files().state().producers());
    const auto appended = log.append(Slice::copy_of(batch.bytes));
    if (!appended.ok()) return;
    if (appended->base != end_) fail("appended elsewhere");
    for (const KeyedRecord& record : batch.records) {
      written_.add(end_, record);
      end_ = end_ + OffsetDelta(1);
    }
    batches_.sent(batch, appended->base, end_);
  }

  io::Task<> compact(PartitionLog& log, io::AbortSource& abort) {
    LogCompaction::Options options{.map_bytes_max = random_.chance(1, 2) ? 0 : 1u << 20};
    if (random_.chance(1, 3)) options.bytes_per_second = 50'000;
    LogCompaction compaction(log, std::move(options), abort);
    const Result<> done = co_await compaction.run(io::Reactor::current().wall_now());
    const CompactionReport& report = compaction.report();
    superseded += report.counts.superseded;
    tombstones += report.counts.tombstones;
    passes += report.passes;
    if (report.segments_after < report.segments_before) ++merged;
    if (!done.ok()) {
      if (done.error() != ErrorCode::kAborted && reactor_->alive()) fail("compaction: " + done.error().to_string());
      co_return;
    }
    ++compactions;
    compacted_ = std::max(compacted_, report.end);
    co_await check(log);
  }

  io::Task<> check(PartitionLog& log) {
    const Offset end = end_, compacted = compacted_;
    const std::uint64_t replacements = log.files().replacements();
    const auto found = co_await read_contents(log, random_);
    if (!reactor_->alive() || end != end_) co_return;  // appended to meanwhile: another time
    if (!found.ok()) co_return (void)fail(found.error().to_string());
    if (!found->has_value()) co_return;  // deleted from meanwhile
    const std::string wrong = written_.judge(**found, {.start = log.start(), .compacted = compacted,
                                                       .active = log.files().active().base,
                                                       .now = io::Reactor::current().wall_now(),
                                                       .delete_retention_ms = settings_->delete_retention_ms});
    if (!wrong.empty()) co_return (void)fail(wrong);
    if (replacements != log.files().replacements()) co_return;
    const std::string misled = co_await judge_time(log, **found, random_);
    if (!misled.empty() && reactor_->alive()) fail(misled);
  }

  void check_producers(PartitionLog& log) {
    const std::string wrong = batches_.retry_all(log);
    if (!wrong.empty() && reactor_->alive()) fail(wrong);
  }

  io::VirtualWorld world_;
  Random random_;
  StoreOptions options_;
  std::shared_ptr<const LogSettings> settings_;
  io::VirtualReactor* reactor_ = nullptr;
  const PartitionFiles* files_of_ = nullptr;
  bool ended_ = false;
  KeyedHistory written_;
  KeyedBatches batches_;
  Offset start_, end_, promised_, compacted_;
};

}  // namespace pyralog::storage::crash
