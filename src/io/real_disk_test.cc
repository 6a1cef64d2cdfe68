#include "io/real_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>

#include "core/random.h"
#include "core/slice.h"
#include "io/io_ring.h"
#include "io/page_cache.h"
#include "io/real_file.h"
#include "io/real_test_support.h"
#include "io/sync.h"
#include "io/task_scope.h"

namespace pyralog::io {
namespace {

using testing::OneShard;
using testing::TemporaryDirectory;

struct Case {
  DiskBackend backend;
  Caching caching;
};

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  return std::string(info.param.backend == DiskBackend::kAuto ? "automatic" : "posix") +
         (info.param.caching == Caching::kDirect ? "_direct" : "_cached");
}

/// Every behaviour of files, with and without io_uring, through the page cache and past it.
class RealFileTest : public ::testing::TestWithParam<Case> {
 protected:
  OpenOptions create() const { return {.existence = Existence::kMustCreate, .caching = GetParam().caching}; }

  TemporaryDirectory directory_;
  OneShard shard_{GetParam().backend};
};

// Where the system forbids io_uring, what kAuto gives is the second backend once more, and the tests say so.
std::vector<Case> cases() {
  OneShard probe;
  if (probe.reactor->ring() == nullptr) std::fprintf(stderr, "no ring: %s\n", probe.reactor->ring_refusal().c_str());
  return {{DiskBackend::kAuto, Caching::kCached},
          {DiskBackend::kAuto, Caching::kDirect},
          {DiskBackend::kPosix, Caching::kCached},
          {DiskBackend::kPosix, Caching::kDirect}};
}
INSTANTIATE_TEST_SUITE_P(Backends, RealFileTest, ::testing::ValuesIn(cases()), case_name);

/// An aligned block of reproducible bytes.
Slice noise(std::size_t bytes, std::uint64_t seed) {
  Slice slice = Slice::allocate(bytes);
  Random random(seed);
  for (std::byte& byte : slice.mutable_view()) byte = static_cast<std::byte>(random.next());
  return slice;
}

bool same(ByteView a, ByteView b) { return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin()); }

Task<std::unique_ptr<File>> open_file(std::string path, OpenOptions options) {
  auto file = co_await Reactor::current().disk().open(path, options);
  EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().to_string());
  co_return file.ok() ? std::move(*file) : nullptr;
}

Task<bool> write_and_read_back(std::string path, OpenOptions options, std::size_t pieces_count, std::size_t piece_bytes) {
  auto file = co_await open_file(path, options);
  const Slice data = noise(pieces_count * piece_bytes, 11);
  std::vector<ByteView> pieces;
  for (std::size_t i = 0; i < pieces_count; ++i) {
    pieces.push_back(data.view().subspan(i * piece_bytes, piece_bytes));
    pieces.push_back({});  // an empty piece is nothing
  }
  auto written = co_await file->write_and_sync(4096, std::move(pieces));
  EXPECT_TRUE(written.ok()) << (written.ok() ? "" : written.error().to_string());
  EXPECT_EQ(file->size().value(), 4096 + data.size());
  Slice back = Slice::allocate(data.size());
  EXPECT_EQ((co_await file->read(4096, back.mutable_view())).value(), data.size());
  EXPECT_TRUE(same(back.view().first(data.size()), data.view()));
  std::fill(back.mutable_view().begin(), back.mutable_view().end(), std::byte{1});
  EXPECT_EQ(file->read_now(4096, back.mutable_view()).value(), data.size());
  EXPECT_TRUE(same(back.view().first(data.size()), data.view()));
  co_return true;
}

TEST_P(RealFileTest, WritesSyncsAndReadsBack) {
  EXPECT_TRUE(shard_.run(write_and_read_back(directory_.file("small"), create(), 1, 512)));
  EXPECT_TRUE(shard_.run(write_and_read_back(directory_.file("some"), create(), 20, 4096)));
  EXPECT_TRUE(shard_.run(write_and_read_back(directory_.file("large"), create(), 300, 16384)));
  const DiskCounters& disk = shard_.reactor->counters().disk;
  EXPECT_EQ(disk.bytes_written, 512u + 20 * 4096 + 300 * 16384);
  EXPECT_EQ(disk.bytes_read, 2 * disk.bytes_written);
  EXPECT_EQ(disk.sync_latency.count(), 3u);
  EXPECT_EQ(disk.sync_failures, 0u);
}

TEST_P(RealFileTest, WritesMorePiecesThanOneSystemCallTakes) {
  EXPECT_TRUE(shard_.run(write_and_read_back(directory_.file("many"), create(), 3000, 512)));
}

Task<bool> read_ends(std::string path, OpenOptions options) {
  auto file = co_await open_file(path, options);
  const Slice data = noise(8192, 2);
  std::vector<ByteView> pieces{data.view()};
  EXPECT_TRUE((co_await file->write_and_sync(0, std::move(pieces))).ok());
  Slice back = Slice::allocate(16384);
  EXPECT_EQ((co_await file->read(4096, back.mutable_view())).value(), 4096u);
  EXPECT_TRUE(same(back.view().first(4096), data.view().subspan(4096)));
  EXPECT_EQ((co_await file->read(8192, back.mutable_view())).value(), 0u);
  EXPECT_EQ((co_await file->read(1u << 20, back.mutable_view())).value(), 0u);
  EXPECT_TRUE((co_await file->truncate(512)).ok());
  EXPECT_EQ(file->size().value(), 512u);
  EXPECT_EQ((co_await file->read(0, back.mutable_view())).value(), 512u);
  co_return true;
}

TEST_P(RealFileTest, ReadsUpToTheEnd) { EXPECT_TRUE(shard_.run(read_ends(directory_.file("f"), create()))); }

Task<bool> grow_then_write(std::string path, OpenOptions options) {
  auto file = co_await open_file(path, options);
  const Slice data = noise(8192, 6);
  for (std::uint64_t i = 0; i < 3; ++i) {
    // A change that is not durable by itself, then one round that covers it and one that has nothing else to cover.
    EXPECT_TRUE((co_await file->truncate((i + 1) * 65536)).ok());
    for (std::uint64_t round = 0; round < 2; ++round) {
      std::vector<ByteView> pieces{data.view()};
      EXPECT_TRUE((co_await file->write_and_sync(i * 65536 + round * 8192, std::move(pieces))).ok());
    }
  }
  EXPECT_TRUE((co_await file->truncate(4 * 65536)).ok());
  EXPECT_TRUE((co_await file->write_and_sync(0, {})).ok());
  EXPECT_EQ(file->size().value(), 4 * 65536u);
  Slice back = Slice::allocate(8192);
  EXPECT_EQ((co_await file->read(2 * 65536 + 8192, back.mutable_view())).value(), 8192u);
  EXPECT_TRUE(same(back.view(), data.view()));
  co_return true;
}

TEST_P(RealFileTest, CoversEarlierChangesWithTheNextRound) {
  EXPECT_TRUE(shard_.run(grow_then_write(directory_.file("f"), create())));
}

Task<bool> zeros_then_rounds(std::string path, OpenOptions options) {
  auto file = co_await open_file(path, options);
  EXPECT_TRUE((co_await file->fill_with_zeros(3u << 20)).ok());
  EXPECT_EQ(file->size().value(), 3u << 20);
  for (std::uint64_t round = 0; round < 50; ++round) {
    const Slice data = noise(8192, round);
    std::vector<ByteView> pieces{data.view().first(4096), data.view().subspan(4096)};
    EXPECT_TRUE((co_await file->write_and_sync(round * 8192, std::move(pieces))).ok());
  }
  EXPECT_EQ(file->size().value(), 3u << 20);
  Slice back = Slice::allocate(8192);
  for (std::uint64_t round = 0; round < 60; ++round) {
    EXPECT_EQ((co_await file->read(round * 8192, back.mutable_view())).value(), 8192u);
    const Slice expected = noise(8192, round);
    if (round < 50) {
      EXPECT_TRUE(same(back.view(), expected.view()));
    } else {
      for (const std::byte byte : back.view()) EXPECT_EQ(byte, std::byte{0});
    }
  }
  co_return true;
}

TEST_P(RealFileTest, RewritesZeroedFilesRoundByRound) {
  EXPECT_TRUE(shard_.run(zeros_then_rounds(directory_.file("journal"), create())));
}

Task<> write_one(File& file, std::uint64_t index, int& good) {
  const Slice data = noise(4096, index);
  std::vector<ByteView> pieces{data.view()};
  const auto written = co_await file.write_and_sync(index * 4096, std::move(pieces));
  Slice back = Slice::allocate(4096);
  const auto got = co_await file.read(index * 4096, back.mutable_view());
  if (written.ok() && got.ok() && same(back.view(), data.view())) ++good;
}

Task<int> write_many_at_once(std::string path, OpenOptions options, std::uint64_t count) {
  auto file = co_await open_file(path, options);
  TaskScope scope;
  int good = 0;
  for (std::uint64_t i = 0; i < count; ++i) scope.spawn(write_one(*file, i, good));
  co_await scope.close();
  co_return good;
}

TEST_P(RealFileTest, TakesMoreOperationsThanTheRingHolds) {
  EXPECT_EQ(shard_.run(write_many_at_once(directory_.file("f"), create(), 700)), 700);
}

Task<ErrorCode> write_beyond_limit(std::string path, OpenOptions options) {
  auto file = co_await open_file(path, options);
  const Slice data = noise(1u << 20, 1);
  std::vector<ByteView> pieces{data.view()};
  const auto written = co_await file->write_and_sync(0, std::move(pieces));
  co_return written.ok() ? ErrorCode::kInvalidArgument : written.error().code();
}

// The limit cuts the write short at 64 KiB; the rest fails. It must come out as a failure, not as a short success.
TEST_P(RealFileTest, ReportsWhatFailsAfterAShortWrite) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{.rlim_cur = 64 << 10, .rlim_max = 64 << 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    OneShard shard{GetParam().backend};
    const ErrorCode code = shard.run(write_beyond_limit(directory_.file("f"), create()));
    std::_Exit(code == ErrorCode::kIo && shard.reactor->counters().disk.sync_failures == 1 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

Task<ErrorCode> write_to_full_device() {
  auto file = co_await open_file("/dev/full", {.existence = Existence::kMustExist});
  const Slice data = noise(4096, 1);
  const ByteView piece = data.view();
  const auto written = file->write_now(0, {&piece, 1});
  EXPECT_EQ(written.error().code(), ErrorCode::kNoSpace);
  std::vector<ByteView> pieces{piece};
  const auto synced = co_await file->write_and_sync(0, std::move(pieces));
  co_return synced.ok() ? ErrorCode::kInvalidArgument : synced.error().code();
}

TEST_P(RealFileTest, SaysWhenThereIsNoSpace) { EXPECT_EQ(shard_.run(write_to_full_device()), ErrorCode::kNoSpace); }

Task<bool> write_in_line(std::string path) {
  auto file = co_await open_file(path, {.existence = Existence::kMustCreate});
  const Slice data = noise(200'000, 4);
  std::vector<ByteView> pieces;
  Random random(1);
  for (std::size_t at = 0; at < data.size();) {
    const std::size_t step = std::min<std::size_t>(random.below(400), data.size() - at);
    pieces.push_back(data.view().subspan(at, step));
    at += step;
  }
  EXPECT_GT(pieces.size(), 600u);
  EXPECT_TRUE(file->write_now(7, pieces).ok());
  EXPECT_EQ(file->size().value(), 7 + data.size());
  Slice back = Slice::allocate(data.size());
  EXPECT_EQ(file->read_now(7, back.mutable_view().first(data.size())).value(), data.size());
  EXPECT_TRUE(same(back.view().first(data.size()), data.view()));
  EXPECT_TRUE((co_await file->sync()).ok());
  co_return true;
}

TEST_P(RealFileTest, WritesPiecesInLine) { EXPECT_TRUE(shard_.run(write_in_line(directory_.file("f")))); }

/// Fills a file, writes it out and asks the system to forget its pages.
Task<std::unique_ptr<File>> open_cold(std::string path, std::size_t bytes) {
  auto file = co_await open_file(path, {.existence = Existence::kMustCreate});
  EXPECT_TRUE((co_await file->fill_with_zeros(bytes)).ok());
  EXPECT_EQ(::posix_fadvise(file->descriptor(), 0, 0, POSIX_FADV_DONTNEED), 0);
  co_return file;
}

Task<bool> warm_up(std::string path) {
  constexpr std::size_t kBytes = (2u << 20) + 100;
  auto file = co_await open_cold(path, kBytes);
  // Some file systems (tmpfs) have nothing but the cache: then there is nothing to load, and nothing may be lost.
  const bool was_cold = !is_resident(file->descriptor(), 0, kBytes);
  EXPECT_TRUE((co_await file->make_resident(0, std::uint64_t{1} << 40)).ok());
  EXPECT_TRUE(is_resident(file->descriptor(), 0, kBytes));
  EXPECT_TRUE((co_await file->make_resident(kBytes, 10)).ok());
  if (was_cold) {
    EXPECT_EQ(::posix_fadvise(file->descriptor(), 0, 0, POSIX_FADV_DONTNEED), 0);
    EXPECT_FALSE(is_resident(file->descriptor(), 0, kBytes));
  }
  co_return was_cold;
}

TEST(RealDisk, BringsARangeIntoThePageCache) {
  TemporaryDirectory directory;
  OneShard shard;
  RecordProperty("was_cold", shard.run(warm_up(directory.file("f"))) ? "yes" : "no");
}

Task<bool> names(std::string root) {
  Disk& disk = Reactor::current().disk();
  const std::string deep = root + "/a/b/c";
  EXPECT_TRUE((co_await disk.make_directories(deep)).ok());
  EXPECT_TRUE((co_await disk.make_directories(deep)).ok());
  EXPECT_TRUE((co_await disk.exists(deep)).value());
  EXPECT_FALSE((co_await disk.exists(deep + "/f")).value());
  EXPECT_EQ((co_await disk.open(deep + "/f", {})).error().code(), ErrorCode::kNotFound);
  const OpenOptions create{.existence = Existence::kMustCreate};
  {
    auto file = co_await open_file(deep + "/f", create);
    const ByteView piece = as_bytes("12345");
    EXPECT_TRUE(file->write_now(0, {&piece, 1}).ok());
  }
  EXPECT_EQ((co_await disk.open(deep + "/f", create)).error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ((co_await disk.make_directories(deep + "/f/g")).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE((co_await disk.make_directories(deep + "/d")).ok());
  auto listed = (co_await disk.list(deep)).value();
  EXPECT_EQ(listed.size(), 2u);
  EXPECT_TRUE(listed[0].name == "d" && listed[0].is_directory);
  EXPECT_TRUE(listed[1].name == "f" && !listed[1].is_directory && listed[1].size == 5);
  EXPECT_TRUE((co_await disk.rename(deep + "/f", deep + "/g")).ok());
  EXPECT_EQ((co_await disk.rename(deep + "/f", deep + "/g")).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE((co_await disk.sync_directory(deep)).ok());
  EXPECT_EQ((co_await disk.remove_directory(deep)).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE((co_await disk.remove(deep + "/g")).ok());
  EXPECT_EQ((co_await disk.remove(deep + "/g")).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE((co_await disk.remove_directory(deep + "/d")).ok());
  EXPECT_TRUE((co_await disk.list(deep)).value().empty());
  EXPECT_EQ((co_await disk.list(root + "/none")).error().code(), ErrorCode::kNotFound);
  const DiskSpace space = (co_await disk.space(root)).value();
  EXPECT_GT(space.total_bytes, 0u);
  EXPECT_LE(space.free_bytes, space.total_bytes);
  co_return true;
}

TEST(RealDisk, HandlesNames) {
  TemporaryDirectory directory;
  OneShard shard;
  EXPECT_TRUE(shard.run(names(directory.path())));
}

Task<Result<std::unique_ptr<DirectoryLock>>> lock(std::string path) {
  co_return co_await Reactor::current().disk().lock_directory(path);
}

TEST(RealDisk, LocksADirectoryAndNamesTheHolder) {
  TemporaryDirectory directory;
  OneShard shard;
  auto held = shard.run(lock(directory.path()));
  ASSERT_TRUE(held.ok());
  auto refused = shard.run(lock(directory.path()));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kLocked);
  EXPECT_NE(refused.error().detail().find("process " + std::to_string(::getpid())), std::string::npos);
  held->reset();
  EXPECT_TRUE(shard.run(lock(directory.path())).ok());
}

TEST(RealDisk, LosesALockWithItsProcess) {
  TemporaryDirectory directory;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    OneShard shard;
    auto held = shard.run(lock(directory.path()));
    if (!held.ok() || ::write(ready[1], "r", 1) != 1) std::_Exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  OneShard shard;
  auto refused = shard.run(lock(directory.path()));
  EXPECT_FALSE(refused.ok());
  EXPECT_NE(refused.error().detail().find("process " + std::to_string(child)), std::string::npos);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(shard.run(lock(directory.path())).ok());
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace pyralog::io
