#include "storage/file_cache.h"

#include <gtest/gtest.h>

#include "io/virtual_world.h"

namespace pyralog::storage {
namespace {

class FileCacheTest : public testing::Test {
 protected:
  static FileKey key(int number) { return {Incarnation(1), Offset(number), FileKind::kLog}; }
  static std::string path(int number) { return file_path("p", Offset(number), FileKind::kLog); }

  Result<SharedFile> open(int number, io::Existence existence = io::Existence::kMayCreate) {
    return world_.run(reactor_, cache_.open(key(number), path(number), existence));
  }
  void SetUp() override {
    for (int i = 0; i < 8; ++i) world_.disk(NodeId(1)).overwrite(path(i), 0, as_bytes("x"));
  }

  io::VirtualWorld world_{1};
  io::VirtualReactor& reactor_ = world_.add_reactor(NodeId(1), ShardId(0));
  FileCache cache_{3};
};

TEST(FileNames, HaveTwentyDigits) {
  EXPECT_EQ(file_path("logs/a~b/0", Offset(42), FileKind::kLog), "logs/a~b/0/00000000000000000042.log");
  EXPECT_EQ(file_path("d", Offset(INT64_MAX), FileKind::kTimeIndex), "d/09223372036854775807.timeindex");
  EXPECT_EQ(parse_file_name("00000000000000000042.index"), (FileName{Offset(42), FileKind::kIndex}));
  EXPECT_EQ(parse_file_name("00000000000000000042.snapshot"), (FileName{Offset(42), FileKind::kSnapshot}));
}

TEST(FileNames, OthersAreNotOurs) {
  for (const char* name : {"", "42.log", "00000000000000000042", "00000000000000000042.lo", "00000000000000000042.logs",
                           "0000000000000000004x.log", "-0000000000000000042.log", "99999999999999999999.log"}) {
    EXPECT_EQ(parse_file_name(name), std::nullopt) << name;
  }
}

TEST_F(FileCacheTest, OpensOnce) {
  const SharedFile first = open(0).value();
  EXPECT_EQ(open(0).value(), first);
  EXPECT_EQ(cache_.find(key(0)), first);
  EXPECT_EQ(cache_.opened_count(), 1u);
}

TEST_F(FileCacheTest, ClosesTheLongestUnused) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(open(i).ok());
  EXPECT_NE(cache_.find(key(0)), nullptr);  // now 1 is the oldest
  ASSERT_TRUE(open(3).ok());
  EXPECT_EQ(cache_.size(), 3u);
  EXPECT_EQ(cache_.find(key(1)), nullptr);
  EXPECT_NE(cache_.find(key(0)), nullptr);
}

TEST_F(FileCacheTest, KeepsFilesInUseBeyondTheBound) {
  std::vector<SharedFile> held;
  for (int i = 0; i < 5; ++i) held.push_back(open(i).value());
  EXPECT_EQ(cache_.size(), 5u);
  held.clear();
  ASSERT_TRUE(open(5).ok());
  EXPECT_EQ(cache_.size(), 3u);
}

TEST_F(FileCacheTest, AForgottenFileIsOpenedAnew) {
  const SharedFile old = open(0).value();
  cache_.forget(key(0));
  EXPECT_EQ(cache_.find(key(0)), nullptr);
  EXPECT_NE(open(0).value(), old);
  cache_.forget_partition(Incarnation(1));
  EXPECT_EQ(cache_.size(), 0u);
}

TEST_F(FileCacheTest, AMissingFileIsAnError) {
  EXPECT_EQ(open(77, io::Existence::kMustExist).error(), ErrorCode::kNotFound);
  EXPECT_EQ(cache_.size(), 0u);
}

TEST_F(FileCacheTest, AnOpenUnderWayWhenItsFileIsForgottenIsNotKept) {
  SharedFile opened;
  world_.start(reactor_, [](FileCache& cache, SharedFile& out) -> io::Task<> {
    out = (co_await cache.open(key(0), path(0))).value();
  }(cache_, opened));
  world_.after(std::chrono::microseconds(3), [this] { cache_.forget(key(0)); });  // opening takes longer
  world_.run_until_idle();
  EXPECT_NE(opened, nullptr);
  EXPECT_EQ(cache_.find(key(0)), nullptr);
}

TEST(FileCache, SharesAQuarterOfTheProcesssDescriptors) {
  EXPECT_EQ(FileCache::descriptors_max_for(20'000, 2), 2048u);
  EXPECT_EQ(FileCache::descriptors_max_for(1024, 2), 128u);
  EXPECT_EQ(FileCache::descriptors_max_for(0, 4), 1u);
}

}  // namespace
}  // namespace pyralog::storage
