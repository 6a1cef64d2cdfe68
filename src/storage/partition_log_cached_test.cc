// Logs with write.caching=true: acknowledged from memory, in no journal.
#include <gtest/gtest.h>

#include "storage/log_world.h"

namespace pyralog::storage {
namespace {

using fixture::BatchSpec;
using fixture::LogWorld;
using io::CrashMode;

constexpr std::uint64_t kAll = 1u << 30;

LogSettings cached_settings() {
  LogSettings settings;
  settings.write_caching = true;
  settings.flush_ms = 1000;
  return settings;
}

const StoreCounters& counters(LogWorld& world) { return world.node.store->counters(); }

TEST(CachedPartitionLog, AcknowledgesAndShowsWhatIsInMemory) {
  LogWorld world(1, cached_settings());
  world.node.world.run_for(std::chrono::seconds(1));  // what creation left to do
  const std::uint64_t journaled = counters(world).journal_bytes;
  const Appended appended = world.append({.records = 3}).value();
  EXPECT_EQ(appended.round, RoundSequence(0));
  EXPECT_EQ(world.log().high_watermark(), Offset(3));
  EXPECT_EQ(world.read({.offset = Offset(0), .bytes_max = kAll}).second, Offset(3));
  EXPECT_EQ(world.log().files().durable_end(), Offset(0));
  world.node.world.run_for(std::chrono::seconds(10));
  EXPECT_EQ(counters(world).journal_bytes, journaled);
  EXPECT_EQ(world.read({.offset = Offset(0), .bytes_max = kAll}).second, Offset(3));
}

TEST(CachedPartitionLog, SurvivesAKillOnceItIsWrittenWhichTakesTenMilliseconds) {
  LogWorld world(2, cached_settings());
  world.append({.records = 3}).value();
  world.node.world.run_for(std::chrono::milliseconds(20));
  EXPECT_EQ(counters(world).write_cache_bytes, 0u);
  EXPECT_EQ(counters(world).flushes, 0u);
  world.append({.records = 4}).value();
  world.crash(CrashMode::kKill);
  EXPECT_EQ(world.log().log_end(), Offset(3));
  EXPECT_EQ(world.log().high_watermark(), Offset(3));
  EXPECT_EQ(world.append({}).value().base, Offset(3));
  EXPECT_EQ(world.read({.offset = Offset(0), .bytes_max = kAll}).second, Offset(3));
  EXPECT_EQ(world.read({.offset = Offset(3), .bytes_max = kAll}).second, Offset(4));
}

TEST(CachedPartitionLog, SyncsByTimeBytesAndRecords) {
  const auto flushes_after = [](LogSettings settings, Duration delay) {
    LogWorld world(3, settings);
    for (int i = 0; i < 10; ++i) world.append({.records = 10, .value_bytes = 1000}).value();
    world.node.world.run_for(delay);
    return counters(world).flushes;
  };
  LogSettings settings = cached_settings();
  EXPECT_EQ(flushes_after(settings, std::chrono::milliseconds(900)), 0u);
  EXPECT_EQ(flushes_after(settings, std::chrono::milliseconds(1100)), 1u);
  settings.flush_bytes = 100'000;
  EXPECT_EQ(flushes_after(settings, std::chrono::milliseconds(900)), 1u);
  settings = cached_settings();
  settings.flush_messages = 100;
  EXPECT_EQ(flushes_after(settings, std::chrono::milliseconds(900)), 1u);
  settings.flush_messages = 101;
  EXPECT_EQ(flushes_after(settings, std::chrono::milliseconds(900)), 0u);
  settings.flush_ms = INT64_MAX;
  EXPECT_EQ(flushes_after(settings, std::chrono::hours(24)), 0u);
}

TEST(CachedPartitionLog, WhatWasSyncedInWholeBlocksSurvivesAPowerCut) {
  LogWorld world(4, cached_settings());
  for (int i = 0; i < 100; ++i) world.append({.records = 2, .value_bytes = 500}).value();
  const auto before = world.read({.offset = Offset(0), .bytes_max = kAll}).first;
  world.node.world.run_for(std::chrono::seconds(3));
  const Offset durable = world.log().files().durable_end();
  EXPECT_GE(durable, Offset(190));
  world.append({.records = 2, .value_bytes = 500}).value();
  world.node.world.run_for(std::chrono::milliseconds(20));
  world.crash(CrashMode::kPowerLossDestroyingBlocks);
  ASSERT_GE(world.log().log_end(), durable);
  const auto after = world.read({.offset = Offset(0), .bytes_max = kAll}).first;
  ASSERT_LE(after.size(), before.size() + 2000);
  EXPECT_TRUE(std::equal(after.begin(), after.begin() + static_cast<std::ptrdiff_t>(std::min(after.size(), before.size())),
                         before.begin()));
}

TEST(CachedPartitionLog, KeepsEverythingThroughACleanStop) {
  LogSettings settings = cached_settings();
  settings.segment_bytes = 20'000;
  LogWorld world(5, settings);
  for (int i = 0; i < 50; ++i) world.append({.records = 2, .value_bytes = 900, .producer = 7, .sequence = 2 * i}).value();
  const Offset last_base = world.log().files().active().base;
  const auto read_all = [&] {
    std::vector<std::byte> bytes;
    for (Offset at(0); at < world.log().log_end();) {
      const auto [part, end] = world.read({.offset = at, .bytes_max = kAll});
      bytes.insert(bytes.end(), part.begin(), part.end());
      at = end;
    }
    return bytes;
  };
  const auto before = read_all();
  world.restart();
  EXPECT_EQ(world.log().log_end(), Offset(100));
  EXPECT_EQ(read_all(), before);
  EXPECT_TRUE(world.append({.records = 2, .value_bytes = 900, .producer = 7, .sequence = 98}).value().is_duplicate);
  // A block that is solid must not be written to again, so each life begins a segment.
  EXPECT_GT(world.log().files().active().base, last_base);
  world.restart();
  world.restart();
  EXPECT_EQ(read_all(), before);
}

TEST(CachedPartitionLog, NobodyOvertakesAnAppendThatWaitsForAChange) {
  LogWorld world(9, cached_settings());
  world.append({.records = 3}).value();
  PartitionLog& log = world.log();
  std::optional<Result<Appended>> first, second;
  const auto keep = [](io::Task<Result<Appended>> append, std::optional<Result<Appended>>& into) -> io::Task<> {
    into.emplace(co_await std::move(append));
  };
  const auto change = [](PartitionLog& changed) -> io::Task<> {
    EXPECT_TRUE((co_await changed.apply_settings(std::make_shared<const LogSettings>())).ok());
  };
  world.node.world.start(*world.node.reactor, change(log));
  const auto refuses = [&] {
    return !world.node.reactor->enter([&] { return log.append(Slice::copy_of(fixture::make_batch({.records = 1}))); }).ok();
  };
  while (!refuses()) ASSERT_TRUE(world.node.world.step());
  const Offset end = log.log_end();
  const auto append = [&](int records, std::optional<Result<Appended>>& into) {
    const Slice batch = Slice::copy_of(fixture::make_batch({.records = records}));
    world.node.world.start(*world.node.reactor, keep(log.append_in_turn(batch), into));
  };
  append(2, first);
  append(5, second);
  // Whatever comes at any moment between, an event of the world at a time, has to go behind them.
  world.node.world.run_for(std::chrono::microseconds(10));
  while (!second.has_value()) {
    ASSERT_TRUE(refuses());
    ASSERT_TRUE(world.node.world.step());
  }
  EXPECT_EQ(first->value().base, end);
  EXPECT_EQ(second->value().base, end + OffsetDelta(2));
}

TEST(CachedPartitionLog, BecomesDurableWithAllThatPrecedes) {
  for (const CrashMode mode : {CrashMode::kKill, CrashMode::kPowerLoss, CrashMode::kPowerLossDestroyingBlocks}) {
    LogWorld world(6, cached_settings());
    for (int i = 0; i < 10; ++i) world.append({.records = 3, .producer = 9, .sequence = 3 * i}).value();
    world.apply({});
    EXPECT_EQ(world.log().files().durable_end(), Offset(30));
    const Appended appended = world.append_synced({.records = 2});
    EXPECT_GT(appended.round, RoundSequence(0));
    world.append({.records = 2}).value();
    world.crash(mode);
    EXPECT_GE(world.log().log_end(), Offset(32));
    EXPECT_EQ(world.log().files().durability(), DurabilityClass::kDurable);
    EXPECT_TRUE(world.append({.records = 3, .producer = 9, .sequence = 27}).value().is_duplicate);
    EXPECT_EQ(world.read({.offset = Offset(0), .bytes_max = kAll}).second, Offset(30));
  }
}

TEST(CachedPartitionLog, ADurableLogBecomesCachedWithoutLosingAnything) {
  for (const CrashMode mode : {CrashMode::kKill, CrashMode::kPowerLoss, CrashMode::kPowerLossDestroyingBlocks}) {
    LogWorld world(7, {});
    for (int i = 0; i < 9; ++i) world.append({.records = 3}).value();
    world.append_synced({.records = 3});
    world.apply(cached_settings());
    for (int i = 0; i < 10; ++i) world.append({.records = 3}).value();
    EXPECT_EQ(world.log().high_watermark(), Offset(60));
    world.crash(mode);
    EXPECT_GE(world.log().log_end(), Offset(30));
    EXPECT_EQ(world.log().files().durability(), DurabilityClass::kCached);
    EXPECT_EQ(world.read({.offset = Offset(0), .bytes_max = kAll}).second, Offset(30));
    world.apply({});
    world.append_synced({});
  }
}

TEST(CachedPartitionLog, CutsATornTailAndRefusesDamageBelow) {
  LogWorld world(8, cached_settings());
  for (int i = 0; i < 20; ++i) world.append({.records = 1, .value_bytes = 1000}).value();
  world.flush();
  world.flush();
  world.append({.records = 1, .value_bytes = 1000}).value();
  world.node.world.run_for(std::chrono::seconds(8));  // a checkpoint says how far it is solid
  const std::string path = world.path(Offset(0), FileKind::kLog);
  const std::uint64_t size = world.node.disk().contents(path).size();
  world.node.disk().flip_bit(path, (size - 10) * 8);
  world.crash(CrashMode::kKill);
  EXPECT_EQ(world.log().log_end(), Offset(20));
  EXPECT_EQ(world.append({}).value().base, Offset(20));
}

TEST(CachedPartitionLog, StopsAcceptingAtItsBoundAndWaitsForSpace) {
  StoreGeometry geometry;
  geometry.write_cache_bytes_max = 64 << 10;
  LogWorld world(9, cached_settings(), CommitRule::kLocal, geometry);
  world.append({}).value();
  world.flush();
  world.node.disk().options().capacity_bytes = world.node.disk().used_bytes();
  int appended = 0;
  while (world.node.store->accepting() && appended < 1000) {
    world.append({.value_bytes = 1000}).value();
    ++appended;
  }
  EXPECT_LT(appended, 100);
  world.node.world.run_for(std::chrono::seconds(5));
  EXPECT_FALSE(world.node.store->accepting());
  EXPECT_FALSE(world.node.store->failure().has_value());
  EXPECT_EQ(world.read({.offset = Offset(1), .bytes_max = kAll}).second, world.log().log_end());
  world.node.disk().options().capacity_bytes = std::uint64_t{1} << 40;
  world.node.world.run_for(std::chrono::seconds(5));
  EXPECT_TRUE(world.node.store->accepting());
  world.crash(CrashMode::kKill);
  EXPECT_EQ(world.log().log_end(), Offset(1 + appended));
}

TEST(CachedPartitionLog, ATruncatedTailDoesNotComeBack) {
  LogSettings settings = cached_settings();
  settings.segment_bytes = 5000;
  for (const CrashMode mode : {CrashMode::kKill, CrashMode::kPowerLoss, CrashMode::kPowerLossDestroyingBlocks}) {
    for (const std::int64_t end : {2, 4, 10, 12}) {
      LogWorld world(10, settings, CommitRule::kExternal);
      for (int i = 0; i < 10; ++i) world.append({.records = 2, .value_bytes = 700}).value();
      world.flush();
      ASSERT_EQ(world.run(world.log().truncate(Offset(end))).value(), Offset(end));
      world.crash(mode);
      EXPECT_EQ(world.log().log_end(), Offset(end));
      EXPECT_EQ(world.append({}).value().base, Offset(end));
      world.flush();
      world.restart();
      EXPECT_EQ(world.log().log_end(), Offset(end + 1));
    }
  }
}

}  // namespace
}  // namespace pyralog::storage
