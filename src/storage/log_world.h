#pragma once

#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "storage/partition_log.h"
#include "storage/store_fixture.h"

/// One partition's log on a simulated disk, for tests only.
namespace pyralog::storage::fixture {

/// One node with one log, through its lives. Each life leads in a new epoch.
class LogWorld {
 public:
  LogWorld(std::uint64_t seed, LogSettings settings, CommitRule rule = CommitRule::kLocal, StoreGeometry geometry = {})
      : node(seed, geometry), settings_(std::make_shared<const LogSettings>(settings)), rule_(rule) {
    node.open();
    const auto durability = settings.write_caching ? DurabilityClass::kCached : DurabilityClass::kDurable;
    start(node.create(kFirst, Offset(0), durability));
  }
  ~LogWorld() {
    if (life_ != nullptr) stop();
  }

  PartitionLog& log() { return life_->log; }
  LogCounters& counters() { return life_->shard.counters; }
  template <class T>
  T run(io::Task<T> task) {
    return node.world.run(*node.reactor, std::move(task));
  }
  void run(io::Task<> task) { ASSERT_TRUE(node.world.try_run(*node.reactor, std::move(task))); }

  /// A clean stop and a new start.
  void restart() {
    stop();
    node.open();
    start(node.partition());
  }
  void crash(io::CrashMode mode) {
    io::VirtualWorld::abandon(std::move(life_));
    node.crash(mode);
    node.open();
    start(node.partition());
  }

  Result<Appended> append(const BatchSpec& spec) {
    const std::vector<std::byte> bytes = make_batch(spec);
    const Slice batch = Slice::copy_of(bytes);
    auto appended = node.reactor->enter([&] { return log().append(batch); });
    if (appended.ok() || !(appended.error() == ErrorCode::kUnavailable)) return appended;
    return run(log().append_in_turn(Slice::copy_of(bytes)));
  }
  void apply(LogSettings settings) {
    settings_ = std::make_shared<const LogSettings>(settings);
    const Result<> applied = run(log().apply_settings(settings_));
    ASSERT_TRUE(applied.ok()) << applied.error().to_string();
  }
  /// Makes everything durable, whatever the class.
  void flush() {
    const Result<> flushed = run(node.store->sync_cached(node.partition()));
    ASSERT_TRUE(flushed.ok()) << flushed.error().to_string();
  }
  /// The same, synced.
  Appended append_synced(const BatchSpec& spec) {
    const Appended appended = append(spec).value();
    node.sync(appended.round);
    return appended;
  }

  void roll() {
    node.reactor->enter([&] { log().roll(); });
  }

  Result<ReadResult> try_read(ReadOptions options) { return run(log().read(options)); }
  /// The bytes of a read, and the offset behind them.
  std::pair<std::vector<std::byte>, Offset> read(ReadOptions options) {
    auto result = try_read(options);
    EXPECT_TRUE(result.ok()) << result.error().to_string();
    if (!result.ok()) return {};
    std::vector<std::byte> bytes = flatten(*result);
    EXPECT_EQ(bytes.size(), result->bytes);
    return {std::move(bytes), result->end};
  }
  std::vector<std::byte> flatten(const ReadResult& result) {
    std::vector<std::byte> bytes;
    for (const ReadPiece& piece : result.pieces) {
      if (const Slice* slice = std::get_if<Slice>(&piece)) {
        bytes.insert(bytes.end(), slice->data(), slice->data() + slice->size());
        continue;
      }
      const FileRange& range = std::get<FileRange>(piece);
      std::vector<std::byte> part(range.bytes);
      EXPECT_EQ(run(range.file->read(range.position, part)).value(), part.size());
      bytes.insert(bytes.end(), part.begin(), part.end());
    }
    return bytes;
  }

  std::string path(Offset offset, FileKind kind) {
    return file_path("data/" + log().files().directory(), offset, kind);
  }
  /// Time for cleaner, tail cache and background work.
  void settle() { node.world.run_for(std::chrono::seconds(40)); }

  StoreWorld node;

 private:
  struct Life {
    Life(ShardStore& store, FileCache& files, PartitionFiles& partition, std::shared_ptr<const LogSettings> settings,
         CommitRule rule)
        : shard{.store = store, .files = files, .decompressor = decompressor, .counters = {}, .parts = {}},
          log(shard, partition, std::move(settings), rule) {}
    record::Decompressor decompressor;
    LogShard shard;
    PartitionLog log;
  };

  void start(PartitionFiles& partition) {
    life_ = std::make_unique<Life>(*node.store, *node.files, partition, settings_, rule_);
    log().lead(log().next_epoch());
  }
  void stop() {
    run(log().close());
    life_.reset();
    node.close();
  }

  std::shared_ptr<const LogSettings> settings_;
  CommitRule rule_;
  std::unique_ptr<Life> life_;
};

}  // namespace pyralog::storage::fixture
