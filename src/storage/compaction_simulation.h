#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "io/task_scope.h"
#include "io/virtual_world.h"
#include "record/batch_builder.h"
#include "record/batch_splitter.h"
#include "record/record_iterator.h"
#include "storage/crash_faults.h"
#include "storage/crash_model.h"
#include "storage/log_compaction.h"
#include "storage/read_bytes.h"

namespace pyralog::storage::crash {

/// A compacted log with many records of few keys, crashed at random steps while it is compacted, read and written. Whatever
/// happens, the last value of each key is there, what was deleted stays deleted, and each producer's last batch is known.
class CompactionSimulation {
 public:
  static constexpr NodeId kNode{1};
  static constexpr std::int64_t kDeleteRetentionMs = 60'000;

  explicit CompactionSimulation(std::uint64_t seed) : world_(seed), random_(seed * 15485863 + 5) {
    options_.data_directory = "data";
    options_.disk_uuid.bytes.fill(9);
    options_.geometry = shrunk_geometry();
    options_.geometry.journal_file_bytes = 16 << 10;
    options_.geometry.journal_bytes_max = 5 * (16 << 10);
    options_.geometry.round_bytes_max = 8 << 10;
    disk().options().sector_bytes = 8;
    disk().options().block_bytes = 64;
    auto settings = std::make_shared<LogSettings>();
    settings->compacts = true;
    settings->deletes_old = false;
    settings->segment_bytes = 2000;
    settings->delete_retention_ms = kDeleteRetentionMs;
    settings->write_caching = seed % 3 == 0;
    settings->flush_ms = 50;
    settings_ = std::move(settings);
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
  /// A record as it was written.
  struct Written {
    std::string key;
    std::optional<std::string> value;
    WallTime at;
  };
  struct ProducerBatchSent {
    std::vector<std::byte> bytes;
    Offset base, end;
    std::int32_t sequence_next = 0;
  };
  using Contents = std::map<Offset, Written>;

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
    if (error.empty()) co_await check_producers(log);
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
    written_.erase(written_.lower_bound(end), written_.end());
    end_ = end;
    std::erase_if(producers_, [end](const auto& item) { return item.second.end > end; });
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
      (void)co_await log.delete_records(
          start_ + OffsetDelta(static_cast<std::int64_t>(random_.below(30))));
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
    record::BatchBuilderOptions options{.codec = static_cast<record::Codec>(random_.below(5))};
    const auto producer = static_cast<std::int64_t>(random_.below(24));
    if (producer < 14) {
      options.producer_id = ProducerId(producer);
      options.producer_epoch = ProducerEpoch(0);
      const auto known = producers_.find(producer);
      options.base_sequence = known == producers_.end() ? 0 : known->second.sequence_next;
      // After a crash the log may know of a batch that this side takes for lost.
      const ProducerEntry* entry = log.files().state().producers().find(ProducerId(producer));
      if (entry != nullptr && entry->last() != nullptr) {
        options.base_sequence = record::sequence_after(entry->last()->last_sequence, 1);
      }
    }
    record::BatchBuilder builder(options);
    std::vector<Written> records;
    const WallTime now = io::Reactor::current().wall_now();
    for (std::uint64_t i = random_.between(1, 5); i > 0; --i) {
      Written record{.key = "k" + std::to_string(random_.below(random_.chance(1, 4) ? 300 : 12)), .value = {}, .at = now};
      if (!random_.chance(1, 4)) record.value = std::to_string(next_value_++) + std::string(random_.below(40), 'v');
      std::optional<ByteView> value;
      if (record.value.has_value()) value = as_bytes(*record.value);
      builder.append({.timestamp = now, .key = as_bytes(record.key), .value = value}).value();
      records.push_back(std::move(record));
    }
    const Slice batch = Slice::copy_of(builder.finish().value());
    std::vector<std::byte> sent(batch.data(), batch.data() + batch.size());
    const auto appended = log.append(batch);
    if (!appended.ok()) return;
    if (appended->base != end_) fail("appended elsewhere");
    Offset offset = appended->base;
    for (Written& record : records) {
      written_[offset] = std::move(record);
      offset = offset + OffsetDelta(1);
    }
    end_ = offset;
    if (producer < 14) {
      producers_[producer] = {std::move(sent), appended->base, offset,
                              options.base_sequence + static_cast<std::int32_t>(records.size())};
    }
  }

  io::Task<> compact(PartitionLog& log, io::AbortSource& abort) {
    LogCompaction::Options options{.map_bytes_max = random_.chance(1, 2) ? 0 : 1u << 20};
    if (random_.chance(1, 3)) options.bytes_per_second = 50'000;
    const std::uint32_t deletions_before = deletions_;
    LogCompaction compaction(log, std::move(options), abort);
    const Result<> done = co_await compaction.run(io::Reactor::current().wall_now());
    const CompactionReport& report = compaction.report();
    superseded += report.counts.superseded;
    tombstones += report.counts.tombstones;
    passes += report.passes;
    if (report.segments_after < report.segments_before) ++merged;
    if (!done.ok()) {
      const bool expected = done.error() == ErrorCode::kAborted || !reactor_->alive() || log.files().log_end() < end_;
      if (!expected && deletions_before == deletions_ && reactor_->alive()) fail("compaction: " + done.error().to_string());
      co_return;
    }
    ++compactions;
    compacted_ = std::max(compacted_, report.end);
    co_await check(log);
  }

  /// All records that the log has, as a reader gets them; nothing if they are being deleted meanwhile.
  io::Task<std::optional<Contents>> read_all(PartitionLog& log, Offset from) {
    Contents found;
    record::Decompressor decompressor;
    for (Offset at = from; at < log.log_end();) {
      const ReadOptions options{.offset = at, .bytes_max = random_.between(1, 1500), .limit = ReadLimit::kLogEnd};
      const auto bytes = co_await read_bytes(log, options);
      if (!bytes.ok()) {
        const bool moved = bytes.error() == ErrorCode::kOutOfRange && at < log.start();
        if (reactor_->alive() && !moved) fail("read at " + std::to_string(at.value) + ": " + bytes.error().to_string());
        co_return std::nullopt;
      }
      if (bytes->empty()) break;
      record::BatchSplitter splitter(bytes->view());
      for (;;) {
        const auto batch = splitter.next().value();
        if (!batch.has_value()) break;
        if (!batch->verify_crc().ok()) fail("a bad checksum at " + std::to_string(batch->base_offset().value));
        if (batch->end_offset() <= at) fail("offsets go back");
        at = batch->end_offset();
        auto records = record::RecordIterator::open(*batch, decompressor).value();
        for (record::RecordView record; records.next(record).value();) {
          Written& into = found[record.offset];
          into.key = as_text(record.key.value());
          if (record.value.has_value()) into.value = as_text(*record.value);
          into.at = record.timestamp;
        }
      }
    }
    co_return found;
  }

  io::Task<> check(PartitionLog& log) {
    const Offset end = end_, compacted = compacted_;
    const std::uint64_t replacements = log.files().replacements();
    const std::optional<Contents> contents = co_await read_all(log, log.start());
    if (!error.empty() || !contents.has_value() || !reactor_->alive() || end != end_) co_return;  // appended to meanwhile: another time
    const Offset start = log.start();
    const Contents& found = *contents;
    for (const auto& [offset, record] : found) {
      const auto expected = written_.find(offset);
      if (expected == written_.end()) co_return (void)fail("a record at " + std::to_string(offset.value) + " nobody wrote");
      const Written& as_written = expected->second;
      if (as_written.key != record.key || as_written.value != record.value || as_written.at != record.at) {
        co_return (void)fail("another record at " + std::to_string(offset.value));
      }
    }
    check_keys(found, start, compacted);
    for (const auto& [offset, record] : written_) {
      if (offset >= std::max(start, log.files().active().base) && !found.contains(offset)) {
        fail("the record at " + std::to_string(offset.value) + " is gone from the active segment");
      }
    }
    if (error.empty() && replacements == log.files().replacements()) co_await check_time(log, found);
  }

  void check_keys(const Contents& found, Offset start, Offset compacted) {
    std::map<std::string, Offset> last, last_found, last_below;
    for (const auto& [offset, record] : written_) {
      last[record.key] = offset;
      if (offset < compacted) last_below[record.key] = offset;
    }
    const WallTime now = io::Reactor::current().wall_now();
    for (const auto& [offset, record] : found) last_found[record.key] = offset;
    for (const auto& [key, offset] : last) {
      const Written& record = written_.at(offset);
      const auto at = last_found.find(key);
      if (at != last_found.end() && at->second == offset) continue;
      const std::string where = key + " at " + std::to_string(offset.value);
      if (offset < start) continue;
      if (record.value.has_value()) fail("the last value is lost: " + where);
      if (at != last_found.end()) fail("deleted, and there again: " + where);
      if (now.ms - record.at.ms < kDeleteRetentionMs) fail("a tombstone went too early: " + where);
    }
    // Below where compaction has come, one record of each key.
    for (const auto& [offset, record] : found) {
      if (offset < compacted && last_below.at(record.key) != offset) {
        fail("superseded, and still there: " + record.key + " at " + std::to_string(offset.value));
      }
    }
  }

  io::Task<> check_time(PartitionLog& log, const Contents& found) {
    if (found.empty()) co_return;
    auto at = found.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(found.size())));
    const WallTime asked = at->second.at;
    const std::uint64_t replacements = log.files().replacements();
    const auto answer = co_await log.offset_for_time(asked, ReadLimit::kLogEnd);
    if (!answer.ok() || !reactor_->alive() || log.files().replacements() != replacements) co_return;
    const auto first = std::find_if(found.lower_bound(log.start()), found.end(),
                                    [&](const auto& item) { return item.second.at >= asked; });
    if (first == found.end()) co_return;
    if (!answer->has_value() || (*answer)->offset > first->first) {
      fail("time " + std::to_string(asked.ms) + " leads to " +
           (answer->has_value() ? std::to_string((*answer)->offset.value) : "nothing") + ", its first record is at " +
           std::to_string(first->first.value));
    }
  }

  /// A retry of each producer's last batch is known for what it is.
  io::Task<> check_producers(PartitionLog& log) {
    for (const auto& [producer, sent] : producers_) {
      if (sent.base < log.files().segments().front().base) continue;
      const auto appended = log.append(Slice::copy_of(sent.bytes));
      if (!reactor_->alive()) co_return;
      if (!appended.ok()) {
        fail("a retry of producer " + std::to_string(producer) + ": " + appended.error().to_string());
      } else if (!appended->is_duplicate || appended->base != sent.base) {
        fail("a retry of producer " + std::to_string(producer) + " is appended");
      }
    }
  }

  io::VirtualWorld world_;
  Random random_;
  StoreOptions options_;
  std::shared_ptr<const LogSettings> settings_;
  io::VirtualReactor* reactor_ = nullptr;
  const PartitionFiles* files_of_ = nullptr;
  bool ended_ = false;
  std::map<Offset, Written> written_;
  std::map<std::int64_t, ProducerBatchSent> producers_;
  Offset start_, end_, promised_, compacted_;
  std::uint64_t next_value_ = 1;
  std::uint32_t deletions_ = 0;
};

}  // namespace pyralog::storage::crash
