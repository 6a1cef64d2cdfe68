#include "storage/segment_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "core/random.h"
#include "io/virtual_world.h"
#include "storage/log_fixture.h"

namespace pyralog::storage {
namespace {

using fixture::BatchSpec;
using fixture::make_batch;

constexpr Offset kBase{1000};

struct Written {
  SegmentMark at;
  Offset end;
  WallTime max_timestamp;
};

/// A segment file and index files on a virtual disk.
class SegmentIndexTest : public testing::Test {
 protected:
  /// Appends a batch to the file, and to `index` if there is one.
  void append(const BatchSpec& wanted, SegmentIndex* index) {
    BatchSpec spec = wanted;
    spec.base = end_.offset.value;
    const auto bytes = make_batch(spec);
    const auto view = record::BatchView::parse(bytes).value();
    disk().overwrite("s.log", end_.position, bytes);
    if (index != nullptr) index->note(view, end_.position);
    written_.push_back({end_, view.end_offset(), view.max_timestamp()});
    end_ = {view.end_offset(), end_.position + bytes.size()};
  }
  void append_random(Random& random, SegmentIndex* index) {
    append({.records = static_cast<int>(random.between(1, 5)),
            .value_bytes = random.between(1, random.chance(1, 4) ? 9000 : 200),
            .timestamp = static_cast<std::int64_t>(5000 + random.below(200) + written_.size() * 20)},
           index);
  }

  io::VirtualDisk& disk() { return world_.disk(NodeId(1)); }
  SharedFile open(const std::string& path) {
    return world_.run(reactor_, reactor_.disk().open(path, {.existence = io::Existence::kMayCreate})).value();
  }
  SegmentSource source() { return {open("s.log"), kBase}; }
  SegmentIndex resumed() { return {kBase, end_}; }
  void complete(SegmentIndex& index) {
    const auto done = world_.run(reactor_, index.complete(source(), open("s.index"), open("s.timeindex")));
    ASSERT_TRUE(done.ok()) << done.error().to_string();
  }
  void spill(SegmentIndex& index, Offset durable_end, SegmentIndex::Spill what = SegmentIndex::Spill::kWholeBlocks) {
    const auto files = std::pair(open("s.index"), open("s.timeindex"));
    reactor_.enter([&] { ASSERT_TRUE(index.spill(*files.first, *files.second, durable_end, what).ok()); });
  }

  /// Every look-up finds the batch or one shortly before it, and every time look-up skips only older batches.
  void expect_finds_everything(SegmentIndex& index) {
    const SharedFile sparse = open("s.index");
    const SharedFile times = open("s.timeindex");
    for (std::size_t i = 0; i < written_.size(); ++i) {
      const Written& batch = written_[i];
      const Offset last = batch.end - OffsetDelta(1);
      const auto mark = world_.run(reactor_, index.find({.offset_max = last}, sparse));
      ASSERT_TRUE(mark.ok()) << mark.error().to_string();
      expect_close(*mark, batch.at);
      const auto by_position =
          world_.run(reactor_, index.find({.offset_max = Offset(INT64_MAX), .position_max = batch.at.position}, sparse));
      ASSERT_TRUE(by_position.ok());
      expect_close(*by_position, batch.at);
      expect_skips_only_older(index, times, batch.max_timestamp);
      expect_skips_only_older(index, times, WallTime{batch.max_timestamp.ms + 1});
    }
    expect_skips_only_older(index, times, WallTime{0});
  }

 private:
  void expect_close(const SegmentMark& mark, const SegmentMark& wanted) {
    ASSERT_LE(mark.offset, wanted.offset);
    ASSERT_LE(mark.position, wanted.position);
    // The next entry is at most one interval and one batch away.
    ASSERT_LT(wanted.position - mark.position, 4096u + 50'000u);
    const bool boundary = std::ranges::any_of(
        written_, [&](const Written& b) { return b.at.offset == mark.offset && b.at.position == mark.position; });
    ASSERT_TRUE(boundary);
  }
  void expect_skips_only_older(SegmentIndex& index, const SharedFile& times, WallTime before) {
    const auto entry = world_.run(reactor_, index.find_time(before, times));
    ASSERT_TRUE(entry.ok());
    if (!entry->has_value()) return;
    for (const Written& batch : written_) {
      if (batch.at.offset <= (*entry)->offset) {
        ASSERT_LT(batch.max_timestamp, before);
      }
    }
  }

 protected:
  io::VirtualWorld world_{7};
  io::VirtualReactor& reactor_ = world_.add_reactor(NodeId(1), ShardId(0));
  std::vector<Written> written_;
  SegmentMark end_{kBase, 0};
};

TEST(IndexBlock, RefusesEveryFlippedBitThatMatters) {
  IndexBlock block;
  const std::vector<SparseEntry> entries{{kBase, 0, 100}, {Offset(1010), 5000, 60}};
  encode_index_block<SparseEntry>(entries, kBase, block);
  ASSERT_TRUE(IndexBlockView<SparseEntry>::parse(block, kBase).ok());
  for (std::size_t bit = 0; bit < block.size() * 8; ++bit) {
    IndexBlock damaged = block;
    damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(IndexBlockView<SparseEntry>::parse(damaged, kBase).ok()) << bit;
  }
  EXPECT_FALSE(IndexBlockView<SparseEntry>::parse(block, Offset(1001)).ok());
  EXPECT_FALSE(IndexBlockView<TimeEntry>::parse(block, kBase).ok());
  EXPECT_FALSE(IndexBlockView<SparseEntry>::parse(ByteView(block).first(4095), kBase).ok());
  EXPECT_FALSE(IndexBlockView<SparseEntry>::parse(IndexBlock{}, kBase).ok());
}

TEST(IndexBlock, RefusesEntriesThatDoNotRise) {
  IndexBlock block;
  const std::vector<SparseEntry> entries{{Offset(1010), 5000, 60}, {Offset(1010), 9000, 60}};
  encode_index_block<SparseEntry>(entries, kBase, block);
  EXPECT_FALSE(IndexBlockView<SparseEntry>::parse(block, kBase).ok());
}

TEST(IndexHeader, SurvivesEncodingAndRefusesDamage) {
  const SegmentSummary summary{kBase, Offset(5000), 123'456, {WallTime{777}, Offset(4000)}, WallTime{888}};
  IndexBlock block;
  encode_index_header<TimeEntry>(summary, 42, block);
  const auto header = decode_index_header<TimeEntry>(block, kBase);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->summary, summary);
  EXPECT_EQ(header->entry_count, 42u);
  EXPECT_FALSE(decode_index_header<SparseEntry>(block, kBase).ok());
  EXPECT_FALSE(decode_index_header<TimeEntry>(block, Offset(1)).ok());
  for (std::size_t bit = 0; bit < log_format::index::kHeaderBytes * 8; ++bit) {
    IndexBlock damaged = block;
    damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(decode_index_header<TimeEntry>(damaged, kBase).ok()) << bit;
  }
}

TEST_F(SegmentIndexTest, HasAnEntryForAboutEveryFourKiB) {
  SegmentIndex index(kBase, {kBase, 0});
  for (int i = 0; i < 200; ++i) append({.value_bytes = 930}, &index);          // some 1,000 bytes each
  EXPECT_NEAR(static_cast<double>(index.resident_count()), 200.0 / 5 + 1, 3);  // one time entry: they are all equal
  expect_finds_everything(index);
}

TEST_F(SegmentIndexTest, FindsEverythingWithBlocksInTheFiles) {
  Random random(1);
  SegmentIndex index(kBase, {kBase, 0});
  for (int i = 0; i < 1500; ++i) {
    append_random(random, &index);
    if (index.block_waits(end_.offset)) spill(index, end_.offset);
  }
  EXPECT_LT(index.resident_count(), kEntriesPerBlock<SparseEntry> + kEntriesPerBlock<TimeEntry>);
  expect_finds_everything(index);
}

TEST_F(SegmentIndexTest, NothingThatIsNotDurableGoesToAFile) {
  SegmentIndex index(kBase, {kBase, 0});
  for (int i = 0; i < 400; ++i) append({.value_bytes = 5000, .timestamp = 1000 + i}, &index);
  EXPECT_FALSE(index.block_waits(Offset(1203)));
  EXPECT_TRUE(index.block_waits(Offset(1204)));
  spill(index, Offset(1203), SegmentIndex::Spill::kAll);
  SegmentIndex later(kBase, end_);
  complete(later);
  EXPECT_EQ(later.resident_count(), index.resident_count());
  expect_finds_everything(later);
}

TEST_F(SegmentIndexTest, IsRebuiltFromTheSegmentAlone) {
  Random random(2);
  for (int i = 0; i < 300; ++i) append_random(random, nullptr);
  SegmentIndex index = resumed();
  complete(index);
  expect_finds_everything(index);
}

TEST_F(SegmentIndexTest, LearnsItsPastWhileItGrows) {
  // Old part partly in the files, a part that never got there, and batches noted before the past is known.
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    written_.clear();
    end_ = {kBase, 0};
    for (const char* name : {"s.log", "s.index", "s.timeindex"}) {
      if (disk().has(name)) disk().erase(name);
    }
    SegmentIndex first(kBase, {kBase, 0});
    const auto spilled_after = random.below(500);
    for (std::uint64_t i = 0; i < 500; ++i) {
      append_random(random, &first);
      if (i == spilled_after) {
        spill(first, end_.offset, random.chance(1, 2) ? SegmentIndex::Spill::kAll : SegmentIndex::Spill::kWholeBlocks);
      }
    }
    SegmentIndex second = resumed();
    for (std::uint64_t i = random.below(300); i > 0; --i) append_random(random, &second);
    complete(second);
    for (std::uint64_t i = random.below(300); i > 0; --i) append_random(random, &second);
    expect_finds_everything(second);
    spill(second, end_.offset);
    expect_finds_everything(second);
  }
}

TEST_F(SegmentIndexTest, DamagedBlocksAreRebuilt) {
  Random random(3);
  SegmentIndex first(kBase, {kBase, 0});
  for (int i = 0; i < 1500; ++i) append_random(random, &first);
  spill(first, end_.offset, SegmentIndex::Spill::kAll);
  for (int round = 0; round < 20; ++round) {
    for (const char* name : {"s.index", "s.timeindex"}) {
      disk().flip_bit(name, random.below(disk().contents(name).size() * 8));
    }
    SegmentIndex second = resumed();
    complete(second);
    expect_finds_everything(second);
    spill(second, end_.offset);
    expect_finds_everything(second);
  }
}

TEST_F(SegmentIndexTest, ADamagedBlockIsNoticedByALookUp) {
  SegmentIndex index(kBase, {kBase, 0});
  for (int i = 0; i < 1000; ++i) append({.value_bytes = 5000, .timestamp = 1000 + i}, &index);
  spill(index, end_.offset);
  disk().flip_bit("s.index", (2 * 4096 + 100) * 8);
  bool noticed = false;
  for (int i = 0; i < 1000; ++i) {
    const auto mark = world_.run(reactor_, index.find({.offset_max = Offset(1000 + i)}, open("s.index")));
    if (!mark.ok()) {
      EXPECT_EQ(mark.error(), ErrorCode::kCorrupt);
      noticed = true;
    } else {
      EXPECT_LE(mark->offset, Offset(1000 + i));
    }
  }
  EXPECT_TRUE(noticed);
}

TEST_F(SegmentIndexTest, ASegmentThatIsNoRunOfBatchesIsCorrupt) {
  for (int i = 0; i < 50; ++i) append({.value_bytes = 500}, nullptr);
  disk().flip_bit("s.log", (written_[20].at.position + 2) * 8);  // its base offset
  SegmentIndex index = resumed();
  const auto done = world_.run(reactor_, index.complete(source(), nullptr, nullptr));
  EXPECT_FALSE(done.ok());
}

TEST_F(SegmentIndexTest, SealedFilesAnswerByThemselves) {
  Random random(4);
  SegmentIndex index(kBase, {kBase, 0});
  for (int i = 0; i < 900; ++i) append_random(random, &index);
  const SegmentSummary summary{kBase, end_.offset, end_.position, index.peak(), WallTime{5}};
  const auto files = std::pair(open("s.index"), open("s.timeindex"));
  reactor_.enter([&] { ASSERT_TRUE(index.seal(*files.first, *files.second, summary).ok()); });

  const auto header = world_.run(reactor_, read_index_header<SparseEntry>(*files.first, kBase)).value();
  EXPECT_EQ(header.summary, summary);
  for (const Written& batch : written_) {
    const auto entry = world_.run(
        reactor_, find_in_index<SparseEntry>(*files.first, kBase, header.entry_count, {.offset_max = batch.at.offset}));
    ASSERT_TRUE(entry.ok() && entry->has_value());
    EXPECT_LE((*entry)->position, batch.at.position);
    EXPECT_LT(batch.at.position - (*entry)->position, 60'000u);
  }
}

/// Golden files: what a release once wrote must stay readable, byte for byte.
TEST_F(SegmentIndexTest, GoldenFilesStillRead) {
  SegmentIndex index(kBase, {kBase, 0});
  for (int i = 0; i < 300; ++i) append({.records = 2, .value_bytes = 2500, .timestamp = 1'700'000'000'000 + i * 10}, &index);
  const SegmentSummary summary{kBase, end_.offset, end_.position, index.peak(), WallTime{1'700'000'009'000}};
  const auto files = std::pair(open("s.index"), open("s.timeindex"));
  reactor_.enter([&] { ASSERT_TRUE(index.seal(*files.first, *files.second, summary).ok()); });
  for (const char* suffix : {"index", "timeindex"}) {
    std::ifstream golden(std::string(PYRALOG_TESTDATA "/segment_v1.") + suffix, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(golden)), {});
    const auto ours = disk().contents(std::string("s.") + suffix);
    EXPECT_EQ(as_text(ours), text) << suffix;
  }
}

}  // namespace
}  // namespace pyralog::storage
