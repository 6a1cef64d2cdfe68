// A log under random operations, against a list of batches in memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "storage/log_world.h"

namespace pyralog::storage {
namespace {

using fixture::BatchSpec;
using fixture::LogWorld;
using io::CrashMode;

struct ModelBatch {
  Offset base;
  Offset end;
  std::vector<std::byte> bytes;
  std::vector<std::int64_t> timestamps;
  BatchSpec spec;
};

LogSettings small_segments(DurabilityClass durability) {
  LogSettings settings;
  settings.write_caching = durability == DurabilityClass::kCached;
  settings.flush_ms = 500;
  settings.segment_bytes = 12'000;
  settings.retention_ms = LogSettings::kUnbounded;
  settings.retention_bytes = 40'000;
  return settings;
}

StoreGeometry small_geometry() {
  StoreGeometry geometry;
  geometry.journal_file_bytes = 1u << 20;
  geometry.journal_bytes_max = 4u << 20;
  geometry.round_bytes_max = 256u << 10;
  geometry.clean_journal_bytes_min = 64u << 10;
  geometry.pass_bytes_max = 32u << 10;
  geometry.direct_pass_bytes_min = 8u << 10;
  geometry.tail_cache_bytes_max = 16u << 10;
  return geometry;
}

class ModelRun {
 public:
  ModelRun(std::uint64_t seed, DurabilityClass durability)
      : random_(seed), durability_(durability), switches_(durability == DurabilityClass::kCached),
        world_(seed, small_segments(durability), CommitRule::kExternal, small_geometry()) {}

  void step() {
    const std::uint64_t draw = random_.below(1000);
    if (draw < 350)
      append();
    else if (draw < 420)
      retry();
    else if (draw < 480)
      sync();
    else if (draw < 540)
      commit();
    else if (draw < 780)
      read();
    else if (draw < 840)
      find_time();
    else if (draw < 860)
      newest();
    else if (draw < 880)
      truncate();
    else if (draw < 900)
      world_.roll();
    else if (draw < 915)
      delete_records();
    else if (draw < 930)
      retain();
    else if (draw < 940)
      world_.run(world_.log().rest());
    else if (draw < 945 && switches_)
      change_class();
    else if (draw < 980)
      world_.node.world.run_for(std::chrono::milliseconds(random_.below(4000)));
    else if (draw < 988)
      restart();
    else
      crash();
    check_ends();
  }

 private:
  PartitionLog& log() { return world_.log(); }
  Offset model_end() const { return batches_.empty() ? empty_end_ : batches_.back().end; }

  void append() {
    BatchSpec spec{.records = static_cast<int>(random_.between(1, 6)),
                   .value_bytes = random_.between(1, random_.chance(1, 5) ? 1500 : 150),
                   .timestamp = 100'000 + static_cast<std::int64_t>(random_.below(2000) + 10 * steps_++),
                   .timestamp_step = static_cast<std::int64_t>(random_.below(40)) - 10,
                   .codec = static_cast<record::Codec>(random_.below(5))};
    if (random_.chance(1, 2)) {
      spec.producer = static_cast<std::int64_t>(random_.below(6));
      spec.sequence = next_sequence(spec.producer);
    }
    const auto appended = world_.append(spec);
    ASSERT_TRUE(appended.ok()) << appended.error().to_string();
    ASSERT_FALSE(appended->is_duplicate);
    ASSERT_EQ(appended->base, model_end());
    newest_round_ = appended->round;
    ModelBatch batch{
        .base = appended->base, .end = appended->end, .bytes = fixture::make_batch(spec), .timestamps = {}, .spec = spec};
    store_big(batch.bytes.data() + record::format::kBaseOffsetAt, batch.base.value);
    store_big(batch.bytes.data() + record::format::kLeaderEpochAt, log().leader_epoch().value);
    for (int i = 0; i < spec.records; ++i) batch.timestamps.push_back(spec.timestamp + i * spec.timestamp_step);
    batches_.push_back(std::move(batch));
  }

  /// What follows the producer's newest batch that is still in the log.
  std::int32_t next_sequence(std::int64_t producer) const {
    for (auto batch = batches_.rbegin(); batch != batches_.rend(); ++batch) {
      if (batch->spec.producer == producer) return batch->spec.sequence + batch->spec.records;
    }
    const auto known = sequences_deleted_.find(producer);
    return known == sequences_deleted_.end() ? 0 : known->second;
  }

  void retry() {
    std::map<std::int64_t, int> seen;
    for (auto batch = batches_.rbegin(); batch != batches_.rend(); ++batch) {
      if (batch->spec.producer < 0 || ++seen[batch->spec.producer] > 5 || !random_.chance(1, 3)) continue;
      const auto appended = world_.append(batch->spec);
      ASSERT_TRUE(appended.ok()) << appended.error().to_string();
      ASSERT_TRUE(appended->is_duplicate);
      ASSERT_EQ(appended->base, batch->base);
      ASSERT_EQ(appended->end, batch->end);
      return;
    }
  }

  void sync() {
    if (durability_ == DurabilityClass::kCached) {
      // The log's last block will be written to again, so what is in it is not safe from every power cut.
      world_.flush();
      synced_ = std::max(synced_, log().files().durable_end());
      return;
    }
    world_.node.sync(newest_round_);
    synced_ = model_end();
    ASSERT_EQ(log().files().durable_end(), synced_);
  }
  void change_class() {
    const bool caches = durability_ == DurabilityClass::kCached;
    durability_ = caches ? DurabilityClass::kDurable : DurabilityClass::kCached;
    world_.apply(small_segments(durability_));
    ASSERT_EQ(log().files().durability(), durability_);
    ASSERT_EQ(log().files().durable_end(), log().log_end());
    synced_ = model_end();
    newest_round_ = {};
  }
  void commit() {
    sync();
    if (batches_.empty()) return;
    const ModelBatch& upto = batches_[random_.below(batches_.size())];
    if (upto.end > synced_) return;
    log().advance_high_watermark(upto.end);
    high_watermark_ = std::max(high_watermark_, upto.end);
  }

  void read() {
    ReadOptions options{.offset = random_offset(),
                        .bytes_max = random_.below(random_.chance(1, 3) ? 40'000 : 3000),
                        .limit = random_.chance(1, 3) ? ReadLimit::kLogEnd : ReadLimit::kHighWatermark,
                        .first_batch = random_.chance(1, 3) ? FirstBatch::kIfItFits : FirstBatch::kAlways};
    const auto result = world_.try_read(options);
    if (options.offset < start_ || options.offset > model_end()) {
      ASSERT_FALSE(result.ok());
      ASSERT_EQ(result.error(), ErrorCode::kOutOfRange);
      return;
    }
    ASSERT_TRUE(result.ok()) << result.error().to_string();
    const auto [bytes, end] = expected_read(options);
    ASSERT_EQ(result->end, end) << "offset " << options.offset.value << " bytes " << options.bytes_max;
    ASSERT_EQ(world_.flatten(*result), bytes);
  }
  std::pair<std::vector<std::byte>, Offset> expected_read(const ReadOptions& options) {
    const Offset limit = options.limit == ReadLimit::kLogEnd ? model_end() : high_watermark_;
    std::vector<std::byte> bytes;
    Offset end = options.offset;
    std::optional<Offset> segment_end;
    for (const ModelBatch& batch : batches_) {
      if (batch.end <= options.offset || options.offset >= limit) continue;
      if (!segment_end.has_value()) segment_end = end_of_segment(batch.base);
      if (batch.end > limit || batch.base >= *segment_end) break;
      const bool fits = bytes.size() + batch.bytes.size() <= options.bytes_max;
      if (!fits && !(bytes.empty() && options.first_batch == FirstBatch::kAlways)) break;
      bytes.insert(bytes.end(), batch.bytes.begin(), batch.bytes.end());
      end = batch.end;
      if (!fits) break;
    }
    return {bytes, end};
  }
  Offset end_of_segment(Offset offset) {
    for (const Segment& segment : log().files().segments()) {
      if (segment.base > offset) return segment.base;
    }
    return model_end();
  }
  Offset random_offset() {
    const std::uint64_t span = static_cast<std::uint64_t>((model_end() - start_).value);
    return start_ + OffsetDelta(static_cast<std::int64_t>(random_.below(span + 3)) - 1);
  }

  std::optional<TimestampedOffset> expected_time(std::int64_t time, Offset limit) const {
    for (const ModelBatch& batch : batches_) {
      for (std::size_t i = 0; i < batch.timestamps.size(); ++i) {
        const Offset offset = batch.base + OffsetDelta(static_cast<std::int64_t>(i));
        if (offset < start_ || batch.timestamps[i] < time) continue;
        if (offset >= limit) return std::nullopt;
        return TimestampedOffset{offset, WallTime{batch.timestamps[i]}, LeaderEpoch(0)};
      }
    }
    return std::nullopt;
  }
  void expect_same(const Result<std::optional<TimestampedOffset>>& found, const std::optional<TimestampedOffset>& expected) {
    ASSERT_TRUE(found.ok()) << found.error().to_string();
    ASSERT_EQ(found->has_value(), expected.has_value());
    if (!expected.has_value()) return;
    ASSERT_EQ((*found)->offset, expected->offset);
    ASSERT_EQ((*found)->timestamp, expected->timestamp);
  }
  void find_time() {
    const std::int64_t time = 100'000 + static_cast<std::int64_t>(random_.below(2500 + 10 * steps_));
    expect_same(world_.run(log().offset_for_time(WallTime{time}, ReadLimit::kHighWatermark)),
                expected_time(time, high_watermark_));
  }
  void newest() {
    std::int64_t newest = -1;
    for (const ModelBatch& batch : batches_) {
      // Batches are judged by their headers, so one that reaches below the start counts with all its records.
      if (batch.end <= start_) continue;
      newest = std::max(newest, *std::ranges::max_element(batch.timestamps));
    }
    const auto found = world_.run(log().newest_timestamp(ReadLimit::kLogEnd));
    if (newest < 0) return expect_same(found, std::nullopt);
    expect_same(found, expected_time(newest, model_end()));
  }

  void truncate() {
    const std::uint64_t span = static_cast<std::uint64_t>((model_end() - high_watermark_).value);
    const Offset end = high_watermark_ + OffsetDelta(static_cast<std::int64_t>(random_.below(span + 1)));
    const auto done = world_.run(log().truncate(end));
    const bool cuts_committed = std::ranges::any_of(
        batches_, [&](const ModelBatch& batch) { return batch.base < high_watermark_ && batch.base < end && end < batch.end; });
    if (cuts_committed) {  // the watermark lies within a batch where the log's start does
      ASSERT_FALSE(done.ok());
      ASSERT_EQ(done.error(), ErrorCode::kOutOfRange);
      return;
    }
    ASSERT_TRUE(done.ok()) << done.error().to_string();
    while (!batches_.empty() && batches_.back().end > end) drop_last();
    ASSERT_EQ(*done, model_end());
    synced_ = std::min(synced_, model_end());
  }
  void drop_last() {
    empty_end_ = batches_.back().base;
    batches_.pop_back();
  }

  void delete_records() {
    const std::uint64_t span = static_cast<std::uint64_t>((high_watermark_ - start_).value);
    const Offset before = start_ + OffsetDelta(static_cast<std::int64_t>(random_.below(span + 1)));
    const auto done = world_.run(log().delete_records(before));
    ASSERT_TRUE(done.ok()) << done.error().to_string();
    ASSERT_EQ(*done, before);
    adopt_start();
  }
  void retain() {
    const std::uint64_t bytes = log().bytes();
    const auto done = world_.run(log().retain(world_.node.reactor->wall_now()));
    ASSERT_TRUE(done.ok()) << done.error().to_string();
    if (log().start() > start_) {
      ASSERT_GT(bytes, log().bytes());
      ASSERT_GE(log().bytes(), 40'000u);
      ASSERT_LE(log().start(), high_watermark_);
    }
    adopt_start();
  }
  void adopt_start() {
    start_ = log().start();
    const Offset first = log().files().segments().front().base;
    while (!batches_.empty() && batches_.front().end <= first) {
      const BatchSpec& spec = batches_.front().spec;
      if (spec.producer >= 0) sequences_deleted_[spec.producer] = spec.sequence + spec.records;
      empty_end_ = batches_.front().end;
      batches_.erase(batches_.begin());
    }
  }

  void restart() {
    world_.restart();
    synced_ = model_end();
    after_start();
  }
  void crash() {
    world_.crash(static_cast<CrashMode>(random_.below(3)));
    const Offset end = log().log_end();
    ASSERT_GE(end, synced_);
    ASSERT_LE(end, model_end());
    while (!batches_.empty() && batches_.back().end > end) drop_last();
    ASSERT_EQ(model_end(), end) << "the log ends within a batch";
    synced_ = end;
    after_start();
  }
  void after_start() {
    ASSERT_EQ(log().start(), start_);
    high_watermark_ = log().high_watermark();
    newest_round_ = {};
    // The indexes are only caches.
    for (const Segment& segment : log().files().segments()) {
      for (const FileKind kind : {FileKind::kIndex, FileKind::kTimeIndex}) {
        const std::string path = world_.path(segment.base, kind);
        if (!world_.node.disk().has(path) || !random_.chance(1, 4)) continue;
        const std::size_t size = world_.node.disk().contents(path).size();
        if (size == 0 || random_.chance(1, 2))
          world_.node.disk().erase(path);
        else
          world_.node.disk().flip_bit(path, random_.below(size * 8));
      }
    }
  }

  void check_ends() {
    ASSERT_EQ(log().log_end(), model_end());
    ASSERT_EQ(log().start(), start_);
    ASSERT_EQ(log().high_watermark(), high_watermark_);
  }

  Random random_;
  DurabilityClass durability_;
  bool switches_;
  LogWorld world_;
  std::vector<ModelBatch> batches_;  // from the first segment's base on
  std::map<std::int64_t, std::int32_t> sequences_deleted_;
  Offset empty_end_;
  Offset start_;
  Offset high_watermark_;
  Offset synced_;
  RoundSequence newest_round_;
  std::uint64_t steps_ = 0;
};

class PartitionLogModel : public testing::TestWithParam<std::uint64_t> {};

void run_model(std::uint64_t seed, DurabilityClass durability) {
  ModelRun run(seed, durability);
  for (int i = 0; i < 500; ++i) {
    run.step();
    if (testing::Test::HasFatalFailure()) {
      ADD_FAILURE() << "seed " << seed << " step " << i;
      return;
    }
  }
}

TEST_P(PartitionLogModel, BehavesLikeAListOfBatches) { run_model(GetParam(), DurabilityClass::kDurable); }

class CachedPartitionLogModel : public testing::TestWithParam<std::uint64_t> {};

TEST_P(CachedPartitionLogModel, BehavesLikeAListOfBatchesWhateverItsClass) { run_model(GetParam(), DurabilityClass::kCached); }

INSTANTIATE_TEST_SUITE_P(Seeds, PartitionLogModel, testing::Range<std::uint64_t>(1, 21));
INSTANTIATE_TEST_SUITE_P(Seeds, CachedPartitionLogModel, testing::Range<std::uint64_t>(1, 21));
// A snapshot that was being written during a truncation outlived it.
INSTANTIATE_TEST_SUITE_P(Regressions, PartitionLogModel, testing::Values(1595, 1640));

}  // namespace
}  // namespace pyralog::storage
