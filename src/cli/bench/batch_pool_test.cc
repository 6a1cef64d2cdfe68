#include "cli/bench/batch_pool.h"

#include <gtest/gtest.h>

#include <set>

#include "cli/bench/stamp.h"
#include "record/batch_check.h"
#include "record/record_iterator.h"

namespace pyralog::cli {
namespace {

constexpr WallTime kNow{1714566615250};

TEST(BatchPool, BatchesAreValidAlikeInSizeAndDifferent) {
  const BatchPool pool = BatchPool::build({.record_bytes = 100, .batch_bytes = 16384}, kNow).value();
  EXPECT_GT(pool.records_per_batch, 100u);
  record::Decompressor decompressor;
  for (const Slice& batch : pool.batches) {
    const auto view = record::BatchView::parse_only(batch.view(), 1 << 20).value();
    EXPECT_TRUE(view.verify_crc().ok());
    EXPECT_TRUE(record::check_structure(view, {}, decompressor).has_value());
    EXPECT_EQ(view.records_count(), static_cast<std::int32_t>(pool.records_per_batch));
    EXPECT_LE(batch.size(), 16384u);
    EXPECT_GT(batch.size(), 16384u * 9 / 10);
  }
  EXPECT_FALSE(std::ranges::equal(pool.batches[0].view(), pool.batches[1].view()));
}

TEST(BatchPool, WithKeysThereAreRecordsForEachOfThem) {
  const BatchPool pool = BatchPool::build({.record_bytes = 10, .batch_records = 7, .keys = 200}, kNow).value();
  record::Decompressor decompressor;
  std::set<std::string> keys;
  for (const Slice& batch : pool.batches) {
    const auto view = record::BatchView::parse_only(batch.view(), 1 << 20).value();
    EXPECT_TRUE(view.verify_crc().ok());
    auto records = record::RecordIterator::open(view, decompressor).value();
    record::RecordView record;
    while (records.next(record).value()) keys.emplace(as_text(record.key.value()));
  }
  EXPECT_EQ(keys.size(), 200u);
  EXPECT_EQ(*keys.begin(), "key-00000000");
  EXPECT_EQ(*keys.rbegin(), "key-00000199");
}

TEST(BatchPool, ARecordLargerThanABatchIsABatch) {
  EXPECT_EQ(BatchPool::build({.record_bytes = 100, .batch_bytes = 1}, kNow).value().records_per_batch, 1u);
  EXPECT_EQ(BatchPool::build({.record_bytes = 0, .batch_records = 7}, kNow).value().records_per_batch, 7u);
}

TEST(Stamp, IsReadBackFromAValidBatch) {
  BatchPool pool = BatchPool::build({.record_bytes = Stamp::kBytes, .batch_records = 3}, kNow).value();
  Slice& batch = pool.batches.front();
  const Stamp stamp{.intended = MonotonicTime(Duration(123456789)), .sent = MonotonicTime(Duration(987654321))};
  write_stamp(batch.mutable_view(), stamp_position(batch.view()).value(), stamp, WallTime{kNow.ms + 1000});
  const auto view = record::BatchView::parse_only(batch.view(), 1 << 20).value();
  EXPECT_TRUE(view.verify_crc().ok());
  EXPECT_EQ(view.max_timestamp(), WallTime{kNow.ms + 1000});
  const auto read = read_stamp(view);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->intended, stamp.intended);
  EXPECT_EQ(read->sent, stamp.sent);
}

TEST(Stamp, NeedsRoomAndIsNotSeenWhereThereIsNone) {
  const BatchPool small = BatchPool::build({.record_bytes = Stamp::kBytes - 1, .batch_records = 1}, kNow).value();
  EXPECT_EQ(stamp_position(small.batches.front().view()).error().code(), ErrorCode::kInvalidArgument);
  const BatchPool plain = BatchPool::build({.record_bytes = 100, .batch_records = 1}, kNow).value();
  EXPECT_FALSE(read_stamp(record::BatchView::parse(plain.batches.front().view()).value()).has_value());
}

}  // namespace
}  // namespace pyralog::cli
