#include "storage/producer_state.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <map>

#include "core/random.h"
#include "storage/log_fixture.h"

namespace pyralog::storage {
namespace {

using fixture::BatchSpec;
using fixture::TestBatch;

constexpr std::int32_t kSequenceMax = std::numeric_limits<std::int32_t>::max();

/// Batches of producer 7, one record each unless told.
BatchSpec of_seven(std::int64_t base, std::int32_t sequence, int records = 1, std::int16_t epoch = 0) {
  return {
      .base = base, .records = records, .timestamp = 5000 + base, .producer = 7, .producer_epoch = epoch, .sequence = sequence};
}

class ProducerTableTest : public testing::Test {
 protected:
  void apply(const BatchSpec& spec, std::int64_t now = 100) { table_.apply(TestBatch(spec).view(), WallTime{now}); }

  Result<std::optional<ProducerBatch>> check(const BatchSpec& spec) { return table_.check(TestBatch(spec).view()); }

  void expect_new(const BatchSpec& spec) {
    const auto verdict = check(spec);
    ASSERT_TRUE(verdict.ok()) << verdict.error().to_string();
    EXPECT_FALSE(verdict->has_value());
  }
  void expect_retry(const BatchSpec& spec, std::int64_t original_base) {
    const auto verdict = check(spec);
    ASSERT_TRUE(verdict.ok()) << verdict.error().to_string();
    ASSERT_TRUE(verdict->has_value());
    EXPECT_EQ((*verdict)->base_offset, Offset(original_base));
    EXPECT_EQ((*verdict)->last_offset(), Offset(original_base + spec.records - 1));
  }
  void expect_error(const BatchSpec& spec, ErrorCode code) {
    const auto verdict = check(spec);
    ASSERT_FALSE(verdict.ok());
    EXPECT_EQ(verdict.error(), code);
  }

  ProducerTable table_;
};

TEST_F(ProducerTableTest, BatchesWithoutProducerPassUnnoticed) {
  apply({.base = 3});
  EXPECT_TRUE(table_.empty());
  expect_new({.base = 4});
}

TEST_F(ProducerTableTest, AnUnknownProducerMayStartAnywhere) {
  expect_new(of_seven(0, 0));
  expect_new(of_seven(0, 1234));
}

TEST_F(ProducerTableTest, RetriesOfTheLastFiveGetTheirOriginalOffsetAndTime) {
  for (int i = 0; i < 7; ++i) apply(of_seven(100 + i * 3, i * 3, 3));
  for (int i = 2; i < 7; ++i) expect_retry(of_seven(0, i * 3, 3), 100 + i * 3);
  EXPECT_EQ(check(of_seven(0, 18, 3)).value()->max_timestamp, WallTime{5000 + 118 + 2});
  expect_error(of_seven(0, 3, 3), ErrorCode::kOutOfOrderSequence);   // forgotten
  expect_error(of_seven(0, 18, 2), ErrorCode::kOutOfOrderSequence);  // starts like a known batch, ends elsewhere
  expect_new(of_seven(0, 21, 3));
  expect_error(of_seven(0, 22, 1), ErrorCode::kOutOfOrderSequence);  // a gap
}

TEST_F(ProducerTableTest, SequencesWrapToZero) {
  apply(of_seven(10, kSequenceMax - 1, 2));
  expect_new(of_seven(12, 0));
  expect_error(of_seven(12, 1), ErrorCode::kOutOfOrderSequence);
  apply(of_seven(12, 0));

  ProducerTable across;
  across.apply(TestBatch(of_seven(10, kSequenceMax, 3)).view(), WallTime{1});  // 2^31 - 1, 0, 1
  EXPECT_EQ(across.find(ProducerId(7))->last()->last_sequence, 1);
  EXPECT_EQ(across.find(ProducerId(7))->last()->last_offset(), Offset(12));
  EXPECT_FALSE(across.check(TestBatch(of_seven(13, 2)).view()).value().has_value());
  EXPECT_TRUE(across.check(TestBatch(of_seven(0, kSequenceMax, 3)).view()).value().has_value());
}

TEST_F(ProducerTableTest, ANewEpochStartsAtZeroAndEndsTheOldOne) {
  apply(of_seven(10, 40, 1, 3));
  expect_error(of_seven(11, 41, 1, 4), ErrorCode::kOutOfOrderSequence);
  expect_new(of_seven(11, 0, 1, 4));
  apply(of_seven(11, 0, 1, 4));
  expect_error(of_seven(12, 41, 1, 3), ErrorCode::kProducerFenced);
  expect_error(of_seven(10, 40, 1, 3), ErrorCode::kProducerFenced);  // even a retry
  expect_new(of_seven(12, 1, 1, 4));
}

TEST_F(ProducerTableTest, AMarkerOfANewerEpochFencesAndStartsAtZero) {
  apply(of_seven(10, 40, 1, 3));
  BatchSpec marker = of_seven(11, 0, 1, 4);
  marker.marker = true;
  apply(marker);
  expect_error(of_seven(12, 41, 1, 3), ErrorCode::kProducerFenced);
  expect_error(of_seven(12, 1, 1, 4), ErrorCode::kOutOfOrderSequence);
  expect_new(of_seven(12, 0, 1, 4));
}

TEST_F(ProducerTableTest, AMarkerOfTheSameEpochKeepsTheWindow) {
  apply(of_seven(10, 0, 1, 3));
  BatchSpec marker = of_seven(11, 0, 1, 3);
  marker.marker = true;
  apply(marker);
  expect_retry(of_seven(0, 0, 1, 3), 10);
  expect_new(of_seven(12, 1, 1, 3));
}

TEST_F(ProducerTableTest, RefusesAProducerWithoutSequence) {
  BatchSpec marker = of_seven(11, 0);
  marker.marker = true;
  expect_error(marker, ErrorCode::kInvalidRecord);
}

TEST_F(ProducerTableTest, TruncationRestoresWhatIsStillRemembered) {
  for (int i = 0; i < 4; ++i) apply(of_seven(10 + i, i));
  ASSERT_TRUE(table_.truncate(Offset(12)));
  expect_retry(of_seven(0, 1), 11);
  expect_new(of_seven(12, 2));
  ASSERT_TRUE(table_.truncate(Offset(10)));
  EXPECT_TRUE(table_.empty());
}

TEST_F(ProducerTableTest, TruncationSaysWhenTheWindowIsNoLongerWhole) {
  for (int i = 0; i < 6; ++i) apply(of_seven(10 + i, i));
  ProducerTable same = table_;
  EXPECT_TRUE(same.truncate(Offset(16)));     // nothing removed
  EXPECT_FALSE(table_.truncate(Offset(15)));  // replaying up to 15 would remember the batch at 10
}

TEST_F(ProducerTableTest, TruncationOfANewEpochNeedsTheOldOneBack) {
  apply(of_seven(10, 5, 1, 1));
  apply(of_seven(11, 0, 1, 2));
  EXPECT_FALSE(table_.truncate(Offset(11)));
}

TEST_F(ProducerTableTest, ExpiresWhoWasNotSeen) {
  apply(of_seven(10, 0), 1000);
  BatchSpec other = of_seven(11, 0);
  other.producer = 8;
  apply(other, 2000);
  EXPECT_EQ(table_.expire(WallTime{1000}), 0u);
  EXPECT_EQ(table_.expire(WallTime{1001}), 1u);
  EXPECT_EQ(table_.find(ProducerId(7)), nullptr);
  EXPECT_NE(table_.find(ProducerId(8)), nullptr);
  expect_new(of_seven(12, 77));  // unknown again
}

TEST_F(ProducerTableTest, IsBoundedAndDropsTheLongestUnseen) {
  constexpr std::size_t kMax = 64;
  ProducerTable table(kMax);
  for (int id = 0; id < 1000; ++id) {
    BatchSpec spec = of_seven(id, 0);
    spec.producer = id;
    table.apply(TestBatch(spec).view(), WallTime{id});
    ASSERT_LE(table.size(), kMax);
    ASSERT_NE(table.find(ProducerId(id)), nullptr);
  }
  EXPECT_GE(table.size(), kMax - kMax / 8);
  EXPECT_EQ(table.find(ProducerId(900)), nullptr);
  EXPECT_NE(table.find(ProducerId(960)), nullptr);
}

/// A full window, a wrapped batch and a marker's entry.
ProducerTable sample_table() {
  ProducerTable table;
  for (int i = 0; i < 7; ++i) table.apply(TestBatch(of_seven(10 + i, i)).view(), WallTime{1'700'000'000'000 + i});
  BatchSpec wrapped = of_seven(20, kSequenceMax, 3, 2);
  wrapped.producer = 1'000'000'000'000;
  table.apply(TestBatch(wrapped).view(), WallTime{1'700'000'000'100});
  BatchSpec marker = of_seven(30, 0, 1, 9);
  marker.marker = true;
  marker.producer = 3;
  table.apply(TestBatch(marker).view(), WallTime{1'700'000'000'200});
  return table;
}

TEST(ProducerSnapshot, SurvivesEncoding) {
  const ProducerSnapshot snapshot{Offset(31), LeaderEpoch(4), sample_table()};
  const auto file = snapshot.encode();
  const auto decoded = ProducerSnapshot::decode(file);
  ASSERT_TRUE(decoded.ok()) << decoded.error().to_string();
  EXPECT_EQ(decoded->offset, Offset(31));
  EXPECT_EQ(decoded->epoch, LeaderEpoch(4));
  EXPECT_EQ(decoded->producers, snapshot.producers);
}

TEST(ProducerSnapshot, RefusesEveryFlippedBitAndEveryCut) {
  const auto file = ProducerSnapshot{Offset(31), LeaderEpoch(4), sample_table()}.encode();
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    auto damaged = file;
    damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(ProducerSnapshot::decode(damaged).ok()) << "bit " << bit;
  }
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(ProducerSnapshot::decode(ByteView(file).first(size)).ok()) << "size " << size;
  }
}

TEST(ProducerSnapshot, GoldenFileStillReads) {
  const auto file = ProducerSnapshot{Offset(31), LeaderEpoch(4), sample_table()}.encode();
  std::ifstream golden(PYRALOG_TESTDATA "/producers_v1.snapshot", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(golden)), {});
  ASSERT_EQ(text.size(), file.size());
  EXPECT_EQ(text, as_text(file));
  EXPECT_EQ(ProducerSnapshot::decode(as_bytes(text)).value().producers, sample_table());
}

/// The rules once more, over full history: what a producer wrote decides, not a window.
class NaiveProducers {
 public:
  enum class Verdict { kNew, kRetry, kError };
  Verdict check(const BatchSpec& spec) const {
    const auto at = batches_.find(spec.producer);
    if (at == batches_.end()) return Verdict::kNew;
    const auto& history = at->second;
    const BatchSpec& newest = history.back();
    if (spec.producer_epoch < newest.producer_epoch) return Verdict::kError;
    if (spec.producer_epoch > newest.producer_epoch) return spec.sequence == 0 ? Verdict::kNew : Verdict::kError;
    std::size_t seen = 0;
    for (auto known = history.rbegin(); known != history.rend() && seen < 5; ++known, ++seen) {
      if (known->producer_epoch != spec.producer_epoch) break;
      if (known->sequence == spec.sequence && known->records == spec.records) return Verdict::kRetry;
    }
    return spec.sequence == newest.sequence + newest.records ? Verdict::kNew : Verdict::kError;
  }
  void apply(const BatchSpec& spec) { batches_[spec.producer].push_back(spec); }
  void truncate(std::int64_t end) {
    for (auto& [id, history] : batches_) std::erase_if(history, [end](const BatchSpec& b) { return b.base >= end; });
    std::erase_if(batches_, [](const auto& item) { return item.second.empty(); });
  }
  ProducerTable replay() const {
    std::map<std::int64_t, BatchSpec> ordered;
    for (const auto& [id, history] : batches_)
      for (const BatchSpec& spec : history) ordered.emplace(spec.base, spec);
    ProducerTable table;
    for (const auto& [base, spec] : ordered) table.apply(TestBatch(spec).view(), WallTime{1});
    return table;
  }

 private:
  std::map<std::int64_t, std::vector<BatchSpec>> batches_;
};

TEST(ProducerTable, AgreesWithFullHistoryUnderRandomLoad) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Random random(seed);
    ProducerTable table;
    NaiveProducers naive;
    std::int64_t end = 0;
    for (int step = 0; step < 600; ++step) {
      if (random.chance(1, 25) && end > 0) {
        end = static_cast<std::int64_t>(
            random.between(static_cast<std::uint64_t>(std::max<std::int64_t>(end - 20, 0)), static_cast<std::uint64_t>(end)));
        naive.truncate(end);
        // An incomplete table is rebuilt, as its owner does; a complete one must equal the rebuilt one.
        if (!table.truncate(Offset(end))) table = naive.replay();
        ASSERT_EQ(table, naive.replay()) << "seed " << seed << " step " << step;
        continue;
      }
      BatchSpec spec =
          of_seven(end, static_cast<std::int32_t>(random.below(12)), 1, static_cast<std::int16_t>(random.below(2)));
      spec.producer = static_cast<std::int64_t>(random.below(3));
      const auto verdict = table.check(TestBatch(spec).view());
      const auto expected = naive.check(spec);
      ASSERT_EQ(verdict.ok(), expected != NaiveProducers::Verdict::kError) << "seed " << seed << " step " << step;
      if (!verdict.ok()) continue;
      ASSERT_EQ(verdict->has_value(), expected == NaiveProducers::Verdict::kRetry) << "seed " << seed << " step " << step;
      if (verdict->has_value()) continue;
      table.apply(TestBatch(spec).view(), WallTime{1});
      naive.apply(spec);
      ++end;
    }
  }
}

}  // namespace
}  // namespace pyralog::storage
