#include "io/virtual_disk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "io/virtual_world.h"

namespace pyralog::io {
namespace {

constexpr NodeId kNode{1};

std::string text(const std::vector<std::byte>& bytes) { return std::string(as_text(bytes)); }

/// One node with a disk, and blocking-style access to it.
class VirtualDiskTest : public ::testing::Test {
 protected:
  explicit VirtualDiskTest(std::uint64_t seed = 1) : world(seed) { boot(); }

  void boot() { reactor = &world.add_reactor(kNode, ShardId(0)); }
  void crash(CrashMode mode) {
    world.crash(kNode, mode);
    boot();
  }
  VirtualDisk& disk() { return world.disk(kNode); }

  std::unique_ptr<File> open(const std::string& path, Existence existence = Existence::kMayCreate,
                             Caching caching = Caching::kCached) {
    const OpenOptions options{.existence = existence, .caching = caching};
    return std::move(world.run(*reactor, reactor->disk().open(path, options))).value();
  }
  void write(File& file, std::uint64_t position, std::string_view bytes) {
    const ByteView piece = as_bytes(bytes);
    ASSERT_TRUE(file.write_now(position, std::span(&piece, 1)).ok());
  }
  Result<> sync(File& file) { return world.run(*reactor, file.sync()); }
  Result<> sync_directory(const std::string& path) { return world.run(*reactor, reactor->disk().sync_directory(path)); }
  std::string read(File& file, std::uint64_t position, std::size_t bytes) {
    alignas(4096) static std::byte buffer[8192];
    const std::size_t got = world.run(*reactor, file.read(position, std::span(buffer, bytes))).value();
    return std::string(as_text(std::span(buffer, got)));
  }
  bool exists(const std::string& path) { return disk().has(path); }

  VirtualWorld world;
  VirtualReactor* reactor = nullptr;
};

TEST_F(VirtualDiskTest, ReadsWhatWasWritten) {
  auto file = open("a");
  write(*file, 0, "hello");
  write(*file, 3, "p!");
  EXPECT_EQ(read(*file, 0, 100), "help!");
  EXPECT_EQ(read(*file, 5, 100), "");
  write(*file, 8, "x");
  EXPECT_EQ(read(*file, 4, 100), std::string("!\0\0\0x", 5));
  EXPECT_EQ(file->size().value(), 9u);
}

TEST_F(VirtualDiskTest, AKillKeepsThePageCache) {
  auto file = open("a");
  write(*file, 0, "unsynced");
  file.reset();
  crash(CrashMode::kKill);
  EXPECT_EQ(text(disk().contents("a")), "unsynced");
  EXPECT_EQ(text(disk().device_contents("a")), "");
}

TEST_F(VirtualDiskTest, WhatWasSyncedSurvivesEveryPowerLoss) {
  for (int round = 0; round < 200; ++round) {
    auto file = open("dir-less");
    const std::string bytes(3000, static_cast<char>('a' + round % 26));
    write(*file, 0, bytes);
    ASSERT_TRUE(sync(*file).ok());
    ASSERT_TRUE(sync_directory("").ok());
    file.reset();
    crash(CrashMode::kPowerLossDestroyingBlocks);
    ASSERT_EQ(text(disk().contents("dir-less")), bytes);
  }
}

TEST_F(VirtualDiskTest, UnsyncedSectorsGoAllWays) {
  const std::string old_bytes(512 * 8, 'o'), new_bytes(512 * 8, 'n');
  bool kept = false, lost = false, zeroed = false, garbled = false, mixed = false;
  for (int round = 0; round < 200; ++round) {
    disk().overwrite("f", 0, as_bytes(old_bytes));
    auto file = open("f");
    write(*file, 0, new_bytes);
    file.reset();
    crash(CrashMode::kPowerLoss);
    const std::string after = text(disk().contents("f"));
    ASSERT_EQ(after.size(), old_bytes.size());
    mixed |= after != old_bytes && after != new_bytes;
    for (std::size_t at = 0; at < after.size(); at += 512) {
      const std::string sector = after.substr(at, 512);
      if (sector == std::string(512, 'n')) {
        kept = true;
      } else if (sector == std::string(512, 'o')) {
        lost = true;
      } else if (sector == std::string(512, '\0')) {
        zeroed = true;
      } else {
        garbled = true;
      }
    }
  }
  EXPECT_TRUE(kept && lost && zeroed && garbled && mixed);
}

TEST_F(VirtualDiskTest, APowerLossLeavesUntouchedSectorsAndDestroysTouchedBlocks) {
  const std::string synced(512 * 16, 's');
  bool block_mates_lost = false;
  for (int round = 0; round < 100; ++round) {
    disk().overwrite("f", 0, as_bytes(synced));
    auto file = open("f");
    write(*file, 600, "touch");  // sector 1 of block 0
    file.reset();
    const bool blocks = round % 2 == 1;
    crash(blocks ? CrashMode::kPowerLossDestroyingBlocks : CrashMode::kPowerLoss);
    const std::string after = text(disk().contents("f"));
    ASSERT_EQ(after.substr(4096), synced.substr(4096));
    const bool mates =
        after.substr(0, 512) == synced.substr(0, 512) && after.substr(1024, 3072) == synced.substr(1024, 3072);
    if (!blocks) ASSERT_TRUE(mates);
    block_mates_lost |= !mates;
  }
  EXPECT_TRUE(block_mates_lost);
}

TEST_F(VirtualDiskTest, NamesAreVolatileUntilTheirDirectoryIsSynced) {
  int created = 0, removed = 0, renamed = 0;
  for (int round = 0; round < 60; ++round) {
    disk().overwrite("d/old", 0, as_bytes("1"));
    disk().overwrite("d/gone", 0, as_bytes("2"));
    auto file = open("d/new");
    ASSERT_TRUE(sync(*file).ok());
    file.reset();
    ASSERT_TRUE(world.run(*reactor, reactor->disk().rename("d/old", "d/moved")).ok());
    ASSERT_TRUE(world.run(*reactor, reactor->disk().remove("d/gone")).ok());
    crash(CrashMode::kPowerLoss);
    created += exists("d/new");
    removed += !exists("d/gone");
    renamed += exists("d/moved");
    ASSERT_NE(exists("d/old"), exists("d/moved"));
    for (const std::string& path : disk().files()) disk().erase(path);
  }
  for (int count : {created, removed, renamed}) {
    EXPECT_GT(count, 0);
    EXPECT_LT(count, 60);
  }
}

TEST_F(VirtualDiskTest, SyncingADirectoryMakesItsNamesDurable) {
  for (int round = 0; round < 60; ++round) {
    disk().overwrite("d/old", 0, as_bytes("1"));
    disk().overwrite("d/gone", 0, as_bytes("2"));
    ASSERT_TRUE(world.run(*reactor, reactor->disk().rename("d/old", "d/moved")).ok());
    ASSERT_TRUE(world.run(*reactor, reactor->disk().remove("d/gone")).ok());
    ASSERT_TRUE(sync_directory("d").ok());
    crash(CrashMode::kPowerLoss);
    ASSERT_EQ(disk().files(), std::vector<std::string>{"d/moved"});
    disk().erase("d/moved");
  }
}

TEST_F(VirtualDiskTest, AFileIsLostWithAnUnsyncedDirectory) {
  bool lost = false;
  for (int round = 0; round < 30; ++round) {
    ASSERT_TRUE(world.run(*reactor, reactor->disk().make_directories("x/y")).ok());
    auto file = open("x/y/f");
    write(*file, 0, "data");
    ASSERT_TRUE(sync(*file).ok());
    ASSERT_TRUE(sync_directory("x/y").ok());
    file.reset();
    crash(CrashMode::kPowerLoss);
    lost |= !exists("x/y/f");
    if (exists("x/y/f")) disk().erase("x/y/f");
    if (exists("x/y")) disk().erase("x/y");
    if (exists("x")) disk().erase("x");
  }
  EXPECT_TRUE(lost);
}

TEST_F(VirtualDiskTest, ASyncCoversOnlyWritesCompletedBeforeItsCall) {
  bool lost = false;
  for (int round = 0; round < 50; ++round) {
    disk().overwrite("f", 0, as_bytes(std::string(1024, '-')));
    auto file = open("f");
    write(*file, 0, std::string(512, '1'));
    const auto task = [](File& f, bool* synced) -> Task<> {
      *synced = (co_await f.sync()).ok();
    };
    bool synced = false;
    world.start(*reactor, task(*file, &synced));
    world.step();  // the turn that calls sync
    write(*file, 512, std::string(512, '2'));
    (void)world.run_until([&] { return synced; }, MonotonicTime::max());
    file.reset();
    crash(CrashMode::kPowerLoss);
    const std::string after = text(disk().contents("f"));
    ASSERT_EQ(after.substr(0, 512), std::string(512, '1'));
    lost |= after.substr(512) != std::string(512, '2');
  }
  EXPECT_TRUE(lost);
}

TEST_F(VirtualDiskTest, AFailedSyncReportsOnceAndLeavesACleanLookingCache) {
  bool device_differs = false;
  for (int round = 0; round < 50; ++round) {
    disk().overwrite("f", 0, as_bytes(std::string(4096, '-')));
    auto file = open("f");
    write(*file, 0, std::string(4096, '1'));
    disk().fail_next_sync("f");
    EXPECT_EQ(sync(*file).error(), ErrorCode::kIo);
    EXPECT_TRUE(sync(*file).ok());
    EXPECT_EQ(read(*file, 0, 4096), std::string(4096, '1'));
    file.reset();
    crash(CrashMode::kKill);
    auto cached = open("f");
    auto direct = open("f", Existence::kMustExist, Caching::kDirect);
    EXPECT_TRUE(sync(*cached).ok());
    EXPECT_EQ(read(*cached, 0, 4096), std::string(4096, '1'));
    device_differs |= read(*direct, 0, 4096) != std::string(4096, '1');
  }
  EXPECT_TRUE(device_differs);
  EXPECT_EQ(disk().faults().syncs_failed, 50u);
}

TEST_F(VirtualDiskTest, DirectReadsSeeUnsyncedWritesThatNothingLost) {
  auto file = open("f");
  write(*file, 0, std::string(1000, 'x'));
  ASSERT_TRUE(sync(*file).ok());
  write(*file, 500, std::string(700, 'y'));
  ASSERT_TRUE(world.run(*reactor, file->truncate(1100)).ok());
  auto direct = open("f", Existence::kMustExist, Caching::kDirect);
  EXPECT_TRUE(direct->is_direct());
  EXPECT_EQ(read(*direct, 0, 4096), std::string(500, 'x') + std::string(600, 'y'));
  alignas(4096) std::byte buffer[512];
  EXPECT_EQ(direct->read_now(1, buffer).error(), ErrorCode::kInvalidArgument);
}

TEST_F(VirtualDiskTest, ReportsPlannedErrorsOnce) {
  disk().overwrite("f", 0, as_bytes("abc"));
  auto file = open("f");
  disk().fail_next_read("f");
  std::byte buffer[3];
  EXPECT_EQ(file->read_now(0, buffer).error(), ErrorCode::kIo);
  EXPECT_TRUE(file->read_now(0, buffer).ok());
  disk().fail_next_write("");
  const ByteView piece = as_bytes("xyz");
  EXPECT_EQ(file->write_now(0, std::span(&piece, 1)).error(), ErrorCode::kIo);
  EXPECT_TRUE(file->write_now(0, std::span(&piece, 1)).ok());
}

TEST_F(VirtualDiskTest, MakingARangeResidentTakesTimeAndMayFail) {
  disk().overwrite("f", 0, as_bytes("abc"));
  auto file = open("f");
  const MonotonicTime before = world.now();
  EXPECT_TRUE(world.run(*reactor, file->make_resident(0, 3)).ok());
  EXPECT_GE(world.now() - before, disk().options().read.min);
  disk().fail_next_read("f");
  EXPECT_EQ(world.run(*reactor, file->make_resident(0, 3)).error(), ErrorCode::kIo);
}

TEST_F(VirtualDiskTest, FlipsBitsForGood) {
  disk().overwrite("f", 0, as_bytes("abc"));
  disk().flip_bit("f", 8);
  EXPECT_EQ(text(disk().contents("f")), "acc");
  crash(CrashMode::kPowerLoss);
  EXPECT_EQ(text(disk().contents("f")), "acc");
}

TEST_F(VirtualDiskTest, AMisdirectedWriteShowsAfterTheCacheIsGone) {
  disk().overwrite("f", 0, as_bytes(std::string(2048, '-')));
  auto file = open("f");
  disk().misdirect_next_write("f", 1024);
  write(*file, 0, std::string(512, 'w'));
  ASSERT_TRUE(sync(*file).ok());
  EXPECT_EQ(read(*file, 0, 512), std::string(512, 'w'));
  file.reset();
  crash(CrashMode::kPowerLoss);
  EXPECT_EQ(text(disk().contents("f")), std::string(1024, '-') + std::string(512, 'w') + std::string(512, '-'));
}

TEST_F(VirtualDiskTest, AFullDiskRefusesGrowthOnly) {
  disk().options().capacity_bytes = 8192;
  auto file = open("f");
  write(*file, 0, std::string(8192, 'x'));
  const ByteView piece = as_bytes("y");
  EXPECT_EQ(file->write_now(8192, std::span(&piece, 1)).error(), ErrorCode::kNoSpace);
  EXPECT_TRUE(file->write_now(0, std::span(&piece, 1)).ok());
  EXPECT_EQ(world.run(*reactor, reactor->disk().space("")).value().free_bytes, 0u);
  file.reset();
  ASSERT_TRUE(world.run(*reactor, reactor->disk().remove("f")).ok());
  EXPECT_EQ(world.run(*reactor, reactor->disk().space("")).value().free_bytes, 8192u);
}

TEST_F(VirtualDiskTest, LocksEndWithTheProcess) {
  ASSERT_TRUE(world.run(*reactor, reactor->disk().make_directories("data")).ok());
  auto lock = world.run(*reactor, reactor->disk().lock_directory("data"));
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(world.run(*reactor, reactor->disk().lock_directory("data/")).error(), ErrorCode::kLocked);
  crash(CrashMode::kKill);
  auto next = world.run(*reactor, reactor->disk().lock_directory("data"));
  EXPECT_TRUE(next.ok());
  lock = ErrorCode::kClosed;  // the dead owner's release changes nothing
  EXPECT_EQ(world.run(*reactor, reactor->disk().lock_directory("data")).error(), ErrorCode::kLocked);
}

Task<> append_rounds(std::unique_ptr<File> file, std::vector<int>* acknowledged) {
  for (int round = 0; round < 5; ++round) {
    const std::string bytes(64, static_cast<char>('0' + round));
    std::vector<ByteView> pieces{as_bytes(bytes)};
    const std::uint64_t position = static_cast<std::uint64_t>(round) * 64;
    if (!(co_await file->write_and_sync(position, std::move(pieces))).ok()) co_return;
    acknowledged->push_back(round);
  }
}

TEST(VirtualDiskCrashPoints, EveryStepOfAWorkloadCanBeTheLast) {
  std::uint64_t steps = 0;
  int most = 0;
  for (std::uint64_t step = 0; step <= steps; ++step) {
    VirtualWorld world(5);
    VirtualDisk& disk = world.disk(kNode);
    disk.options().sector_bytes = 8;
    disk.options().block_bytes = 64;
    disk.overwrite("f", 0, as_bytes(std::string(5 * 64, '-')));
    VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
    const OpenOptions options;
    auto file = world.run(reactor, reactor.disk().open("f", options)).value();
    if (step > 0) disk.crash_at_step(disk.steps() + step, CrashMode::kPowerLossDestroyingBlocks);
    const std::uint64_t before = disk.steps();
    std::vector<int> acknowledged;
    EXPECT_EQ(world.try_run(reactor, append_rounds(std::move(file), &acknowledged)), step == 0);
    if (step == 0) steps = disk.steps() - before;
    most = std::max(most, static_cast<int>(acknowledged.size()));
    const std::string after = text(disk.contents("f"));
    for (int round : acknowledged) {
      ASSERT_EQ(after.substr(static_cast<std::size_t>(round) * 64, 64), std::string(64, static_cast<char>('0' + round)))
          << "lost at step " << step;
    }
  }
  EXPECT_EQ(steps, 5 * 4u);  // a write and a sync each start and end
  EXPECT_EQ(most, 5);
}

Task<Result<>> replace_file(Disk* disk, std::string bytes) {
  const OpenOptions fresh{.existence = Existence::kMustCreate};
  PYRALOG_CO_ASSIGN(std::unique_ptr<File> file, co_await disk->open("d/f.new", fresh));
  std::vector<ByteView> pieces{as_bytes(bytes)};
  PYRALOG_CO_TRY(co_await file->write_and_sync(0, std::move(pieces)));
  PYRALOG_CO_TRY(co_await disk->rename("d/f.new", "d/f"));
  co_return co_await disk->sync_directory("d");
}

TEST(VirtualDiskCrashPoints, AReplacedFileIsTheOldOrTheNewOne) {
  const std::string old_bytes(2000, 'o'), new_bytes(3000, 'n');
  std::uint64_t steps = 0;
  int olds = 0, news = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (std::uint64_t step = 0; step <= steps; ++step) {
      VirtualWorld world(seed);
      VirtualDisk& disk = world.disk(kNode);
      disk.overwrite("d/f", 0, as_bytes(old_bytes));
      VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
      if (step > 0) disk.crash_at_step(step, CrashMode::kPowerLossDestroyingBlocks);
      const auto done = world.try_run(reactor, replace_file(&reactor.disk(), new_bytes));
      if (step == 0) steps = disk.steps();
      if (done.has_value()) {
        ASSERT_TRUE(done->ok());
        world.crash(kNode, CrashMode::kPowerLoss);
      }
      ASSERT_TRUE(disk.has("d/f"));
      const std::string after = text(disk.contents("d/f"));
      ASSERT_TRUE(after == old_bytes || after == new_bytes) << "seed " << seed << " step " << step;
      if (done.has_value()) ASSERT_EQ(after, new_bytes);
      ++(after == old_bytes ? olds : news);
    }
  }
  EXPECT_EQ(steps, 10u);
  EXPECT_GT(olds, 0);
  EXPECT_GT(news, 20);
}

TEST_F(VirtualDiskTest, AFailedDirectorySyncMayLoseNamesThatStillShow) {
  bool lost = false;
  for (int round = 0; round < 30; ++round) {
    open("a").reset();
    disk().fail_next_sync("");
    EXPECT_EQ(sync_directory("").error(), ErrorCode::kIo);
    EXPECT_TRUE(exists("a"));
    crash(CrashMode::kKill);
    EXPECT_TRUE(exists("a"));
    const bool tries_again = round % 2 == 0;
    if (tries_again) EXPECT_TRUE(sync_directory("").ok());
    crash(CrashMode::kPowerLoss);
    if (tries_again) EXPECT_TRUE(exists("a"));
    lost |= !exists("a");
    if (exists("a")) disk().erase("a");
  }
  EXPECT_TRUE(lost);
}

TEST_F(VirtualDiskTest, AnUnsyncedTruncationMayBeUndone) {
  int undone = 0;
  const std::string bytes = std::string(600, 'a') + std::string(600, 'b');
  for (int round = 0; round < 40; ++round) {
    disk().overwrite("f", 0, as_bytes(bytes));
    auto file = open("f");
    ASSERT_TRUE(world.run(*reactor, file->truncate(600)).ok());
    EXPECT_EQ(read(*file, 0, 2000), bytes.substr(0, 600));
    const bool synced = round % 2 == 0;
    if (synced) ASSERT_TRUE(sync(*file).ok());
    file.reset();
    crash(CrashMode::kPowerLoss);
    const std::string after = text(disk().contents("f"));
    ASSERT_TRUE(after == bytes.substr(0, 600) || (!synced && after == bytes));
    undone += after == bytes;
  }
  EXPECT_GT(undone, 0);
  EXPECT_LT(undone, 20);
}

TEST_F(VirtualDiskTest, FillingWithZerosIsDurableAndTakesNoMemoryToSpeakOf) {
  auto file = open("journal");
  constexpr std::uint64_t kBytes = std::uint64_t{4} << 30;
  ASSERT_TRUE(world.run(*reactor, file->fill_with_zeros(kBytes)).ok());
  write(*file, kBytes - 10, "end");
  ASSERT_TRUE(sync(*file).ok());
  ASSERT_TRUE(sync_directory("").ok());
  file.reset();
  crash(CrashMode::kPowerLoss);
  file = open("journal", Existence::kMustExist);
  EXPECT_EQ(file->size().value(), kBytes);
  EXPECT_EQ(read(*file, kBytes - 12, 100), std::string("\0\0end\0\0\0\0\0\0\0", 12));
}

Task<> sync_again_and_again(File* file, int* synced) {
  for (int i = 0; i < 10; ++i) {
    if ((co_await file->sync()).ok()) ++*synced;
  }
}

TEST_F(VirtualDiskTest, OperationsOverlapAndSlowDisksAreSlow) {
  const auto at_least = std::chrono::milliseconds(100);
  disk().options().sync = LatencyRange{at_least, at_least};
  auto a = open("a"), b = open("b");
  int synced = 0;
  const MonotonicTime before = world.now();
  world.start(*reactor, sync_again_and_again(a.get(), &synced));
  world.start(*reactor, sync_again_and_again(b.get(), &synced));
  world.run_until_idle();
  EXPECT_EQ(synced, 20);
  EXPECT_GE(world.now() - before, 10 * at_least);
  EXPECT_LT(world.now() - before, 11 * at_least);
  EXPECT_EQ(reactor->counters().disk.sync_latency.count(), 20u);
}

TEST_F(VirtualDiskTest, NamesBehaveAsOnAPosixFileSystem) {
  Disk& names = reactor->disk();
  ASSERT_TRUE(world.run(*reactor, names.make_directories("/a//b/./c")).ok());
  ASSERT_TRUE(world.run(*reactor, names.make_directories("a/b/c")).ok());
  disk().overwrite("a/b/f", 0, as_bytes("12345"));
  const auto entries = world.run(*reactor, names.list("a/b")).value();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, "c");
  EXPECT_TRUE(entries[0].is_directory);
  EXPECT_EQ(entries[1].size, 5u);
  EXPECT_EQ(world.run(*reactor, names.remove("a/b/g")).error(), ErrorCode::kNotFound);
  EXPECT_EQ(world.run(*reactor, names.remove("a/b/c")).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(world.run(*reactor, names.remove_directory("a/b")).error(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(world.run(*reactor, names.remove_directory("a/b/c")).ok());
  const OpenOptions must_exist, must_create{.existence = Existence::kMustCreate};
  EXPECT_EQ(world.run(*reactor, names.open("a/b/g", must_exist)).error(), ErrorCode::kNotFound);
  EXPECT_EQ(world.run(*reactor, names.open("a/b/f", must_create)).error(), ErrorCode::kAlreadyExists);
  auto file = open("a/b/f", Existence::kMustExist);
  ASSERT_TRUE(world.run(*reactor, names.remove("a/b/f")).ok());
  EXPECT_EQ(read(*file, 0, 10), "12345") << "open files outlive their names";
  EXPECT_FALSE(world.run(*reactor, names.exists("a/b/f")).value());
}

TEST_F(VirtualDiskTest, ACrashCanComeBetweenAWriteAndItsSync) {
  auto file = open("f");
  write(*file, 0, "before");
  disk().crash_after_write("/f", CrashMode::kKill);
  const ByteView piece = as_bytes("middle");
  EXPECT_TRUE(file->write_now(0, std::span(&piece, 1)).ok());
  EXPECT_FALSE(reactor->alive());
  EXPECT_EQ(text(disk().contents("f")), "middle");
  EXPECT_EQ(text(disk().device_contents("f")), "");
  file.reset();
  reactor = &world.add_reactor(kNode, ShardId(0));
  file = open("f");
  write(*file, 0, "behind");
  EXPECT_TRUE(reactor->alive());
}

TEST_F(VirtualDiskTest, SnapshotsBringBackAMoment) {
  auto file = open("f");
  write(*file, 0, "one");
  file.reset();
  const VirtualDiskSnapshot moment = disk().snapshot();
  file = open("f");
  write(*file, 0, "two");
  file.reset();
  crash(CrashMode::kKill);
  world.crash(kNode, CrashMode::kKill);
  disk().restore(moment);
  EXPECT_EQ(text(disk().contents("f")), "one");
  EXPECT_TRUE(disk().durable_files().empty());
}

std::uint64_t noisy_run(std::uint64_t seed, std::string* contents) {
  VirtualWorld world(seed);
  VirtualDisk& disk = world.disk(kNode);
  for (int life = 0; life < 3; ++life) {
    VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
    disk.crash_at_step(disk.steps() + 7, CrashMode::kPowerLoss);
    const OpenOptions options{.existence = Existence::kMayCreate};
    auto file = world.try_run(reactor, reactor.disk().open("f", options));
    std::vector<int> acknowledged;
    if (file.has_value()) (void)world.try_run(reactor, append_rounds(std::move(**file), &acknowledged));
    if (reactor.alive()) world.crash(kNode, CrashMode::kKill);
  }
  if (disk.has("f")) *contents = text(disk.contents("f"));
  return world.trace_hash();
}

TEST(VirtualDisk, RepeatsItselfUnderOneSeedOnly) {
  std::string first, again, other;
  EXPECT_EQ(noisy_run(11, &first), noisy_run(11, &again));
  EXPECT_EQ(first, again);
  EXPECT_NE(noisy_run(11, &first), noisy_run(12, &other));
}

Task<ShardId> make_resident_here(File& file) {
  EXPECT_TRUE((co_await file.make_resident(0, 1)).ok());
  co_return Reactor::current().shard();
}

TEST(VirtualDiskFiles, AreMadeResidentOnTheShardThatSendsThem) {
  VirtualWorld world(5);
  VirtualReactor& owner = world.add_reactor(NodeId(1), ShardId(0));
  VirtualReactor& sender = world.add_reactor(NodeId(1), ShardId(1));
  auto file = std::move(world.run(owner, owner.disk().open("f", {.existence = Existence::kMayCreate}))).value();
  EXPECT_EQ(world.run(sender, make_resident_here(*file)), ShardId(1));
}

}  // namespace
}  // namespace pyralog::io
