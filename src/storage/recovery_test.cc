#include "storage/recovery.h"

#include <gtest/gtest.h>

#include "storage/store_fixture.h"

namespace pyralog::storage {
namespace {

using fixture::StoreWorld;
using io::CrashMode;

StoreGeometry two_rounds_a_file() {
  StoreGeometry geometry;
  geometry.journal_file_bytes = 64u << 10;
  geometry.journal_bytes_max = 256u << 10;
  geometry.round_bytes_max = 32u << 10;
  geometry.clean_journal_bytes_min = 128u << 10;
  return geometry;
}

/// A store with rounds in several journal files, at rest, but not cleaned; the process is gone.
class RecoveryTest : public ::testing::Test {
 protected:
  explicit RecoveryTest(const StoreGeometry& geometry = two_rounds_a_file()) : node_(1, geometry) {
    node_.open();
    node_.create();
    fill(6);
  }

  void fill(int rounds) {
    for (int i = 0; i < rounds; ++i) node_.sync(node_.append(node_.partition(), 1, 14'000));
    rest();
  }

  void rest() {
    node_.world.run_for(std::chrono::milliseconds(300));
    end_ = node_.partition().log_end();
    node_.crash(CrashMode::kPowerLoss);
  }

  std::vector<std::string> journal_files() {
    std::vector<std::string> paths = node_.disk().files();
    std::erase_if(paths, [](const std::string& path) { return !path.ends_with(".journal"); });
    return paths;
  }
  std::vector<std::byte> first_blocks(const std::string& path) {
    auto bytes = node_.disk().contents(path);
    bytes.resize(2 * node_.options.geometry.block_bytes);
    return bytes;
  }
  /// Makes both headers of the file say what `change` makes of them, with a checksum that is right.
  void rewrite_header(const std::string& path, void (*change)(JournalFileHeader&)) {
    auto blocks = first_blocks(path);
    auto header = JournalFileHeader::decode(blocks).value();
    change(header);
    header.encode(blocks);
    header.encode(MutableBytes(blocks).subspan(node_.options.geometry.block_bytes));
    node_.disk().overwrite(path, 0, blocks);
  }
  /// The newest file that has rounds.
  std::string newest_file() {
    std::string newest;
    RoundSequence first;
    for (const std::string& path : journal_files()) {
      const auto header = JournalFileHeader::decode(first_blocks(path));
      if (header.ok() && header->first > first) newest = path, first = header->first;
    }
    return newest;
  }
  void expect_refused(ErrorCode code, const std::string& says) {
    const Result<> opened = node_.try_open();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error(), code);
    EXPECT_NE(opened.error().to_string().find(says), std::string::npos) << opened.error().to_string();
  }
  void expect_whole() {
    node_.open();
    EXPECT_EQ(node_.partition().log_end(), end_);
    node_.close();
  }

  StoreWorld node_;
  Offset end_;
};

TEST_F(RecoveryTest, NamesOfJournalFilesMeanNothing) {
  const auto paths = journal_files();
  ASSERT_GE(paths.size(), 3u);
  const auto first = node_.disk().contents(paths[0]), second = node_.disk().contents(paths[1]);
  node_.disk().overwrite(paths[0], 0, second);
  node_.disk().overwrite(paths[1], 0, first);
  expect_whole();
}

TEST_F(RecoveryTest, AnotherShardsJournalFileIsForeign) {
  rewrite_header(newest_file(), [](JournalFileHeader& header) { header.shard = ShardId(1); });
  expect_refused(ErrorCode::kForeign, newest_file());
}

TEST_F(RecoveryTest, AnotherDisksJournalFileIsForeign) {
  rewrite_header(newest_file(), [](JournalFileHeader& header) { header.disk.bytes[3] ^= 1; });
  expect_refused(ErrorCode::kForeign, newest_file());
}

StoreGeometry with_checkpoints_soon() {
  StoreGeometry geometry = two_rounds_a_file();
  geometry.checkpoint_delay_max = std::chrono::milliseconds(200);  // so that there is one when the store is at rest
  return geometry;
}

class CheckpointedRecoveryTest : public RecoveryTest {
 protected:
  CheckpointedRecoveryTest() : RecoveryTest(with_checkpoints_soon()) {}
};

TEST_F(CheckpointedRecoveryTest, AFileOfAnEarlierLapIsNotTakenForTheNewestRounds) {
  // The whole file as it was before it was used again, as after a lost write of every block of it.
  std::map<std::string, std::vector<std::byte>> earlier;
  for (const std::string& path : journal_files()) earlier[path] = node_.disk().contents(path);
  node_.open();
  // Until one of them has just been used again: when that is depends on when the cleaner lets go of the oldest.
  bool begun_again = false;
  for (int i = 0; i < 600 && !begun_again; ++i) {
    const std::string before = newest_file();
    node_.sync(node_.append(node_.partition(), 1, 14'000));
    begun_again = i >= 60 && newest_file() != before && earlier.contains(newest_file());
  }
  fill(1);
  const std::string newest = newest_file();
  ASSERT_TRUE(earlier.contains(newest));
  ASSERT_NE(earlier[newest], node_.disk().contents(newest));
  node_.disk().overwrite(newest, 0, earlier[newest]);
  expect_refused(ErrorCode::kCorrupt, "journal/0");
}

TEST_F(RecoveryTest, ARoundOfAnotherFileIsNoRoundHere) {
  // A misdirected write: whole blocks with a right checksum, in the wrong file.
  const std::string oldest = journal_files().front();
  const std::uint64_t begin = 2 * node_.options.geometry.block_bytes;
  const auto bytes = node_.disk().contents(newest_file());
  node_.disk().overwrite(oldest, begin, ByteView(bytes).subspan(begin));
  expect_refused(ErrorCode::kCorrupt, "journal/0: round");
}

TEST_F(RecoveryTest, AMissingJournalFileIsMissed) {
  node_.disk().erase(journal_files().front());
  expect_refused(ErrorCode::kCorrupt, "journal/0: round 1 is damaged");
}

TEST_F(RecoveryTest, TheNewestJournalFileIsMissed) {
  // The files before it hold all that the checkpoint knows of, and end as a torn tail does.
  const std::string newest = newest_file();
  const auto bytes = node_.disk().contents(newest);
  node_.disk().erase(newest);
  expect_refused(ErrorCode::kCorrupt, newest + " is missing, or damaged");
  node_.disk().overwrite(newest, 0, {});
  expect_refused(ErrorCode::kCorrupt, newest + " is missing, or damaged");
  node_.disk().overwrite(newest, 0, std::vector<std::byte>(bytes.size()));
  expect_refused(ErrorCode::kCorrupt, newest + " is missing, or damaged");
  node_.disk().overwrite(newest, 0, bytes);
  expect_whole();
}

TEST_F(RecoveryTest, AFileThatWasNeverTakenOverByAnotherIsNotAskedForOne) {
  // Of an earlier release: without a mark. What is behind its rounds is then, as ever, not known.
  const std::string newest = newest_file();
  const std::uint64_t mark_at = node_.options.geometry.journal_file_bytes - node_.options.geometry.block_bytes;
  const std::vector<std::byte> nothing(node_.options.geometry.block_bytes);
  for (const std::string& path : journal_files()) {
    if (node_.disk().contents(path).size() > mark_at) node_.disk().overwrite(path, mark_at, nothing);
  }
  expect_whole();
}

TEST_F(RecoveryTest, AMissingCheckpointIsMissed) {
  for (const std::string& path : node_.disk().files()) {
    if (path.ends_with(".checkpoint")) node_.disk().erase(path);
  }
  expect_refused(ErrorCode::kCorrupt, "no checkpoint");
}

}  // namespace
}  // namespace pyralog::storage
