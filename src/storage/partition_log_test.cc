#include "storage/partition_log.h"

#include <gtest/gtest.h>

#include <limits>

#include "storage/log_world.h"

namespace pyralog::storage {
namespace {

using fixture::BatchSpec;
using fixture::LogWorld;
using io::CrashMode;

constexpr std::uint64_t kAll = 1u << 30;

/// What `append` makes of the spec: with its offset and epoch.
std::vector<std::byte> stamped(BatchSpec spec, const Appended& appended, LeaderEpoch epoch) {
  auto bytes = fixture::make_batch(spec);
  store_big(bytes.data() + record::format::kBaseOffsetAt, appended.base.value);
  store_big(bytes.data() + record::format::kLeaderEpochAt, epoch.value);
  return bytes;
}

ErrorCode error_of(const Result<Appended>& appended) {
  EXPECT_FALSE(appended.ok());
  return appended.ok() ? ErrorCode::kInvalidArgument : appended.error().code();
}

TEST(PartitionLog, NumbersAndStampsBatches) {
  LogWorld world(1, {});
  const BatchSpec three{.records = 3}, two{.records = 2};
  const Appended first = world.append_synced(three);
  const Appended second = world.append_synced(two);
  EXPECT_EQ(first.base, Offset(0));
  EXPECT_EQ(second.base, Offset(3));
  EXPECT_EQ(second.end, Offset(5));
  EXPECT_FALSE(second.is_duplicate);
  auto expected = stamped(three, first, LeaderEpoch(0));
  const auto more = stamped(two, second, LeaderEpoch(0));
  expected.insert(expected.end(), more.begin(), more.end());
  const auto [bytes, end] = world.read({.offset = Offset(0), .bytes_max = kAll});
  EXPECT_EQ(bytes, expected);
  EXPECT_EQ(end, Offset(5));
}

TEST(PartitionLog, AcknowledgesAndShowsOnlyWhatIsSynced) {
  LogWorld world(2, {});
  const Appended appended = world.append({.records = 3}).value();
  EXPECT_EQ(world.log().high_watermark(), Offset(0));
  EXPECT_TRUE(world.read({.offset = Offset(0), .bytes_max = kAll}).first.empty());
  EXPECT_FALSE(world.read({.offset = Offset(0), .bytes_max = kAll, .limit = ReadLimit::kLogEnd}).first.empty());
  world.node.sync(appended.round);
  EXPECT_EQ(world.log().high_watermark(), Offset(3));
  EXPECT_EQ(world.read({.offset = Offset(0), .bytes_max = kAll}).second, Offset(3));
}

TEST(PartitionLog, RefusesWhatItMayNotAppend) {
  LogSettings settings;
  settings.batch_bytes_max = 1000;
  LogWorld world(4, settings);
  EXPECT_EQ(error_of(world.append({.value_bytes = 1000})), ErrorCode::kTooLarge);
  world.log().lead(kNoLeaderEpoch);
  EXPECT_EQ(error_of(world.append({})), ErrorCode::kNotLeader);
  EXPECT_EQ(world.log().log_end(), Offset(0));
}

TEST(PartitionLog, RetriesGetTheOriginalsPlace) {
  LogWorld world(5, {});
  const BatchSpec spec{.records = 2, .timestamp = 777, .producer = 9, .sequence = 5};
  world.append_synced({});
  const Appended original = world.append_synced(spec);
  const Appended retry = world.append(spec).value();
  EXPECT_TRUE(retry.is_duplicate);
  EXPECT_EQ(retry.base, original.base);
  EXPECT_EQ(retry.end, original.end);
  EXPECT_EQ(retry.timestamp, WallTime{778});
  EXPECT_EQ(world.log().log_end(), Offset(3));
  BatchSpec gap = spec;
  gap.sequence = 9;
  EXPECT_EQ(error_of(world.append(gap)), ErrorCode::kOutOfOrderSequence);
  world.crash(CrashMode::kPowerLoss);
  const Appended after = world.append(spec).value();
  EXPECT_TRUE(after.is_duplicate);
  EXPECT_EQ(after.base, original.base);
}

TEST(PartitionLog, StampsTheAppendTime) {
  LogSettings settings;
  settings.timestamp_type = record::TimestampType::kLogAppendTime;
  LogWorld world(6, settings);
  const Appended appended = world.append_synced({.records = 2, .timestamp = 5});
  EXPECT_GT(appended.timestamp, WallTime{1'000'000});
  const auto [bytes, end] = world.read({.offset = Offset(0), .bytes_max = kAll});
  const auto view = record::BatchView::parse(bytes).value();
  EXPECT_EQ(view.timestamp_type(), record::TimestampType::kLogAppendTime);
  EXPECT_EQ(view.max_timestamp(), appended.timestamp);
  EXPECT_TRUE(view.verify_crc().ok());
  const auto found = world.run(world.log().offset_for_time(appended.timestamp, ReadLimit::kHighWatermark)).value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->offset, Offset(0));
}

TEST(PartitionLog, ReadsWholeBatchesWithinTheBound) {
  LogWorld world(7, {});
  for (int i = 0; i < 10; ++i) world.append({.records = 2, .value_bytes = 100}).value();
  const Appended last = world.append_synced({.records = 2, .value_bytes = 100});
  const std::size_t one = fixture::make_batch({.records = 2, .value_bytes = 100}).size();
  // In the middle of a batch: the whole batch.
  EXPECT_EQ(world.read({.offset = Offset(5), .bytes_max = one}).second, Offset(6));
  EXPECT_EQ(world.read({.offset = Offset(5), .bytes_max = one}).first.size(), one);
  EXPECT_EQ(world.read({.offset = Offset(5), .bytes_max = 3 * one + one / 2}).second, Offset(10));
  // The first one even if it is too large, unless told otherwise.
  EXPECT_EQ(world.read({.offset = Offset(5), .bytes_max = 1}).second, Offset(6));
  EXPECT_EQ(world.read({.offset = Offset(5), .bytes_max = 1, .first_batch = FirstBatch::kIfItFits}).second, Offset(5));
  // At the end nothing, beyond it an error.
  EXPECT_TRUE(world.read({.offset = last.end, .bytes_max = kAll}).first.empty());
  EXPECT_EQ(world.try_read({.offset = last.end + OffsetDelta(1), .bytes_max = kAll}).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(world.read({.offset = Offset(0), .bytes_max = std::numeric_limits<std::uint64_t>::max()}).second, last.end);
}

TEST(PartitionLog, RollsBySizeTimeAndCommand) {
  LogSettings settings;
  settings.segment_bytes = 5000;
  settings.segment_ms = 60'000;
  LogWorld world(8, settings);
  for (int i = 0; i < 6; ++i) world.append_synced({.value_bytes = 1500});
  EXPECT_EQ(world.log().files().segments().size(), 2u);
  world.roll();
  EXPECT_EQ(world.log().files().segments().size(), 3u);
  world.roll();  // empty already
  EXPECT_EQ(world.log().files().segments().size(), 3u);
  world.append_synced({});
  world.node.world.run_for(std::chrono::seconds(61));
  world.append_synced({});
  EXPECT_EQ(world.log().files().segments().size(), 4u);
  EXPECT_EQ(world.counters().rolls, 3u);
  EXPECT_EQ(world.read({.offset = Offset(4), .bytes_max = kAll}).second, Offset(6));
}

TEST(PartitionLog, AnOpenReadOutlivesItsSegment) {
  LogSettings settings;
  settings.segment_bytes = 5000;
  LogWorld world(9, settings);
  for (int i = 0; i < 9; ++i) world.append_synced({.value_bytes = 1500});
  world.settle();  // everything is in files only
  auto result = world.try_read({.offset = Offset(0), .bytes_max = kAll}).value();
  ASSERT_TRUE(std::holds_alternative<FileRange>(result.pieces.front()));
  const auto before = world.flatten(result);
  ASSERT_TRUE(world.run(world.log().delete_records(Offset(6))).ok());
  EXPECT_EQ(world.flatten(result), before);
  EXPECT_EQ(world.try_read({.offset = Offset(0), .bytes_max = kAll}).error(), ErrorCode::kOutOfRange);
}

TEST(PartitionLog, EachStartLeadsInANewEpochAndAnEmptyOneLeavesNoTrace) {
  LogWorld world(10, {});
  world.append_synced({.records = 4});
  world.restart();
  world.restart();
  EXPECT_EQ(world.log().leader_epoch(), LeaderEpoch(1));
  world.append_synced({.records = 2});
  world.crash(CrashMode::kPowerLoss);
  EXPECT_EQ(world.log().leader_epoch(), LeaderEpoch(2));
  EXPECT_EQ(world.log().epoch_end(LeaderEpoch(0)), (EpochEnd{LeaderEpoch(0), Offset(4)}));
  EXPECT_EQ(world.log().epoch_end(LeaderEpoch(1)), (EpochEnd{LeaderEpoch(1), Offset(6)}));
  EXPECT_EQ(world.log().epoch_end(LeaderEpoch(2)), (EpochEnd{LeaderEpoch(2), Offset(6)}));
  EXPECT_EQ(world.log().epoch_end(LeaderEpoch(3)), std::nullopt);
  EXPECT_EQ(world.log().files().state().epochs().rows().size(), 2u);
}

TEST(PartitionLog, TruncatesToBatchBordersAndGoesOn) {
  LogSettings settings;
  settings.segment_bytes = 5000;
  LogWorld world(11, settings, CommitRule::kExternal);
  for (int i = 0; i < 10; ++i) world.append_synced({.records = 2, .value_bytes = 700});  // three batches a segment
  world.log().advance_high_watermark(Offset(8));
  EXPECT_EQ(world.run(world.log().truncate(Offset(7))).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(world.run(world.log().truncate(Offset(11))).value(), Offset(10));
  EXPECT_EQ(world.log().log_end(), Offset(10));
  EXPECT_EQ(world.log().files().segments().size(), 2u);
  const BatchSpec other{.records = 3, .value_bytes = 33};
  const Appended appended = world.append_synced(other);
  EXPECT_EQ(appended.base, Offset(10));
  const auto [bytes, end] = world.read({.offset = Offset(10), .bytes_max = kAll, .limit = ReadLimit::kLogEnd});
  EXPECT_EQ(bytes, stamped(other, appended, world.log().leader_epoch()));
  world.crash(CrashMode::kPowerLossDestroyingBlocks);
  EXPECT_EQ(world.log().log_end(), Offset(13));
  EXPECT_EQ(world.read({.offset = Offset(10), .bytes_max = kAll, .limit = ReadLimit::kLogEnd}).first, bytes);
}

TEST(PartitionLog, TruncationRebuildsProducersThatItNoLongerRemembers) {
  LogSettings settings;
  settings.segment_bytes = 5000;
  LogWorld world(12, settings, CommitRule::kExternal);
  const auto batch = [](int i) {
    return BatchSpec{.records = 1, .value_bytes = 900, .producer = 3, .sequence = i};
  };
  for (int i = 0; i < 20; ++i) world.append_synced(batch(i));
  world.settle();
  EXPECT_TRUE(world.node.disk().has(world.path(Offset(15), FileKind::kSnapshot)));
  ASSERT_EQ(world.run(world.log().truncate(Offset(12))).value(), Offset(12));
  EXPECT_FALSE(world.node.disk().has(world.path(Offset(15), FileKind::kSnapshot)));
  EXPECT_TRUE(world.append(batch(7)).value().is_duplicate);
  EXPECT_EQ(world.append(batch(7)).value().base, Offset(7));
  EXPECT_EQ(world.counters().producers_rebuilt, 1u);
  EXPECT_EQ(error_of(world.append(batch(6))), ErrorCode::kOutOfOrderSequence);
  EXPECT_EQ(world.append(batch(12)).value().base, Offset(12));
}

TEST(PartitionLog, ManyProducersComeBackThroughASnapshot) {
  LogSettings settings;
  settings.segment_bytes = 30'000;
  LogWorld world(13, settings);
  const auto batch = [](int id, int sequence) { return BatchSpec{.producer = id, .sequence = sequence}; };
  for (int round = 0; round < 7; ++round) {
    for (int id = 0; id < 100; ++id) world.append(batch(id, round)).value();
  }
  world.settle();
  ASSERT_TRUE(world.log().files().state().snapshot().has_value());
  world.restart();
  EXPECT_FALSE(world.log().files().state().producers_known());
  for (int id = 0; id < 100; ++id) {
    EXPECT_TRUE(world.append(batch(id, 2)).value().is_duplicate) << id;
    EXPECT_EQ(world.append(batch(id, 6)).value().base, Offset(600 + id));
    EXPECT_EQ(error_of(world.append(batch(id, 1))), ErrorCode::kOutOfOrderSequence);
  }
  EXPECT_EQ(world.counters().producers_rebuilt, 1u);
}

TEST(PartitionLog, ADamagedSnapshotIsReplacedByReadingTheLog) {
  LogSettings settings;
  settings.segment_bytes = 30'000;
  LogWorld world(14, settings);
  for (int i = 0; i < 700; ++i) world.append({.producer = i % 100, .sequence = i / 100}).value();
  world.settle();
  const Offset at = world.log().files().state().snapshot().value();
  world.node.disk().flip_bit(world.path(at, FileKind::kSnapshot), 8 * 50);
  world.restart();
  EXPECT_EQ(world.append({.producer = 17, .sequence = 4}).value().base, Offset(417));
}

TEST(PartitionLog, FindsOffsetsByTime) {
  LogSettings settings;
  settings.segment_bytes = 20'000;
  LogWorld world(15, settings);
  // Times rise by 100 a batch, with a step back and codecs that must be opened.
  const record::Codec codecs[] = {record::Codec::kNone, record::Codec::kLz4, record::Codec::kZstd, record::Codec::kGzip};
  for (int i = 0; i < 100; ++i) {
    world.append({.records = 3, .value_bytes = 400, .timestamp = 10'000 + i * 100 - (i % 7 == 0 ? 500 : 0),
                  .timestamp_step = 10, .codec = codecs[i % 4]}).value();
  }
  world.append_synced({.records = 1, .timestamp = 15'000});
  const auto expected = [](std::int64_t time) -> std::int64_t {
    for (int i = 0; i < 100; ++i) {
      for (int r = 0; r < 3; ++r) {
        if (10'000 + i * 100 - (i % 7 == 0 ? 500 : 0) + r * 10 >= time) return i * 3 + r;
      }
    }
    return -1;
  };
  for (int pass = 0; pass < 3; ++pass) {
    for (std::int64_t time = 9'400; time < 20'100; time += 37) {
      const auto found = world.run(world.log().offset_for_time(WallTime{time}, ReadLimit::kHighWatermark));
      ASSERT_TRUE(found.ok()) << found.error().to_string();
      EXPECT_EQ(found->has_value() ? (*found)->offset.value : -1, expected(time)) << time << " pass " << pass;
    }
    const auto newest = world.run(world.log().newest_timestamp(ReadLimit::kHighWatermark)).value();
    ASSERT_TRUE(newest.has_value());
    EXPECT_EQ(newest->timestamp, WallTime{10'000 + 99 * 100 + 20});
    EXPECT_EQ(newest->offset, Offset(99 * 3 + 2));
    if (pass == 0) world.settle();
    if (pass == 1) world.crash(CrashMode::kPowerLoss);
  }
}

TEST(PartitionLog, TheNewestTimestampMayHaveBeenDeleted) {
  LogWorld world(16, {});
  world.append_synced({.timestamp = 9000});
  world.append_synced({.timestamp = 5000});
  world.append_synced({.timestamp = 4000});
  ASSERT_TRUE(world.run(world.log().delete_records(Offset(1))).ok());
  EXPECT_EQ(world.run(world.log().newest_timestamp(ReadLimit::kHighWatermark)).value()->offset, Offset(1));
  EXPECT_EQ(world.run(world.log().offset_for_time(WallTime{0}, ReadLimit::kHighWatermark)).value()->offset, Offset(1));
}

TEST(PartitionLog, AnEmptyLogHasNoTimes) {
  LogWorld world(17, {});
  EXPECT_FALSE(world.run(world.log().newest_timestamp(ReadLimit::kHighWatermark)).value().has_value());
  EXPECT_FALSE(world.run(world.log().offset_for_time(WallTime{0}, ReadLimit::kHighWatermark)).value().has_value());
}

TEST(PartitionLog, DeletesRecordsForGood) {
  LogSettings settings;
  settings.segment_bytes = 5000;
  LogWorld world(18, settings);
  for (int i = 0; i < 10; ++i) world.append_synced({.records = 2, .value_bytes = 700});
  world.settle();
  EXPECT_EQ(world.run(world.log().delete_records(Offset(21))).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(world.run(world.log().delete_records(Offset(9))).value(), Offset(9));
  EXPECT_EQ(world.run(world.log().delete_records(Offset(3))).value(), Offset(9));
  EXPECT_EQ(world.log().files().segments().front().base, Offset(6));
  EXPECT_FALSE(world.node.disk().has(world.path(Offset(0), FileKind::kIndex)));
  EXPECT_EQ(world.read({.offset = Offset(9), .bytes_max = 1}).second, Offset(10));
  world.crash(CrashMode::kPowerLoss);
  EXPECT_EQ(world.log().start(), Offset(9));
  EXPECT_EQ(world.run(world.log().delete_records(Offset(20))).value(), Offset(20));
  EXPECT_EQ(world.append_synced({}).base, Offset(20));
}

/// A retry must not become a second record because what it repeats was deleted meanwhile.
TEST(PartitionLog, DeletionForgetsNoProducersThroughACrash) {
  for (const int producers : {2, 100}) {
    for (const bool settles : {false, true}) {
      LogSettings settings;
      settings.segment_bytes = 20'000;
      LogWorld world(28, settings);
      for (int sequence = 0; sequence < 2; ++sequence) {
        for (int id = 0; id < producers; ++id) {
          world.append_synced({.value_bytes = 4000, .producer = id, .sequence = sequence});
        }
      }
      world.roll();
      // In one case the checkpoint knows the batches, in the other only the journal does.
      world.node.world.run_for(settles ? Duration(std::chrono::seconds(30)) : Duration(std::chrono::milliseconds(50)));
      EXPECT_EQ(world.run(world.log().delete_records(Offset(2 * producers))).value(), Offset(2 * producers));
      ASSERT_EQ(world.log().files().segments().size(), 1u);
      world.crash(CrashMode::kPowerLoss);
      EXPECT_EQ(world.log().log_end(), Offset(2 * producers));
      for (int id = 0; id < producers; ++id) {
        const auto retried = world.append({.value_bytes = 4000, .producer = id, .sequence = 1});
        ASSERT_TRUE(retried.ok()) << retried.error().to_string();
        EXPECT_TRUE(retried->is_duplicate) << producers << " producers, settled: " << settles << ", id " << id;
        EXPECT_EQ(retried->base, Offset(producers + id));
      }
    }
  }
}

TEST(PartitionLog, RetentionBySizeAndByTimeOfQuietLogs) {
  LogSettings settings;
  settings.segment_bytes = 5000;
  settings.segment_ms = 3'600'000;
  settings.retention_ms = 7'200'000;
  settings.retention_bytes = 30'000;
  LogWorld world(19, settings);
  const auto now = [&world] { return world.node.reactor->wall_now(); };
  for (int i = 0; i < 30; ++i) world.append_synced({.value_bytes = 1500, .timestamp = now().ms});  // ten segments of 4,600
  EXPECT_EQ(world.run(world.log().retain(now())).value(), 3u);
  EXPECT_EQ(world.log().start(), Offset(9));
  EXPECT_GE(world.log().bytes(), 30'000u);
  EXPECT_EQ(world.run(world.log().retain(now())).value(), 0u);
  // Nothing is written for long: the active segment is closed, and all go but the new one.
  world.node.world.run_for(std::chrono::hours(3));
  EXPECT_EQ(world.run(world.log().retain(std::nullopt)).value(), 0u);  // a clock that is not to be trusted
  EXPECT_EQ(world.run(world.log().retain(now())).value(), 7u);
  EXPECT_EQ(world.log().start(), Offset(30));
  world.crash(CrashMode::kPowerLoss);
  EXPECT_EQ(world.log().start(), Offset(30));
  EXPECT_EQ(world.append_synced({}).base, Offset(30));
}

TEST(PartitionLog, FutureTimestampsExpireByTheirAppend) {
  LogSettings settings;
  settings.segment_bytes = 5000;
  settings.retention_ms = 7'200'000;
  LogWorld world(20, settings);
  for (int i = 0; i < 9; ++i) world.append_synced({.value_bytes = 1500, .timestamp = 4'000'000'000'000});
  world.node.world.run_for(std::chrono::hours(1));
  EXPECT_EQ(world.run(world.log().retain(world.node.reactor->wall_now())).value(), 0u);
  world.crash(CrashMode::kKill);
  world.node.world.run_for(std::chrono::hours(2));
  EXPECT_EQ(world.run(world.log().retain(world.node.reactor->wall_now())).value(), 2u);
}

TEST(PartitionLog, WaitersWakeWhenTheWatermarkReachesThem) {
  LogWorld world(21, {});
  io::AbortSource abort;
  std::optional<io::WaitOutcome> outcome;
  const MonotonicTime deadline = world.node.world.now() + std::chrono::seconds(5);
  const auto wait = [](PartitionLog& log, Offset offset, MonotonicTime until, io::AbortSource& source,
                       std::optional<io::WaitOutcome>& out) -> io::Task<> {
    out = co_await log.wait_high_watermark(offset, until, source);
  };
  world.node.world.start(*world.node.reactor, wait(world.log(), Offset(4), deadline, abort, outcome));
  world.append_synced({.records = 3});
  world.node.world.run_for(std::chrono::milliseconds(1));
  EXPECT_EQ(outcome, std::nullopt);
  world.append_synced({.records = 3});
  world.node.world.run_for(std::chrono::milliseconds(1));
  EXPECT_EQ(outcome, io::WaitOutcome::kWoken);
  outcome.reset();
  world.node.world.start(*world.node.reactor, wait(world.log(), Offset(7), deadline, abort, outcome));
  world.node.world.run_for(std::chrono::seconds(6));
  EXPECT_EQ(outcome, io::WaitOutcome::kTimedOut);
}

TEST(PartitionLog, MissingAndDamagedIndexesAreRebuilt) {
  LogSettings settings;
  settings.segment_bytes = 60'000;
  LogWorld world(22, settings);
  for (int i = 0; i < 100; ++i) world.append({.records = 2, .value_bytes = 800, .timestamp = 1000 + i * 10}).value();
  world.append_synced({});
  world.settle();
  std::vector<std::vector<std::byte>> batches;
  const auto read_all = [&] {
    std::vector<std::byte> bytes;
    for (Offset at(0); at < world.log().log_end();) {
      const auto [more, end] = world.read({.offset = at, .bytes_max = 5000});
      bytes.insert(bytes.end(), more.begin(), more.end());
      if (end <= at) return std::vector<std::byte>();
      at = end;
    }
    return bytes;
  };
  const auto before = read_all();
  const auto segments = world.log().files().segments();
  ASSERT_GE(segments.size(), 3u);
  const std::string first = world.path(segments[0].base, FileKind::kIndex);
  const std::string second = world.path(segments[1].base, FileKind::kTimeIndex);
  ASSERT_TRUE(world.node.disk().has(first) && world.node.disk().has(second));
  world.crash(CrashMode::kKill);
  world.node.disk().erase(first);
  world.node.disk().flip_bit(second, 40 * 8);
  EXPECT_EQ(read_all(), before);
  EXPECT_EQ(world.run(world.log().offset_for_time(WallTime{1500}, ReadLimit::kHighWatermark)).value()->offset, Offset(100));
  EXPECT_EQ(world.counters().indexes_rebuilt, 2u);
  world.restart();
  EXPECT_EQ(read_all(), before);
  EXPECT_EQ(world.counters().indexes_rebuilt, 0u);
}

TEST(PartitionLog, RestingGivesMemoryBackAndForgetsNothing) {
  LogWorld world(23, {});
  for (int i = 0; i < 200; ++i) world.append({.records = 2, .value_bytes = 3000, .timestamp = 1000 + i * 10}).value();
  world.append_synced({});
  world.settle();
  EXPECT_GT(world.log().index_bytes_resident(), 4000u);
  world.run(world.log().rest());
  EXPECT_EQ(world.log().index_bytes_resident(), 0u);
  EXPECT_EQ(world.read({.offset = Offset(201), .bytes_max = 1}).second, Offset(202));
  world.append_synced({});
  EXPECT_EQ(world.read({.offset = Offset(401), .bytes_max = 1}).second, Offset(402));
  EXPECT_EQ(world.run(world.log().offset_for_time(WallTime{2000}, ReadLimit::kHighWatermark)).value()->offset, Offset(200));
}

TEST(PartitionLog, ExpiresProducers) {
  LogSettings settings;
  settings.producer_expiry_ms = 60'000;
  LogWorld world(24, settings);
  world.append_synced({.producer = 1, .sequence = 0});
  world.node.world.run_for(std::chrono::seconds(50));
  world.append_synced({.producer = 2, .sequence = 0});
  world.node.world.run_for(std::chrono::seconds(20));
  EXPECT_EQ(world.log().expire_producers(world.node.reactor->wall_now()), 1u);
  EXPECT_TRUE(world.append({.producer = 2, .sequence = 0}).value().is_duplicate);
  EXPECT_FALSE(world.append({.producer = 1, .sequence = 0}).value().is_duplicate);
}

}  // namespace
}  // namespace pyralog::storage
