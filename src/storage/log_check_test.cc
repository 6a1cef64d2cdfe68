#include "storage/log_check.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "io/virtual_world.h"
#include "storage/log_dump.h"
#include "storage/log_fixture.h"
#include "storage/producer_state.h"
#include "storage/segment_index.h"

namespace pyralog::storage {
namespace {

using fixture::BatchSpec;
using fixture::make_batch;

/// A partition's directory with segments, sealed indexes and a snapshot.
class LogCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    write_segment(0, 40, 1);
    write_segment(120, 30, 2);
    write_segment(210, 5, 2);
    const auto snapshot = ProducerSnapshot{Offset(120), LeaderEpoch(1), {}}.encode();
    disk().overwrite(path(120, FileKind::kSnapshot), 0, snapshot);
  }

  void write_segment(std::int64_t base, int batches, std::int32_t epoch) {
    SegmentIndex index(Offset(base), {Offset(base), 0});
    std::uint64_t position = 0;
    std::int64_t offset = base;
    for (int i = 0; i < batches; ++i) {
      const auto bytes = make_batch({.base = offset, .records = 3, .value_bytes = 800, .timestamp = 1000 + offset,
                                     .epoch = epoch, .codec = i % 2 == 0 ? record::Codec::kNone : record::Codec::kLz4});
      index.note(record::BatchView::parse(bytes).value(), position);
      disk().overwrite(path(base, FileKind::kLog), position, bytes);
      position += bytes.size();
      offset += 3;
    }
    end_position_ = position;
    const auto files = std::pair(open(base, FileKind::kIndex), open(base, FileKind::kTimeIndex));
    reactor_.enter([&] {
      ASSERT_TRUE(index.seal(*files.first, *files.second,
                             {Offset(base), Offset(offset), position, index.peak(), WallTime{1}}).ok());
    });
  }

  std::string path(std::int64_t base, FileKind kind) { return file_path("log/0", Offset(base), kind); }
  std::unique_ptr<io::File> open(std::int64_t base, FileKind kind) {
    const io::OpenOptions options{.existence = io::Existence::kMayCreate};
    return world_.run(reactor_, reactor_.disk().open(path(base, kind), options)).value();
  }
  io::VirtualDisk& disk() { return world_.disk(NodeId(1)); }
  LogReport check(std::optional<LogBounds> bounds = std::nullopt) {
    return world_.run(reactor_, check_log("log/0", bounds)).value();
  }
  std::vector<std::string> dump(DumpOptions options) {
    std::vector<std::string> lines;
    const auto done = world_.run(
        reactor_, dump_log("log/0", options, [&lines](std::string_view line) { lines.emplace_back(line); }));
    EXPECT_TRUE(done.ok());
    return lines;
  }
  /// The only problem, or an empty text and a failure.
  std::string only_problem(const LogReport& report) {
    EXPECT_EQ(report.problems.size(), 1u);
    return report.problems.size() == 1 ? report.problems[0].file + ": " + report.problems[0].text : "";
  }

  io::VirtualWorld world_{1};
  io::VirtualReactor& reactor_ = world_.add_reactor(NodeId(1), ShardId(0));
  std::uint64_t end_position_ = 0;
};

TEST_F(LogCheckTest, ASoundLogHasNoFindings) {
  const LogReport report = check(LogBounds{Offset(225), end_position_});
  EXPECT_TRUE(report.is_sound());
  EXPECT_TRUE(report.notes.empty());
  EXPECT_EQ(report.segments, 3u);
  EXPECT_EQ(report.batches, 75u);
  EXPECT_EQ(report.records, 225u);
  EXPECT_EQ(report.start, Offset(0));
  EXPECT_EQ(report.end, Offset(225));
}

TEST_F(LogCheckTest, FindsAFlippedBitInABatch) {
  disk().flip_bit(path(120, FileKind::kLog), 8 * 3000);
  const LogReport report = check();
  ASSERT_FALSE(report.is_sound());
  EXPECT_NE(report.problems[0].text.find("bad checksum"), std::string::npos) << report.problems[0].text;
  EXPECT_NE(report.problems[0].text.find("next segment begins at 210"), std::string::npos);
}

TEST_F(LogCheckTest, FindsABatchThatWasMoved) {
  // Offsets are outside the checksum.
  const auto contents = disk().contents(path(0, FileKind::kLog));
  const auto first = record::BatchView::parse(contents).value().batch_bytes();
  std::vector<std::byte> base(8);
  store_big(base.data(), std::int64_t{4});
  disk().overwrite(path(0, FileKind::kLog), first, base);
  const LogReport report = check();
  EXPECT_FALSE(report.is_sound());
  EXPECT_NE(report.problems[0].text.find("offset 4 follows, 3 was expected"), std::string::npos);
}

TEST_F(LogCheckTest, FindsAMissingSegment) {
  disk().erase(path(120, FileKind::kLog));
  EXPECT_EQ(only_problem(check()),
            "00000000000000000000.log: end of file at offset 120, although the next segment begins at 210");
}

TEST_F(LogCheckTest, FindsAWrongIndexEntryAndIgnoresADamagedBlock) {
  SegmentIndex wrong(Offset(120), {Offset(120), 0});
  const auto batch = make_batch({.base = 120, .records = 3, .epoch = 2});
  const auto other = make_batch({.base = 123, .records = 3, .epoch = 2});
  wrong.note(record::BatchView::parse(batch).value(), 0);
  wrong.note(record::BatchView::parse(other).value(), 5000);
  const auto files = std::pair(open(120, FileKind::kIndex), open(500, FileKind::kTimeIndex));
  reactor_.enter([&] {
    ASSERT_TRUE(wrong.seal(*files.first, *files.second, {Offset(120), Offset(210), 1, {}, WallTime{1}}).ok());
  });
  const LogReport report = check();
  EXPECT_FALSE(report.is_sound());
  EXPECT_EQ(report.problems[0].file, "00000000000000000120.index");
  disk().flip_bit(path(120, FileKind::kIndex), 8 * 5000);
  EXPECT_TRUE(check().is_sound());
  EXPECT_FALSE(check().notes.empty());
}

TEST_F(LogCheckTest, OffsetsMayHaveGapsWhereCompactionWrote) {
  // The middle segment, written anew: its first and its last batch are gone.
  const std::vector<std::byte> old = disk().contents(path(120, FileKind::kLog));
  std::vector<std::size_t> begins;
  for (std::size_t at = 0; at < old.size(); at += record::BatchHeader::parse(ByteView(old).subspan(at))->batch_bytes()) {
    begins.push_back(at);
  }
  const std::vector<std::byte> kept(old.begin() + static_cast<std::ptrdiff_t>(begins[1]),
                                    old.begin() + static_cast<std::ptrdiff_t>(begins.back()));
  disk().overwrite(file_path("log/0", Offset(120), FileKind::kLog, 1), 0, kept);
  const LogReport report = check(LogBounds{Offset(225), end_position_});
  EXPECT_TRUE(report.is_sound()) << report.problems.front().text;
  EXPECT_EQ(report.segments, 3u) << "the older edition does not count";
  EXPECT_EQ(report.batches, 73u);
  const std::vector<std::string> lines = dump({});
  EXPECT_NE(std::ranges::find(lines, "segment 00000000000000000120-1.log"), lines.end());
}

TEST_F(LogCheckTest, BytesBehindTheLastBatchAreANoteUnlessTheEndIsKnown) {
  disk().overwrite(path(210, FileKind::kLog), end_position_, make_batch({.base = 150, .epoch = 1}));
  EXPECT_TRUE(check().is_sound());
  EXPECT_EQ(check().notes.size(), 1u);
  EXPECT_TRUE(check(LogBounds{Offset(225), end_position_}).notes.empty());
  EXPECT_FALSE(check(LogBounds{Offset(226), end_position_ + 79}).is_sound());
  disk().overwrite(path(210, FileKind::kLog), end_position_, std::vector<std::byte>(5000));
  EXPECT_TRUE(check().notes.empty());
}

TEST_F(LogCheckTest, DamagedCachesAreNotes) {
  disk().flip_bit(path(120, FileKind::kSnapshot), 100);
  disk().erase(path(0, FileKind::kIndex));
  disk().flip_bit(path(210, FileKind::kTimeIndex), 50);
  const LogReport report = check();
  EXPECT_TRUE(report.is_sound());
  EXPECT_EQ(report.notes.size(), 1u);
}

TEST_F(LogCheckTest, AMissingDirectoryIsAnError) {
  EXPECT_EQ(world_.run(reactor_, check_log("nowhere", std::nullopt)).error(), ErrorCode::kNotFound);
}

TEST_F(LogCheckTest, SurvivesArbitraryDamage) {
  Random random(5);
  const std::vector<std::string> files = disk().files();
  for (int round = 0; round < 200; ++round) {
    const std::string& file = files[random.below(files.size())];
    disk().flip_bit(file, random.below(disk().contents(file).size() * 8));
    (void)check();
    (void)dump({.records = true});
  }
}

TEST_F(LogCheckTest, DumpsBatchesAndRecords) {
  const auto lines = dump({.begin = Offset(118), .end = Offset(122), .records = true, .field_bytes_max = 6});
  const std::vector<std::string> expected{
      "segment 00000000000000000000.log",
      "batch 117..119 epoch 1 at 0 bytes",
      "  record 117 time 1117 key null value \"117:vv\"+794",
      "  record 118 time 1118 key null value \"118:vv\"+794",
      "  record 119 time 1119 key null value \"119:vv\"+794",
      "segment 00000000000000000120.log",
      "batch 120..122 epoch 2 at 0 bytes 2488 records 3 codec none created 1122",
      "  record 120 time 1120 key null value \"120:vv\"+794",
      "  record 121 time 1121 key null value \"121:vv\"+794",
      "  record 122 time 1122 key null value \"122:vv\"+794",
  };
  ASSERT_EQ(lines.size(), expected.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i != 1) EXPECT_EQ(lines[i], expected[i]);
  }
  EXPECT_TRUE(lines[1].starts_with("batch 117..119 epoch 1 at "));
}

TEST_F(LogCheckTest, DumpEscapesAndSaysWhereItStopped) {
  EXPECT_EQ(quoted(std::string_view("a\"b\\\n\x00\xff", 7), 100), "\"a\\\"b\\\\\\x0a\\x00\\xff\"");
  disk().flip_bit(path(210, FileKind::kLog), 8 * 100);
  const auto lines = dump({.begin = Offset(210)});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[1].starts_with("then a batch with a bad checksum at 0, ")) << lines[1];
}

}  // namespace
}  // namespace pyralog::storage
