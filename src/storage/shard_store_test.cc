#include "storage/shard_store.h"

#include <gtest/gtest.h>

#include "io/when_all.h"
#include "storage/store_fixture.h"

namespace pyralog::storage {
namespace {

using fixture::kFirst;
using fixture::StoreWorld;
using io::CrashMode;

constexpr CrashMode kModes[] = {CrashMode::kKill, CrashMode::kPowerLoss, CrashMode::kPowerLossDestroyingBlocks};

TEST(ShardStore, KeepsWhatWasSyncedThroughACrash) {
  for (const CrashMode mode : kModes) {
    StoreWorld node(1);
    node.open();
    PartitionFiles& partition = node.create();
    for (int i = 0; i < 20; ++i) node.append(partition, 3);
    node.sync(node.append(partition, 5, 20'000));
    EXPECT_EQ(partition.durable_end(), Offset(65));
    const auto bytes = node.contents(partition);
    node.reopen(mode);
    ASSERT_NE(node.store->find(kFirst), nullptr);
    PartitionFiles& again = node.partition();
    EXPECT_EQ(again.log_end(), Offset(65));
    EXPECT_EQ(again.durable_end(), Offset(65));
    EXPECT_EQ(node.contents(again), bytes);
    node.sync(node.append(again));
    node.close();
  }
}

TEST(ShardStore, KeepsEverythingThroughACleanStop) {
  StoreWorld node(2);
  node.open();
  PartitionFiles& partition = node.create();
  for (int i = 0; i < 300; ++i) node.append(partition, 10, 1000);
  const auto bytes = node.contents(partition);
  node.close();
  node.open();
  EXPECT_EQ(node.partition().log_end(), Offset(3000));
  EXPECT_EQ(node.contents(node.partition()), bytes);
  EXPECT_EQ(node.store->counters().dirty_bytes, 0u);
  node.close();
}

TEST(ShardStore, CleansWhenIdleAndReadsFromTheSegment) {
  StoreWorld node(3);
  node.open();
  PartitionFiles& partition = node.create();
  for (int i = 0; i < 50; ++i) node.append(partition, 10, 100);
  const auto bytes = node.contents(partition);
  node.world.run_for(std::chrono::seconds(40));
  EXPECT_EQ(node.store->counters().dirty_bytes, 0u);
  EXPECT_EQ(node.store->counters().cached_bytes, 0u);
  EXPECT_EQ(partition.segments().front().clean_end, bytes.size());
  EXPECT_EQ(node.contents(partition), bytes);
  // The last block was clean, so this append brings its start into the journal.
  node.sync(node.append(partition));
  EXPECT_EQ(node.store->counters().images, 1u);
  const auto longer = node.contents(partition);
  node.reopen(CrashMode::kPowerLossDestroyingBlocks);
  EXPECT_EQ(node.contents(node.partition()), longer);
  node.close();
}

TEST(ShardStore, RollsTruncatesAndDropsSegments) {
  StoreWorld node(4);
  node.open();
  PartitionFiles& partition = node.create();
  for (int segment = 0; segment < 4; ++segment) {
    for (int i = 0; i < 10; ++i) node.append(partition, 1, 500);
    node.store->roll(partition);
  }
  ASSERT_EQ(partition.segments().size(), 5u);
  const std::uint64_t segment_bytes = partition.segments()[0].end;
  node.world.run_for(std::chrono::seconds(20));
  ASSERT_TRUE(node.world.run(*node.reactor, node.store->truncate(partition, Offset(25), {Offset(20), segment_bytes / 2})).ok());
  EXPECT_EQ(partition.log_end(), Offset(25));
  EXPECT_EQ(partition.segments().size(), 3u);
  EXPECT_FALSE(node.disk().has("data/logs/log-11/0/00000000000000000030.log"));
  ASSERT_TRUE(node.world.run(*node.reactor, node.store->set_start(partition, Offset(12), Offset(10))).ok());
  EXPECT_EQ(partition.start(), Offset(12));
  node.sync(node.append(partition, 1, 500));
  const auto bytes = node.contents(partition);
  node.reopen(CrashMode::kPowerLoss);
  PartitionFiles& again = node.partition();
  EXPECT_EQ(again.log_end(), Offset(26));
  EXPECT_EQ(again.start(), Offset(12));
  ASSERT_EQ(again.segments().size(), 2u);
  EXPECT_EQ(again.segments()[0].base, Offset(10));
  EXPECT_EQ(node.contents(again), bytes);
  node.close();
}

TEST(ShardStore, EmptiesALogAndGoesOnElsewhere) {
  StoreWorld node(5);
  node.open();
  PartitionFiles& partition = node.create();
  node.sync(node.append(partition, 4));
  ASSERT_TRUE(node.world.run(*node.reactor, node.store->set_start(partition, Offset(100), Offset(100))).ok());
  EXPECT_EQ(partition.log_end(), Offset(100));
  node.sync(node.append(partition, 2));
  node.reopen(CrashMode::kPowerLoss);
  EXPECT_EQ(node.partition().start(), Offset(100));
  EXPECT_EQ(node.partition().log_end(), Offset(102));
  node.close();
}

TEST(ShardStore, ForgetsARemovedPartition) {
  StoreWorld node(6);
  node.open();
  PartitionFiles& partition = node.create();
  node.create(Incarnation(12));
  for (int i = 0; i < 10; ++i) node.append(partition, 1, 100'000);
  node.world.run_for(std::chrono::seconds(20));
  EXPECT_TRUE(node.disk().has("data/logs/log-11/0/00000000000000000000.log"));
  ASSERT_TRUE(node.world.run(*node.reactor, node.store->remove(kFirst)).ok());
  EXPECT_FALSE(node.disk().has("data/logs/log-11"));
  EXPECT_TRUE(node.disk().has("data/logs"));
  EXPECT_EQ(node.store->find(kFirst), nullptr);
  EXPECT_EQ(node.store->counters().dirty_bytes, 0u);
  node.reopen(CrashMode::kPowerLoss);
  EXPECT_EQ(node.store->find(kFirst), nullptr);
  EXPECT_NE(node.store->find(Incarnation(12)), nullptr);
  node.close();
}

TEST(ShardStore, KeepsStates) {
  StoreWorld node(7);
  node.open();
  const StateKey vote{kFirst, 1}, promise{kFirst, 2}, last{kFirst, StateKey::kSlotOfStore - 1};
  const auto put = [&](StateKey key, std::string_view value) {
    node.sync(node.store->put_state(key, value.empty() ? Slice() : Slice::copy_of(as_bytes(value))).value());
  };
  put(vote, "node 3 in term 7");
  put(promise, "epoch 4");
  put(vote, "node 2 in term 8");
  put(promise, "");
  put(last, "x");
  EXPECT_EQ(node.store->put_state({kFirst, last.slot + 1}, Slice()).error(), ErrorCode::kInvalidArgument);
  node.reopen(CrashMode::kPowerLoss);
  EXPECT_EQ(as_text(node.store->state(vote).view()), "node 2 in term 8");
  EXPECT_TRUE(node.store->state(promise).empty());
  EXPECT_EQ(node.store->state_keys(kFirst), (std::vector<StateKey>{vote, last}));
  node.close();
  node.open();
  EXPECT_EQ(as_text(node.store->state(vote).view()), "node 2 in term 8");
  node.close();
}

TEST(ShardStore, ABodyWaitsForSpaceOnAFullDisk) {
  StoreGeometry geometry;
  geometry.journal_file_bytes = geometry.journal_first_file_bytes = 4u << 20;
  geometry.bypass_bytes_min = 256u << 10;
  StoreWorld node(10, geometry);
  node.open();
  PartitionFiles& partition = node.create();
  node.sync(node.append(partition, 1, 500'000));  // opens the segment for the next one
  node.world.run_for(std::chrono::seconds(10));
  node.disk().options().capacity_bytes = node.disk().used_bytes();
  const RoundSequence round = node.append(partition, 1, 500'000);
  node.world.run_for(std::chrono::seconds(10));
  EXPECT_GT(node.disk().faults().writes_refused_full, 1u);
  EXPECT_LT(node.store->synced(), round);
  ASSERT_FALSE(node.store->failure().has_value());
  node.disk().options().capacity_bytes = 1u << 30;
  node.sync(round);
  EXPECT_GT(node.store->counters().bypassed_bytes, 400'000u);
  const auto bytes = node.contents(partition);
  node.reopen(CrashMode::kPowerLoss);
  EXPECT_EQ(node.contents(node.partition()), bytes);
  node.close();
}

TEST(ShardStore, RefusesAppendsBeforeTheDiskIsFullAndResumes) {
  StoreGeometry geometry;
  geometry.journal_file_bytes = 1u << 20;
  geometry.journal_bytes_max = 4u << 20;
  geometry.round_bytes_max = 512u << 10;
  geometry.clean_journal_bytes_min = 1u << 20;
  StoreWorld node(9, geometry);
  node.disk().options().capacity_bytes = 40u << 20;
  node.options.free_bytes_min = 8u << 20;
  node.open();
  PartitionFiles& partition = node.create();
  PartitionFiles& other = node.create(Incarnation(12));
  Result<RoundSequence> round = RoundSequence(0);
  const auto try_append = [&](PartitionFiles& to, SpaceUse space_use = SpaceUse::kLeavesSome) {
    const fixture::BatchSpec spec{.base = to.log_end().value, .records = 1, .value_bytes = 100'000};
    const Slice batch = Slice::copy_of(fixture::make_batch(spec));
    return node.reactor->enter(
        [&] { return node.store->append(to, batch, record::BatchView::parse(batch.view()).value(), space_use); });
  };
  for (int i = 0; i < 1000; ++i) {
    round = try_append(i % 2 == 0 ? partition : other);
    if (!round.ok()) break;
    node.sync(*round);
  }
  ASSERT_FALSE(round.ok());
  EXPECT_EQ(round.error().code(), ErrorCode::kNoSpace);
  EXPECT_GT(node.store->counters().refused_for_space, 0u);
  EXPECT_EQ(node.disk().faults().writes_refused_full, 0u);
  // Reads, states, removals and what they need go on; space comes back with them.
  round = try_append(partition, SpaceUse::kMayTakeLast);
  ASSERT_TRUE(round.ok()) << round.error().to_string();
  node.sync(*round);
  const auto bytes = node.contents(partition);
  node.sync(node.store->put_state(StateKey{kFirst, 1}, Slice::copy_of(as_bytes("vote"))).value());
  ASSERT_TRUE(node.world.run(*node.reactor, node.store->remove(Incarnation(12))).ok());
  node.world.run_for(std::chrono::seconds(5));
  round = try_append(partition);
  ASSERT_TRUE(round.ok()) << round.error().to_string();
  node.sync(*round);
  EXPECT_GT(node.contents(partition).size(), bytes.size());
  node.close();
}

TEST(ShardStore, CreatesManyPartitionsWithFewSyncsOfDirectories) {
  constexpr std::uint64_t kCount = 300;
  constexpr std::chrono::milliseconds kSync(10);
  StoreWorld node(14);
  node.open();
  node.disk().options().sync = {kSync, kSync};
  const auto create = [](ShardStore& store, std::uint64_t i) -> io::Task<> {
    PartitionSpec spec;
    spec.incarnation = Incarnation(100 + i);
    spec.directory = "logs/wide/" + std::to_string(i);
    EXPECT_TRUE((co_await store.create(std::move(spec))).ok());
  };
  std::vector<io::Task<>> creations;
  for (std::uint64_t i = 0; i < kCount; ++i) creations.push_back(create(*node.store, i));
  const MonotonicTime before = node.world.now();
  node.world.run(*node.reactor, io::when_all(std::move(creations)));
  EXPECT_LT(node.world.now() - before, 15 * kSync);

  // The first write syncs none: any that it wanted would fail, and end the store.
  for (const char* path : {"data", "data/logs", "data/logs/wide"}) node.disk().fail_next_sync(path);
  for (std::uint64_t i = 0; i < kCount; ++i) node.disk().fail_next_sync("data/logs/wide/" + std::to_string(i));
  for (std::uint64_t i = 0; i < kCount; ++i) node.append(node.partition(Incarnation(100 + i)));
  const MonotonicTime written = node.world.now();
  ASSERT_EQ(node.world.run_until([&] { return node.store->counters().dirty_bytes == 0; }, written + std::chrono::minutes(1)),
            io::RunEnd::kDone);
  EXPECT_LT(node.world.now() - written, std::chrono::seconds(5) + (kCount + 30) * kSync);
  EXPECT_EQ(node.disk().faults().syncs_failed, 0u);
  node.disk().clear_faults();
  node.close();
}

TEST(ShardStore, MakesTheNamesOfNewPartitionsDurable) {
  StoreWorld node(15);
  node.open();
  node.create();
  node.reopen(CrashMode::kPowerLoss);
  EXPECT_TRUE(node.disk().has("data/logs/log-11/0/00000000000000000000.log"));
  // A directory that cannot be made, for one because the disk is full, does not keep a log from being created.
  node.disk().options().capacity_bytes = 0;
  PartitionFiles& other = node.create(Incarnation(12));
  node.disk().options().capacity_bytes = std::uint64_t{1} << 40;
  node.sync(node.append(other));
  node.world.run_for(std::chrono::seconds(20));
  EXPECT_EQ(node.store->counters().dirty_bytes, 0u);
  node.close();
}

TEST(ShardStore, EndsWhenTheSyncOfADirectoryFails) {
  StoreWorld node(10);
  node.open();
  PartitionFiles& partition = node.create();
  node.sync(node.append(partition));
  node.store->roll(partition);
  node.sync(node.append(partition));
  const auto bytes = node.contents(partition);
  // The segment's name may be lost: a second attempt would find nothing left to sync, and believe that it is durable.
  node.disk().fail_next_sync("data/" + partition.directory());
  node.world.run_for(std::chrono::seconds(30));
  EXPECT_GT(node.disk().faults().syncs_failed, 0u);
  ASSERT_TRUE(node.store->failure().has_value());
  const Result<> closed = node.world.run(*node.reactor, node.store->close());
  EXPECT_FALSE(closed.ok());
  node.store.reset();
  node.open();
  EXPECT_EQ(node.contents(node.partition()), bytes);
  node.close();
}

TEST(ShardStore, EndsWhenASyncFails) {
  StoreGeometry geometry;
  geometry.journal_first_file_bytes = geometry.journal_file_bytes;
  StoreWorld node(10, geometry);
  node.open();
  PartitionFiles& partition = node.create();
  node.sync(node.append(partition));
  const auto bytes = node.contents(partition);
  node.disk().fail_next_sync("data/journal/0/1-000001.journal");
  const RoundSequence round = node.append(partition);
  const Result<> synced = node.world.run(*node.reactor, node.store->wait_synced(round));
  ASSERT_FALSE(synced.ok());
  EXPECT_EQ(synced.error().code(), ErrorCode::kIo);
  EXPECT_TRUE(node.store->failure().has_value());
  const Result<> closed = node.world.run(*node.reactor, node.store->close());
  EXPECT_FALSE(closed.ok());
  node.store.reset();
  node.open();
  // The record was not acknowledged: it may be there or not, the one before it must be.
  EXPECT_GE(node.partition().log_end(), Offset(1));
  const auto found = node.contents(node.partition());
  ASSERT_GE(found.size(), bytes.size());
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), found.begin()));
  node.close();
}

TEST(ShardStore, RefusesADirectoryOfAnotherDisk) {
  StoreWorld node(11);
  node.open();
  node.sync(node.append(node.create()));
  node.close();
  node.options.disk_uuid.bytes.fill(8);
  const Result<> opened = node.try_open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kForeign);
}

TEST(ShardStore, RecyclesTheJournal) {
  StoreGeometry geometry;
  geometry.journal_file_bytes = 1u << 20;
  geometry.journal_bytes_max = 4u << 20;
  geometry.round_bytes_max = 512u << 10;
  geometry.clean_journal_bytes_min = 1u << 20;
  geometry.dirty_bytes_max = 2u << 20;
  StoreWorld node(8, geometry);
  node.open();
  PartitionFiles& partition = node.create();
  for (int i = 0; i < 400; ++i) node.sync(node.append(partition, 1, 60'000));
  const auto bytes = node.contents(partition);
  EXPECT_GT(node.store->counters().journal_bytes, 20u << 20);
  std::size_t journal_files = 0;
  for (const std::string& path : node.disk().files()) journal_files += path.ends_with(".journal");
  EXPECT_LE(journal_files, 5u);
  node.reopen(CrashMode::kPowerLossDestroyingBlocks);
  EXPECT_EQ(node.contents(node.partition()), bytes);
  node.close();
}

TEST(ShardStore, AStartMayBeCutShortWhereDeletedRecordsWereLost) {
  StoreGeometry geometry;
  geometry.journal_file_bytes = 1u << 20;
  geometry.round_bytes_max = 256u << 10;
  StoreWorld node(16, geometry);
  node.open();
  PartitionFiles& log = node.create(kFirst, Offset(0), DurabilityClass::kCached);
  for (int i = 0; i < 20; ++i) node.append(log, 1, 1000);
  ASSERT_TRUE(node.world.run(*node.reactor, node.store->sync_cached(log)).ok());
  ASSERT_GT(log.durable_end(), Offset(10));
  node.world.run_for(std::chrono::seconds(20));
  CachedBounds memory_only;
  memory_only.write_delay_max = memory_only.flush_delay_max = std::chrono::hours(1);
  node.store->set_cached_bounds(log, memory_only);
  node.append(log, 5);
  const Offset end = log.log_end();
  ASSERT_TRUE(node.world.run(*node.reactor, node.store->set_start(log, end, log.active().base)).ok());
  node.crash(CrashMode::kKill);
  // The log is empty now. What is left of its file is no part of it, but the checkpoint wants it until there is another one.
  const io::VirtualDiskSnapshot before = node.disk().snapshot();
  std::uint64_t crashes = 0;
  for (bool done = false; !done; ++crashes) {
    node.disk().restore(before);
    node.disk().crash_at_step(node.disk().steps() + crashes + 1, kModes[crashes % 3]);
    done = node.open_unless_crashed();
    node.disk().crash_never();
    if (!done) node.open();
    ASSERT_NE(node.store, nullptr) << "after a crash at step " << crashes + 1;
    EXPECT_EQ(node.partition().start(), end);
    EXPECT_EQ(node.partition().log_end(), end);
    EXPECT_FALSE(node.disk().has("data/logs/log-11/0/00000000000000000000.log"));
    node.crash(CrashMode::kKill);
  }
  EXPECT_GT(crashes, 20u);
}

TEST(ShardStore, ACachedLogsOffsetsBelowTheSyncedMarkHaveNoGaps) {
  StoreWorld node(17);
  node.open();
  PartitionFiles& log = node.create(kFirst, Offset(0), DurabilityClass::kCached);
  for (int i = 0; i < 20; ++i) node.append(log, 1, 1000);
  ASSERT_TRUE(node.world.run(*node.reactor, node.store->sync_cached(log)).ok());
  node.world.run_for(std::chrono::seconds(20));
  const auto last = static_cast<std::uint64_t>(log.durable_end().value) - 1;
  ASSERT_GT(last, 10u);
  const std::uint64_t batch_bytes = log.active().end / 20;
  node.crash(CrashMode::kKill);
  // The last batch that is known to be synced says that it comes 64 records later, which no checksum covers.
  const std::string path = "data/logs/log-11/0/00000000000000000000.log";
  const std::uint64_t bit = (last * batch_bytes + record::format::kBaseOffsetAt + 7) * 8 + 6;
  node.disk().flip_bit(path, bit);
  const Result<> opened = node.try_open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error(), ErrorCode::kCorrupt) << opened.error().to_string();
  node.disk().flip_bit(path, bit);
  node.crash(CrashMode::kKill);
  node.open();
  EXPECT_EQ(node.partition().log_end(), Offset(20));
  node.close();
}

TEST(ShardStore, ACachedLogsScanBelievesOnlyWhatFollowsExactly) {
  StoreWorld node(18);
  node.open();
  PartitionFiles& log = node.create(kFirst, Offset(0), DurabilityClass::kCached);
  for (int i = 0; i < 20; ++i) node.append(log, 1, 1000);
  ASSERT_TRUE(node.world.run(*node.reactor, node.store->sync_cached(log)).ok());
  node.world.run_for(std::chrono::seconds(20));
  const std::uint64_t batch_bytes = log.active().end / 20;
  for (int i = 0; i < 5; ++i) node.append(log, 1, 1000);
  node.world.run_for(std::chrono::milliseconds(20));  // written, and not synced
  node.crash(CrashMode::kKill);
  // A batch that nothing proves says that it comes 64 records later, which no checksum covers.
  const std::string path = "data/logs/log-11/0/00000000000000000000.log";
  node.disk().flip_bit(path, (22 * batch_bytes + record::format::kBaseOffsetAt + 7) * 8 + 6);
  node.open();
  EXPECT_EQ(node.partition().log_end(), Offset(22));
  node.close();
}

TEST(ShardStore, LeavesNothingOfARemovedPartitionWhateverStepDies) {
  StoreGeometry geometry;
  geometry.journal_file_bytes = 1u << 20;
  geometry.round_bytes_max = 256u << 10;
  bool done = false;
  std::uint64_t came_back = 0;
  for (std::uint64_t step = 1; !done; ++step) {
    StoreWorld node(100 + step, geometry);
    node.open();
    for (const std::uint64_t incarnation : {11, 12}) {
      PartitionFiles& log = node.create(Incarnation(incarnation));
      node.append(log, 1, 1000);
      node.store->roll(log);
      node.append(log, 1, 1000);
    }
    node.world.run_for(std::chrono::seconds(20));
    const CrashMode mode = kModes[step % 3];
    node.disk().crash_at_step(node.disk().steps() + step, mode);
    (void)node.world.try_run(*node.reactor, node.store->remove(kFirst));
    done = node.reactor->alive();
    node.disk().crash_never();
    node.crash(CrashMode::kPowerLoss);
    if (done) EXPECT_FALSE(node.disk().has("data/logs/log-11")) << "it was durably gone";
    came_back += node.disk().has("data/logs/log-11");
    node.open();
    if (node.store->find(kFirst) != nullptr) {
      EXPECT_EQ(node.contents(node.partition()).size(), node.contents(node.partition(Incarnation(12))).size());
    } else {
      EXPECT_FALSE(node.disk().has("data/logs/log-11")) << "after a crash at step " << step;
      node.reopen(CrashMode::kPowerLoss);
      EXPECT_FALSE(node.disk().has("data/logs/log-11")) << "after a crash at step " << step;
    }
    EXPECT_TRUE(node.disk().has("data/logs/log-12/0"));
    node.close();
  }
  EXPECT_GT(came_back, 5u);
}

}  // namespace
}  // namespace pyralog::storage
