// Changing the number of shards between starts, on a simulated disk.
#include <gtest/gtest.h>

#include "io/virtual_world.h"
#include "server/node_directory.h"
#include "server/shard_of.h"
#include "storage/compacted_segment.h"
#include "storage/file_names.h"
#include "storage/log_fixture.h"

namespace pyralog::server {
namespace {

using io::CrashMode;
using storage::PartitionFiles;
using storage::ShardStore;

constexpr NodeId kNode{1};
constexpr std::uint64_t kPartitions = 7;

storage::StoreGeometry small_geometry() {
  storage::StoreGeometry geometry;
  geometry.journal_file_bytes = 256u << 10;
  geometry.journal_bytes_max = 4u << 20;
  geometry.round_bytes_max = 64u << 10;
  return geometry;
}

/// What the node holds: each log's bytes, and the states.
struct Contents {
  std::map<Incarnation, std::vector<std::byte>> logs;
  std::map<Incarnation, Offset> ends;
  std::map<storage::StateKey, std::vector<std::byte>> states;
  std::uint64_t compacted_segments = 0;
  friend bool operator==(const Contents&, const Contents&) = default;
};

class NodeWorld {
 public:
  explicit NodeWorld(std::uint64_t seed) : world(seed) { boot(); }

  io::VirtualDisk& disk() { return world.disk(kNode); }
  void boot() { reactor = &world.add_reactor(kNode, ShardId(0)); }
  void crash(CrashMode mode) {
    if (reactor->alive()) world.crash(kNode, mode);
    boot();
  }

  /// One start with `shards` shards, `work` on their stores, and a clean stop. False: the node died on the way.
  io::Task<bool> live(std::uint32_t shards, std::function<io::Task<>(std::vector<ShardStore*>)> work) {
    auto directory = co_await NodeDirectory::open(reactor->disk(), "data", std::nullopt, shards, reactor->random());
    if (!went_well(directory)) co_return false;
    storage::FileCache files(64);
    storage::StoreOptions options{.data_directory = "data", .disk_uuid = (*directory)->identity().disk_uuid,
                                  .shard = ShardId(0), .geometry = small_geometry()};
    const auto divided = co_await (*directory)->divide(shards, options, files);
    if (!went_well(divided)) co_return false;
    EXPECT_EQ((*directory)->identity().division.shards, shards);
    options.generation = (*directory)->identity().division.generation;
    std::vector<std::unique_ptr<ShardStore>> stores;
    std::vector<ShardStore*> views;
    bool well = true;
    for (std::uint32_t shard = 0; shard < shards && well; ++shard) {
      options.shard = ShardId(shard);
      auto store = co_await ShardStore::open(options, files);
      well = went_well(store);
      if (!store.ok()) break;
      views.push_back(store->get());
      stores.push_back(std::move(*store));
    }
    if (well) co_await work(views);
    for (const auto& store : stores) well = went_well(co_await store->close()) && well;
    co_return well;
  }

  /// A dying node may see any error.
  template <class T>
  bool went_well(const T& result) {
    if (!result.ok() && reactor->alive()) ADD_FAILURE() << result.error().to_string();
    return result.ok() && reactor->alive();
  }

  bool run(std::uint32_t shards, std::function<io::Task<>(std::vector<ShardStore*>)> work) {
    return world.try_run(*reactor, live(shards, std::move(work))).value_or(false);
  }

  io::VirtualWorld world;
  io::VirtualReactor* reactor = nullptr;
};

ShardStore& store_of(const std::vector<ShardStore*>& stores, Incarnation incarnation) {
  return *stores[shard_of(incarnation, stores.size()).value];
}

Incarnation incarnation_of(std::uint64_t i) { return i == 0 ? kMetadataIncarnation : Incarnation(10 + i); }

io::Task<> create_all(std::vector<ShardStore*> stores) {
  for (std::uint64_t i = 0; i < kPartitions; ++i) {
    storage::PartitionSpec spec;
    spec.incarnation = incarnation_of(i);
    spec.directory = "logs/log-" + std::to_string(i) + "/0";
    if (i % 3 == 1) spec.durability = storage::DurabilityClass::kCached;
    ShardStore& store = store_of(stores, spec.incarnation);
    EXPECT_TRUE((co_await store.create(std::move(spec))).ok());
  }
}

/// Appends to every log, sets a state beside each, and waits until all is durable: in the journals only.
io::Task<> append_all(std::vector<ShardStore*> stores) {
  for (std::uint64_t i = 0; i < kPartitions; ++i) {
    const Incarnation incarnation = incarnation_of(i);
    ShardStore& store = store_of(stores, incarnation);
    PartitionFiles* partition = store.find(incarnation);
    EXPECT_NE(partition, nullptr) << incarnation.value;
    if (partition == nullptr) co_return;
    for (int batch = 0; batch < 3; ++batch) {
      const storage::fixture::BatchSpec spec{.base = partition->log_end().value, .records = 2, .value_bytes = 100 * i + 50};
      const Slice bytes = Slice::copy_of(storage::fixture::make_batch(spec));
      EXPECT_TRUE(store.append(*partition, bytes, record::BatchView::parse(bytes.view()).value()).ok());
    }
    const std::vector<std::byte> value(i + 1, static_cast<std::byte>(partition->log_end().value));
    const auto round = store.put_state({incarnation, i}, Slice::copy_of(value));
    EXPECT_TRUE((co_await store.wait_synced(*round)).ok());
    EXPECT_TRUE((co_await store.sync_cached(*partition)).ok());
  }
}

io::Task<> append_twice(std::vector<ShardStore*> stores) {
  co_await append_all(stores);
  for (ShardStore* store : stores) {
    for (PartitionFiles* partition : store->partitions()) store->roll(*partition);
  }
  co_await append_all(stores);
}

/// Puts the first batch of each log's first segment, written anew, in place of the segment. All is in the segments.
io::Task<> compact_all(io::VirtualDisk& disk, std::vector<ShardStore*> stores) {
  for (ShardStore* store : stores) {
    for (PartitionFiles* partition : store->partitions()) {
      const storage::Segment first = partition->segments().front();
      const Offset end = partition->segments()[1].base;
      const std::string directory = "data/" + partition->directory();
      const auto file = disk.contents(storage::file_path(directory, first.base, storage::FileKind::kLog));
      const std::size_t batch_bytes = record::BatchView::parse(file)->batch_bytes();
      EXPECT_LT(batch_bytes, first.end);
      storage::CompactedSegment output(*store, *partition, {first.base, 1});
      EXPECT_TRUE((co_await output.begin()).ok());
      EXPECT_TRUE((co_await output.append(ByteView(file).first(batch_bytes))).ok());
      std::vector<storage::Segment> written{(co_await output.finish()).value()};
      const Result<> replaced = co_await store->replace_segments(*partition, first.base, end, std::move(written));
      EXPECT_TRUE(replaced.ok()) << replaced.error().to_string();
    }
  }
}

Contents contents_of(io::VirtualDisk& disk, const std::vector<ShardStore*>& stores) {
  Contents contents;
  std::vector<storage::StoredPart> parts;
  for (std::size_t shard = 0; shard < stores.size(); ++shard) {
    for (PartitionFiles* partition : stores[shard]->partitions()) {
      const Incarnation incarnation = partition->incarnation();
      EXPECT_EQ(shard_of(incarnation, stores.size()), ShardId(static_cast<std::uint32_t>(shard)));
      EXPECT_FALSE(contents.logs.contains(incarnation));
      std::vector<std::byte>& bytes = contents.logs[incarnation];
      contents.ends[incarnation] = partition->log_end();
      for (const storage::Segment& segment : partition->segments()) {
        contents.compacted_segments += segment.edition > 0;
        partition->locate(segment.base, 0, UINT64_MAX, parts);
        for (const storage::StoredPart& part : parts) {
          if (!part.slice.empty()) {
            bytes.insert(bytes.end(), part.slice.data(), part.slice.data() + part.slice.size());
            continue;
          }
          const std::string path =
              storage::file_path("data/" + partition->directory(), segment.base, storage::FileKind::kLog, segment.edition);
          const auto file = disk.contents(path);
          EXPECT_LE(part.position + part.bytes, file.size());
          const auto begin = file.begin() + static_cast<std::ptrdiff_t>(part.position);
          bytes.insert(bytes.end(), begin, begin + static_cast<std::ptrdiff_t>(part.bytes));
        }
      }
      for (const storage::StateKey key : stores[shard]->state_keys(incarnation)) {
        const Slice value = stores[shard]->state(key);
        contents.states[key] = {value.data(), value.data() + value.size()};
      }
    }
  }
  return contents;
}

/// Fills a node with `from` shards, kills it, and goes on with `to` shards, dying at each step of the disk on the way.
void change_with_crashes(std::uint32_t from, std::uint32_t to, CrashMode mode, std::uint64_t stride) {
  NodeWorld node(from * 100 + to);
  Contents expected;
  ASSERT_TRUE(node.run(from, create_all));
  const auto compact = [&](std::vector<ShardStore*> stores) { return compact_all(node.disk(), std::move(stores)); };
  ASSERT_TRUE(node.run(from, append_twice));
  ASSERT_TRUE(node.run(from, compact));
  const auto fill_and_die = [&](std::vector<ShardStore*> stores) -> io::Task<> {
    co_await append_all(stores);
    expected = contents_of(node.disk(), stores);
    node.world.crash(kNode, CrashMode::kPowerLoss);
    co_await io::Reactor::current().yield();
  };
  ASSERT_FALSE(node.run(from, fill_and_die));
  node.crash(CrashMode::kPowerLoss);
  ASSERT_EQ(expected.logs.size(), kPartitions);
  ASSERT_EQ(expected.states.size(), kPartitions);
  ASSERT_EQ(expected.compacted_segments, kPartitions);
  const io::VirtualDiskSnapshot before = node.disk().snapshot();
  std::uint64_t crashes = 0;
  for (std::uint64_t step = 1;; step += stride) {
    node.disk().restore(before);
    node.disk().crash_at_step(node.disk().steps() + step, mode);
    Contents found;
    const auto look = [&](std::vector<ShardStore*> stores) -> io::Task<> {
      node.disk().crash_never();
      found = contents_of(node.disk(), stores);
      co_return;
    };
    bool done = node.run(to, look);
    if (done && crashes > 0 && step > 1) {
      EXPECT_EQ(found, expected) << "without a crash";
    }
    if (done) break;
    ++crashes;
    node.disk().crash_never();
    node.crash(mode);
    // The next start may be with yet another number: what was begun is begun anew.
    if (step % 3 == 0) {
      ASSERT_TRUE(node.run(to + 1, look)) << "step " << step;
      ASSERT_EQ(found, expected) << "step " << step;
    }
    ASSERT_TRUE(node.run(to, look)) << "step " << step;
    ASSERT_EQ(found, expected) << "step " << step;
    ASSERT_TRUE(node.run(to, append_all));
    ASSERT_TRUE(node.run(from, look)) << "step " << step;
    ASSERT_GT(found.ends.at(kMetadataIncarnation), expected.ends.at(kMetadataIncarnation));
  }
  EXPECT_GT(crashes * stride, 50u);
}

TEST(Division, MovesFromOneShardToThreeWhateverStepDies) {
  change_with_crashes(1, 3, CrashMode::kPowerLossDestroyingBlocks, 1);
}

TEST(Division, MovesFromThreeShardsToOneWhateverStepDies) { change_with_crashes(3, 1, CrashMode::kPowerLoss, 3); }

TEST(Division, MovesFromTwoShardsToFiveWhateverStepDies) { change_with_crashes(2, 5, CrashMode::kKill, 3); }

TEST(Division, LeavesNothingOfTheOldOne) {
  NodeWorld node(9);
  ASSERT_TRUE(node.run(4, create_all));
  ASSERT_TRUE(node.run(4, append_all));
  ASSERT_TRUE(node.run(2, append_all));
  for (const std::string& path : node.disk().files()) {
    if (!path.starts_with("data/journal/")) continue;
    EXPECT_TRUE(path.starts_with("data/journal/0/2-") || path.starts_with("data/journal/1/2-")) << path;
  }
  EXPECT_FALSE(node.disk().has("data/journal/3"));
  const std::string identity(as_text(node.disk().contents("data/node.toml")));
  EXPECT_NE(identity.find("format_version = 2"), std::string::npos) << identity;
  EXPECT_NE(identity.find("generation = 2"), std::string::npos) << identity;
}

}  // namespace
}  // namespace pyralog::server
