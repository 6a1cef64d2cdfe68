#include "record/batch_filter.h"

#include <gtest/gtest.h>

#include <functional>

#include "record/batch_check.h"
#include "record/batch_fixture.h"

namespace pyralog::record {
namespace {

using fixture::Bytes;
using fixture::bytes_of;

struct Seen {
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;
  std::string value;
  friend bool operator==(const Seen&, const Seen&) = default;
};

class BatchFiltering : public ::testing::TestWithParam<Codec> {
 protected:
  Bytes make(std::initializer_list<std::string_view> values) {
    BatchBuilderOptions options{.codec = GetParam(), .base_offset = Offset(100), .leader_epoch = LeaderEpoch(7)};
    options.producer_id = ProducerId(5);
    options.producer_epoch = ProducerEpoch(2);
    options.base_sequence = 40;
    return fixture::batch_of(values, options);
  }

  Result<ByteView> filter(const Bytes& bytes, const std::function<bool(const RecordView&)>& keeps,
                          std::optional<WallTime> horizon = {}) {
    PYRALOG_TRY(filter_.open(BatchView::parse(bytes).value()));
    for (RecordView record;;) {
      PYRALOG_ASSIGN(const bool more, filter_.next(record));
      if (!more) break;
      if (keeps(record)) filter_.keep();
    }
    return filter_.finish(horizon);
  }

  static std::vector<Seen> read(ByteView bytes) {
    Decompressor decompressor;
    const BatchView batch = BatchView::parse(bytes).value();
    EXPECT_TRUE(batch.verify_crc().ok());
    EXPECT_EQ(batch.batch_bytes(), bytes.size());
    const CheckOptions options{.validation = RecordValidation::kFull, .origin = BatchOrigin::kLog};
    EXPECT_TRUE(check_structure(batch, options, decompressor).has_value());
    std::vector<Seen> seen;
    RecordIterator records = RecordIterator::open(batch, decompressor).value();
    for (RecordView record; records.next(record).value();) {
      seen.push_back({record.offset.value, record.timestamp.ms, std::string(as_text(record.value.value()))});
    }
    return seen;
  }

  Decompressor decompressor_;
  BatchFilter filter_{decompressor_};
};

TEST_P(BatchFiltering, LeavesABatchAloneThatLosesNothing) {
  const Bytes bytes = make({"a", "b"});
  const ByteView out = filter(bytes, [](const RecordView&) { return true; }).value();
  EXPECT_EQ(out.data(), bytes.data());
  EXPECT_EQ(out.size(), bytes.size());
}

TEST_P(BatchFiltering, TakesRecordsOutAndKeepsOffsetsSequencesAndTheRest) {
  const Bytes bytes = make({"a", "b", "c", "d", "e"});
  const ByteView out = filter(bytes, [](const RecordView& r) { return r.offset.value % 2 == 1; }).value();
  EXPECT_EQ(read(out), (std::vector<Seen>{{101, 1001, "b"}, {103, 1003, "d"}}));
  const BatchView batch = BatchView::parse(out).value();
  EXPECT_EQ(batch.base_offset(), Offset(100));
  EXPECT_EQ(batch.last_offset(), Offset(104));
  EXPECT_EQ(batch.leader_epoch(), LeaderEpoch(7));
  EXPECT_EQ(batch.producer_id(), ProducerId(5));
  EXPECT_EQ(batch.producer_epoch(), ProducerEpoch(2));
  EXPECT_EQ(batch.base_sequence(), 40);
  EXPECT_EQ(batch.last_sequence(), 44);
  EXPECT_EQ(batch.records_count(), 2);
  EXPECT_EQ(batch.max_timestamp().ms, 1003);
  EXPECT_EQ(batch.codec(), GetParam());
  EXPECT_FALSE(batch.has_delete_horizon());
}

TEST_P(BatchFiltering, CanLeaveAnEmptyBatchThatStillTellsOfItsProducer) {
  const Bytes bytes = make({"a", "b", "c"});
  const ByteView out = filter(bytes, [](const RecordView&) { return false; }).value();
  EXPECT_TRUE(read(out).empty());
  const BatchView batch = BatchView::parse(out).value();
  EXPECT_EQ(batch.batch_bytes(), format::kHeaderBytes);
  EXPECT_EQ(batch.codec(), Codec::kNone);
  EXPECT_EQ(batch.last_offset(), Offset(102));
  EXPECT_EQ(batch.last_sequence(), 42);
  EXPECT_EQ(batch.producer_id(), ProducerId(5));
  EXPECT_EQ(batch.max_timestamp().ms, 1002);
}

TEST_P(BatchFiltering, SetsADeleteHorizonWithoutMovingTimestamps) {
  const Bytes bytes = make({"a", "b", "c"});
  const WallTime horizon{1'900'000'000'000};
  const Bytes marked = bytes_of(filter(bytes, [](const RecordView&) { return true; }, horizon).value());
  EXPECT_EQ(read(marked), (std::vector<Seen>{{100, 1000, "a"}, {101, 1001, "b"}, {102, 1002, "c"}}));
  EXPECT_TRUE(BatchView::parse(marked)->has_delete_horizon());
  EXPECT_EQ(BatchView::parse(marked)->base_timestamp(), horizon);
  // It stays when the batch is filtered again, with the records' times.
  const ByteView again = filter(marked, [](const RecordView& r) { return r.offset.value != 101; }).value();
  EXPECT_EQ(read(again), (std::vector<Seen>{{100, 1000, "a"}, {102, 1002, "c"}}));
  EXPECT_TRUE(BatchView::parse(again)->has_delete_horizon());
  EXPECT_EQ(BatchView::parse(again)->base_timestamp(), horizon);
}

TEST_P(BatchFiltering, RefusesAHorizonThatTimestampsCannotBeToldFrom) {
  const Bytes bytes = make({"a"});
  const WallTime far{std::numeric_limits<std::int64_t>::min()};
  const auto out = filter(bytes, [](const RecordView&) { return true; }, far);
  EXPECT_EQ(fixture::code_of(out), ErrorCode::kInvalidTimestamp);
}

TEST_P(BatchFiltering, KeepsTheAppendTimeOfABatchThatCarriesOne) {
  Bytes bytes = make({"a", "b"});
  MutableBatch::parse(bytes).value().set_log_append_time(WallTime{77'000});
  const ByteView out = filter(bytes, [](const RecordView& r) { return r.offset.value == 101; }).value();
  EXPECT_EQ(read(out), (std::vector<Seen>{{101, 77'000, "b"}}));
  EXPECT_EQ(BatchView::parse(out)->max_timestamp().ms, 77'000);
}

TEST_P(BatchFiltering, ReportsABatchThatCannotBeRead) {
  Bytes bytes = make({"a", "b"});
  fixture::poke(bytes, format::kRecordsCountAt, std::int32_t{3});
  const auto out = filter(bytes, [](const RecordView&) { return false; });
  EXPECT_EQ(fixture::code_of(out), ErrorCode::kInvalidRecord);
}

INSTANTIATE_TEST_SUITE_P(Codecs, BatchFiltering,
                         ::testing::Values(Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd));

TEST(BatchFilter, StoresUncompressedWhatWouldCompressTooWellForReaders) {
  // A large record of zeros beside noise: without the noise it is a bomb.
  std::string zeros(2u << 20, '\0');
  std::string noise(4u << 20, '\0');
  std::uint64_t state = 1;
  for (char& c : noise) c = static_cast<char>((state = state * 6364136223846793005ull + 1442695040888963407ull) >> 56);
  const Bytes bytes = fixture::batch_of({zeros, noise}, {.codec = Codec::kZstd});
  Decompressor decompressor;
  BatchFilter filter(decompressor);
  ASSERT_TRUE(filter.open(BatchView::parse(bytes).value()).ok());
  RecordView record;
  ASSERT_TRUE(filter.next(record).value());
  filter.keep();
  ASSERT_TRUE(filter.next(record).value());
  ASSERT_FALSE(filter.next(record).value());
  const ByteView out = filter.finish({}).value();
  RecordIterator records = RecordIterator::open(BatchView::parse(out).value(), decompressor).value();
  ASSERT_TRUE(records.next(record).value());
  EXPECT_EQ(record.value->size(), zeros.size());
}

}  // namespace
}  // namespace pyralog::record
