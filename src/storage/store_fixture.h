#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "io/virtual_world.h"
#include "record/batch_view.h"
#include "record/mutable_batch.h"
#include "storage/file_cache.h"
#include "storage/file_names.h"
#include "storage/log_fixture.h"
#include "storage/shard_store.h"

/// A store on a simulated disk, for tests only.
namespace pyralog::storage::fixture {

inline constexpr NodeId kNode{1};
inline constexpr Incarnation kFirst{11};

/// One node's shard, through its lives.
class StoreWorld {
 public:
  explicit StoreWorld(std::uint64_t seed, StoreGeometry geometry = {}) : world(seed) {
    options.data_directory = "data";
    options.disk_uuid.bytes.fill(7);
    options.geometry = geometry;
    disk().options().sector_bytes = static_cast<std::uint32_t>(geometry.sector_bytes);
    disk().options().block_bytes = static_cast<std::uint32_t>(geometry.block_bytes);
    boot();
    auto made = world.run(*reactor, reactor->disk().make_directories("data"));
    EXPECT_TRUE(made.ok());
    EXPECT_TRUE(world.run(*reactor, reactor->disk().sync_directory("")).ok());
  }
  ~StoreWorld() {
    if (store != nullptr) bury();
  }

  io::VirtualDisk& disk() { return world.disk(kNode); }

  Result<> try_open() {
    files = std::make_unique<FileCache>(16);
    auto opened = world.run(*reactor, ShardStore::open(options, *files));
    if (!opened.ok()) return std::move(opened).error();
    store = std::move(*opened);
    return {};
  }
  void open() {
    const Result<> opened = try_open();
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
  }
  /// The same while a crash is planned. False: it came first; then the node is started again, but not opened.
  bool open_unless_crashed() {
    files = std::make_unique<FileCache>(16);
    auto opened = world.try_run(*reactor, ShardStore::open(options, *files));
    if (!reactor->alive()) {
      if (opened.has_value() && opened->ok()) io::VirtualWorld::abandon(std::move(**opened));
      io::VirtualWorld::abandon(std::move(files));
      boot();
      return false;
    }
    EXPECT_TRUE(opened->ok()) << opened->error().to_string();
    if (opened->ok()) store = std::move(**opened);
    return true;
  }
  void close() {
    const Result<> closed = world.run(*reactor, store->close());
    EXPECT_TRUE(closed.ok()) << closed.error().to_string();
    store.reset();
    files.reset();
  }
  /// The node dies, if it has not; what it had in memory is gone. Then it is started again, but not opened.
  void crash(io::CrashMode mode) {
    if (reactor->alive()) world.crash(kNode, mode);
    bury();
    boot();
  }
  void reopen(io::CrashMode mode) {
    crash(mode);
    open();
  }

  PartitionFiles& create(Incarnation incarnation = kFirst, Offset start = Offset(0),
                         DurabilityClass durability = DurabilityClass::kDurable) {
    PartitionSpec spec;
    spec.incarnation = incarnation;
    spec.directory = "logs/log-" + std::to_string(incarnation.value) + "/0";
    spec.start = start;
    spec.durability = durability;
    return *world.run(*reactor, store->create(std::move(spec))).value();
  }
  PartitionFiles& partition(Incarnation incarnation = kFirst) { return *store->find(incarnation); }

  /// Appends a batch of `records` records at the log's end and remembers nothing.
  RoundSequence append(PartitionFiles& files_of, int records = 1, std::size_t value_bytes = 10) {
    const BatchSpec spec{.base = files_of.log_end().value, .records = records, .value_bytes = value_bytes};
    const Slice batch = Slice::copy_of(make_batch(spec));
    return reactor->enter([&] {
      return store->append(files_of, batch, record::BatchView::parse(batch.view()).value()).value();
    });
  }
  void sync(RoundSequence round) { ASSERT_TRUE(world.run(*reactor, store->wait_synced(round)).ok()); }

  /// The bytes of the whole log, as a reader gets them.
  std::vector<std::byte> contents(PartitionFiles& files_of) {
    std::vector<std::byte> bytes;
    std::vector<StoredPart> parts;
    for (const Segment& segment : files_of.segments()) {
      files_of.locate(segment.base, 0, UINT64_MAX, parts);
      std::uint64_t at = 0;
      for (const StoredPart& part : parts) {
        EXPECT_EQ(part.position, at);
        at += part.bytes;
        if (!part.slice.empty()) {
          bytes.insert(bytes.end(), part.slice.data(), part.slice.data() + part.slice.size());
          continue;
        }
        const std::string directory = "data/" + files_of.directory();
        const auto file = disk().contents(file_path(directory, segment.base, FileKind::kLog, segment.edition));
        EXPECT_LE(part.position + part.bytes, file.size());
        if (part.position + part.bytes > file.size()) return bytes;
        const auto begin = file.begin() + static_cast<std::ptrdiff_t>(part.position);
        bytes.insert(bytes.end(), begin, begin + static_cast<std::ptrdiff_t>(part.bytes));
      }
      EXPECT_EQ(at, segment.end);
    }
    return bytes;
  }

  io::VirtualWorld world;
  io::VirtualReactor* reactor = nullptr;
  StoreOptions options;
  std::unique_ptr<FileCache> files;
  std::unique_ptr<ShardStore> store;

 private:
  void boot() { reactor = &world.add_reactor(kNode, ShardId(0)); }
  void bury() {
    if (store == nullptr) return;
    io::VirtualReactor* dead = reactor;
    if (!dead->alive()) {
      if (world.unwind(*dead, close_dead(store.get()))) {
        store.reset();
        files.reset();
        return;
      }
    }
    io::VirtualWorld::abandon(std::move(store));
    io::VirtualWorld::abandon(std::move(files));
  }
  static io::Task<> close_dead(ShardStore* dead) { (void)co_await dead->close(); }
};

}  // namespace pyralog::storage::fixture
