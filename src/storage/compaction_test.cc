#include "storage/compaction.h"

#include <gtest/gtest.h>

#include <map>

#include "record/batch_builder.h"
#include "storage/log_compaction.h"
#include "storage/log_world.h"

namespace pyralog::storage {
namespace {

constexpr WallTime kNow{1'700'000'000'000};
constexpr std::int64_t kRetention = 60'000;

struct Input {
  std::optional<std::string> key;
  std::optional<std::string> value;
};

Slice batch_of(std::initializer_list<Input> records, record::BatchBuilderOptions options = {}, WallTime at = WallTime{1000}) {
  record::BatchBuilder builder(options);
  for (const Input& record : records) {
    std::optional<ByteView> key, value;
    if (record.key.has_value()) key = as_bytes(*record.key);
    if (record.value.has_value()) value = as_bytes(*record.value);
    builder.append({.timestamp = at, .key = key, .value = value}).value();
  }
  return Slice::copy_of(builder.finish().value());
}

record::BatchView view(const Slice& batch) { return record::BatchView::parse(batch.view()).value(); }

/// One pass over batches, from offset 0.
class CompactionPassTest : public ::testing::Test {
 protected:
  void add(std::initializer_list<Input> records, record::BatchBuilderOptions options = {}) {
    options.base_offset = end_;
    batches_.push_back(batch_of(records, options));
    end_ = view(batches_.back()).end_offset();
  }

  /// What is left, "offset:key=value", and an empty batch as "[base]".
  std::string run(WallTime now = kNow, std::optional<Offset> noted_end = {}) {
    KeyMap keys(1u << 20);
    Random random(1);
    keys.clear(random);
    for (const Slice& batch : batches_) {
      if (view(batch).base_offset() < noted_end.value_or(end_)) (void)note_keys(keys, view(batch), Offset(0), decompressor_);
    }
    CompactionPass pass(keys, decompressor_, state_,
                        {.noted_end = noted_end.value_or(end_), .now = now, .delete_retention_ms = kRetention});
    std::string left;
    std::vector<Slice> kept;
    for (const Slice& batch : batches_) {
      const ByteView out = pass.apply(view(batch));
      if (out.empty()) continue;
      kept.push_back(Slice::copy_of(out));
      left += describe(view(kept.back()));
    }
    batches_ = std::move(kept);
    counts_ = pass.counts();
    horizon_ = pass.horizon();
    return left;
  }
  std::string describe(const record::BatchView& batch) {
    if (batch.records_count() == 0) return "[" + std::to_string(batch.base_offset().value) + "]";
    std::string text;
    auto records = record::RecordIterator::open(batch, decompressor_).value();
    for (record::RecordView record; records.next(record).value();) {
      text += std::to_string(record.offset.value) + ":" + std::string(as_text(record.key.value_or(ByteView()))) + "=" +
              (record.value.has_value() ? std::string(as_text(*record.value)) : "-") + " ";
    }
    return text;
  }
  /// The log's owner knows the producers of all batches.
  void know_producers() {
    for (const Slice& batch : batches_) state_.apply(view(batch), Offset(0), kNow);
  }

  record::Decompressor decompressor_;
  std::vector<Slice> batches_;
  Offset end_;
  LogState state_;
  CompactionCounts counts_;
  WallTime horizon_;
};

TEST_F(CompactionPassTest, KeepsTheLastRecordOfEachKey) {
  add({{"a", "1"}, {"b", "1"}});
  add({{"a", "2"}});
  add({{"c", "1"}, {"a", "3"}});
  EXPECT_EQ(run(), "1:b=1 3:c=1 4:a=3 ");
  EXPECT_EQ(counts_.superseded, 2u);
  EXPECT_EQ(counts_.records_read, 5u);
}

TEST_F(CompactionPassTest, KeepsTombstonesUntilTheirHorizonHasPassed) {
  add({{"a", "1"}, {"b", "1"}});
  add({{"a", {}}});
  EXPECT_EQ(run(), "1:b=1 2:a=- ");
  EXPECT_EQ(horizon_.ms, kNow.ms + kRetention);
  EXPECT_TRUE(view(batches_.back()).has_delete_horizon());
  EXPECT_EQ(run(WallTime{kNow.ms + kRetention}), "1:b=1 2:a=- ");
  EXPECT_EQ(horizon_.ms, kNow.ms + kRetention) << "set once";
  EXPECT_EQ(run(WallTime{kNow.ms + kRetention + 1}), "1:b=1 ");
  EXPECT_EQ(counts_.tombstones, 1u);
  EXPECT_LT(horizon_.ms, 0);
}

TEST_F(CompactionPassTest, LeavesWhatItDoesNotKnowTheKeysOf) {
  add({{"a", "1"}});
  add({{"a", "2"}, {"a", "3"}});
  EXPECT_EQ(run(kNow, Offset(1)), "0:a=1 1:a=2 2:a=3 ");
}

TEST_F(CompactionPassTest, KeepsAnEmptyBatchForAProducersLastSequence) {
  const auto by = [](std::int64_t producer, std::int32_t sequence) {
    record::BatchBuilderOptions options;
    options.producer_id = ProducerId(producer);
    options.producer_epoch = ProducerEpoch(0);
    options.base_sequence = sequence;
    return options;
  };
  add({{"a", "1"}}, by(1, 0));
  add({{"a", "2"}}, by(1, 1));
  add({{"a", "3"}}, by(2, 0));
  know_producers();
  EXPECT_EQ(run(), "[1]2:a=3 ");
  EXPECT_EQ(view(batches_.front()).last_sequence(), 1);
  EXPECT_EQ(run(), "[1]2:a=3 ") << "again and again";
  state_.set_producers({});
  EXPECT_EQ(run(), "2:a=3 ") << "until the producer is forgotten";
}

TEST_F(CompactionPassTest, KeepsEveryProducersBatchWhileProducersAreUnknown) {
  record::BatchBuilderOptions options;
  options.producer_id = ProducerId(1);
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = 0;
  add({{"a", "1"}}, options);
  add({{"a", "2"}});
  state_.forget_producers();
  EXPECT_EQ(run(), "[0]1:a=2 ");
}

TEST_F(CompactionPassTest, RemovesRecordsWithoutKey) {
  add({{{}, "1"}, {"a", "1"}});
  EXPECT_EQ(run(), "1:a=1 ");
  EXPECT_EQ(counts_.without_key, 1u);
}

TEST_F(CompactionPassTest, LetsTransactionsSupersedeNothing) {
  record::BatchBuilderOptions options;
  options.producer_id = ProducerId(1);
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = 0;
  options.transactional = true;
  add({{"a", "1"}});
  add({{"a", {}}}, options);  // perhaps it will be aborted
  know_producers();
  EXPECT_EQ(run(), "0:a=1 1:a=- ");
  EXPECT_EQ(run(WallTime{kNow.ms + 10 * kRetention}), "0:a=1 1:a=- ");
}

TEST_F(CompactionPassTest, LetsControlBatchesAlone) {
  record::BatchBuilderOptions options;
  options.producer_id = ProducerId(1);
  options.producer_epoch = ProducerEpoch(0);
  options.transactional = options.control = true;
  add({{"k", "commit"}}, options);
  add({{"k", "1"}});
  EXPECT_EQ(run(), "0:k=commit 1:k=1 ");
}

TEST_F(CompactionPassTest, KeepsTombstonesBehindABatchThatCannotBeRead) {
  add({{"a", "1"}}, {.codec = record::Codec::kZstd});
  Slice damaged = batches_.back();
  damaged.mutable_data()[damaged.size() - 1] ^= std::byte{1};  // nobody checks the checksum here
  damaged.mutable_data()[record::format::kHeaderBytes] ^= std::byte{1};
  const std::size_t damaged_bytes = damaged.size();
  add({{"a", {}}});
  // Its horizon is set by a pass that could read everything.
  batches_.erase(batches_.begin());
  (void)run();
  EXPECT_TRUE(view(batches_.front()).has_delete_horizon());
  const Slice tombstone = batches_.front();
  batches_ = {damaged, tombstone};
  KeyMap keys(1000);
  CompactionPass pass(keys, decompressor_, state_,
                      {.noted_end = end_, .now = WallTime{kNow.ms + 10 * kRetention}, .delete_retention_ms = kRetention});
  EXPECT_EQ(pass.apply(view(damaged)).size(), damaged_bytes);
  EXPECT_FALSE(pass.apply(view(tombstone)).empty());
  EXPECT_EQ(pass.counts().batches_unreadable, 1u);
}

TEST(CompactionCauses, AreKafkas) {
  LogSettings settings;
  CompactionBacklog backlog{.clean_bytes = 50, .dirty_bytes = 50};
  EXPECT_EQ(compaction_cause(backlog, settings, kNow), CompactionCause::kNone) << "not a compacted log";
  settings.compacts = true;
  EXPECT_EQ(compaction_cause(backlog, settings, kNow), CompactionCause::kNone) << "exactly half";
  backlog.dirty_bytes = 51;
  EXPECT_EQ(compaction_cause(backlog, settings, kNow), CompactionCause::kRatio);
  backlog = {.clean_bytes = 100, .dirty_bytes = 1, .oldest = WallTime{kNow.ms - 1001}};
  EXPECT_EQ(compaction_cause(backlog, settings, kNow), CompactionCause::kNone);
  settings.compaction_lag_ms_max = 1000;
  EXPECT_EQ(compaction_cause(backlog, settings, kNow), CompactionCause::kLag);
  settings.compaction_lag_ms_max = 1001;
  EXPECT_EQ(compaction_cause(backlog, settings, kNow), CompactionCause::kNone);
  backlog = {.clean_bytes = 100, .horizon = WallTime{kNow.ms - 1}};
  EXPECT_EQ(compaction_cause(backlog, settings, kNow), CompactionCause::kTombstones);
  backlog.horizon = kNow;
  EXPECT_EQ(compaction_cause(backlog, settings, kNow), CompactionCause::kNone);
}

/// A log whose segments are rolled by hand.
class LogCompactionTest : public ::testing::Test {
 protected:
  static LogSettings settings() {
    LogSettings settings;
    settings.compacts = true;
    settings.deletes_old = false;
    return settings;
  }
  void append(std::initializer_list<Input> records) {
    const Slice batch = batch_of(records, {}, now());
    ASSERT_TRUE(world_.run(world_.log().prepare()).ok());
    world_.node.reactor->enter([&] { ASSERT_TRUE(world_.log().append(batch).ok()); });
  }
  void roll() {
    world_.roll();
    world_.settle();
  }
  WallTime now() {
    return world_.node.reactor->enter([] { return io::Reactor::current().wall_now(); });
  }
  CompactionBacklog backlog() { return world_.run(world_.log().compaction_backlog(now())).value(); }
  Result<> compact(LogCompaction::Options options) {
    io::AbortSource never;
    LogCompaction compaction(world_.log(), std::move(options), never);
    const Result<> done = world_.run(compaction.run(now()));
    report_ = compaction.report();
    return done;
  }

  fixture::LogWorld world_{1, settings()};
  CompactionReport report_;
};

TEST_F(LogCompactionTest, MergesSegmentsAndServesTheGaps) {
  append({{"a", "1"}});
  append({{"b", "1"}});
  roll();
  append({{"a", "2"}});
  roll();
  append({{"c", "1"}});
  EXPECT_EQ(backlog().end, Offset(3));
  ASSERT_TRUE(compact({.map_bytes_max = 1u << 20}).ok());
  EXPECT_EQ(report_.segments_before, 3u);
  EXPECT_EQ(report_.segments_after, 2u);
  EXPECT_EQ(world_.log().log_end(), Offset(4));
  EXPECT_EQ(world_.log().start(), Offset(0));
  EXPECT_EQ(backlog().dirty_bytes, 0u);
  // From within the gap on, the batch behind it.
  const auto [bytes, end] = world_.read({.offset = Offset(0), .bytes_max = 1});
  EXPECT_EQ(record::BatchView::parse(bytes)->base_offset(), Offset(1));
  EXPECT_EQ(end, Offset(2));
  world_.restart();
  EXPECT_EQ(record::BatchView::parse(world_.read({.offset = Offset(0), .bytes_max = 1}).first)->base_offset(), Offset(1));
  EXPECT_EQ(backlog().from, Offset(3)) << "how far compaction has come survives";
}

TEST_F(LogCompactionTest, ServesNothingBehindTheLastRecordThatIsLeft) {
  auto short_lived = settings();
  short_lived.delete_retention_ms = 0;
  world_.apply(short_lived);
  append({{"a", "1"}});
  roll();
  append({{"a", std::nullopt}});
  roll();  // the active segment is empty
  for (int pass = 0; pass < 2; ++pass) {
    ASSERT_TRUE(compact({.map_bytes_max = 1u << 20}).ok());
    world_.node.world.run_for(std::chrono::hours(1));
  }
  EXPECT_EQ(world_.log().high_watermark(), Offset(2));
  const auto [bytes, end] = world_.read({.offset = Offset(0), .bytes_max = 1});
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(end, Offset(0));
}

TEST_F(LogCompactionTest, CompactsALogWhoseKeysDoNotFitInSeveralPasses) {
  for (int round = 0; round < 2; ++round) {
    for (int key = 0; key < 100; ++key) append({{"key " + std::to_string(key), std::to_string(round)}});
    roll();
  }
  append({{"last", "1"}});
  ASSERT_TRUE(compact({.map_bytes_max = 0}).ok());
  EXPECT_GT(report_.passes, 5u);
  EXPECT_EQ(report_.counts.superseded, 100u);
}

TEST_F(LogCompactionTest, LeavesReadersTheFileThatTheyHold) {
  append({{"a", "1"}, {"b", "1"}});
  roll();
  append({{"a", "2"}});
  roll();
  const ReadResult held = world_.try_read({.offset = Offset(0), .bytes_max = 1}).value();
  const auto before = world_.flatten(held);
  append({{"c", "1"}});
  ASSERT_TRUE(compact({.map_bytes_max = 1u << 20}).ok());
  EXPECT_EQ(world_.flatten(held), before);
}

TEST_F(LogCompactionTest, WaitsForTheShortestLag) {
  auto lagging = settings();
  lagging.compaction_lag_ms_min = 60 * 60 * 1000;
  world_.apply(lagging);
  append({{"a", "1"}});
  roll();
  EXPECT_EQ(backlog().dirty_bytes, 0u);
  world_.node.world.run_for(std::chrono::hours(2));
  EXPECT_GT(backlog().dirty_bytes, 0u);
}

TEST_F(LogCompactionTest, RollsASegmentThatMayNotStayAsItIs) {
  auto lagging = settings();
  lagging.compaction_lag_ms_max = 60'000;
  world_.apply(lagging);
  append({{"a", "1"}});
  world_.settle();
  EXPECT_EQ(backlog().dirty_bytes, 0u);
  world_.node.world.run_for(std::chrono::minutes(2));
  (void)backlog();  // rolls
  world_.settle();
  const CompactionBacklog due = backlog();
  EXPECT_GT(due.dirty_bytes, 0u);
  EXPECT_EQ(compaction_cause(due, world_.log().settings(), now()), CompactionCause::kRatio);
}

TEST_F(LogCompactionTest, NamesTheDamagedSegmentAndLeavesItAlone) {
  append({{"a", "1"}});
  roll();
  append({{"a", "2"}});
  roll();
  append({{"b", "1"}});
  world_.settle();
  world_.node.disk().flip_bit(world_.path(Offset(0), FileKind::kLog), 65 * 8);
  const Result<> done = compact({.map_bytes_max = 1u << 20});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(done.error().to_string().find("00000000000000000000.log"), std::string::npos) << done.error().to_string();
  EXPECT_EQ(world_.log().files().segments().size(), 3u);
}

TEST_F(LogCompactionTest, EndsWhenItIsCancelled) {
  for (int i = 0; i < 400; ++i) append({{"a", std::string(2000, 'v')}});
  roll();
  append({{"b", "1"}});
  const Result<> done = compact({.map_bytes_max = 1u << 20, .cancelled = [] { return true; }});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code(), ErrorCode::kAborted);
}

TEST_F(LogCompactionTest, KeepsItsRate) {
  for (int i = 0; i < 500; ++i) append({{"a", std::string(2000, 'v')}});
  roll();
  append({{"b", "1"}});
  const MonotonicTime started = world_.node.reactor->now();
  ASSERT_TRUE(compact({.map_bytes_max = 1u << 20, .bytes_per_second = 100'000}).ok());
  const double seconds = std::chrono::duration<double>(world_.node.reactor->now() - started).count();
  const double rate = static_cast<double>(report_.bytes_read + report_.bytes_written) / seconds;
  EXPECT_LT(rate, 150'000);
  EXPECT_GT(rate, 50'000);
}

/// A log with much to compact, on a disk that has little room.
class CompactionRoomTest : public LogCompactionTest {
 protected:
  CompactionRoomTest() {
    for (int segment = 0; segment < 2; ++segment) {
      for (int i = 0; i < 100; ++i) append({{"key " + std::to_string(i), std::string(2000, 'v')}});
      roll();
    }
    append({{"last", "1"}});
    world_.settle();
    before_ = segments();
    EXPECT_EQ(before_.size(), 3u);
  }
  void leave_room(std::uint64_t bytes) { disk().options().capacity_bytes = disk().used_bytes() + bytes; }
  void make_room() { disk().options().capacity_bytes = std::uint64_t{1} << 40; }
  io::VirtualDisk& disk() { return world_.node.disk(); }
  std::map<std::string, std::vector<std::byte>> segments() {
    std::map<std::string, std::vector<std::byte>> contents;
    for (const std::string& path : disk().files()) {
      const auto name = parse_file_name(path.substr(path.rfind('/') + 1));
      const bool is_segment = name.has_value() && (name->kind == FileKind::kLog || name->kind == FileKind::kCompacting);
      if (is_segment) contents[path] = disk().contents(path);
    }
    return contents;
  }
  void expect_refused(std::function<bool()> cancelled = {}) {
    const Result<> done = compact({.map_bytes_max = 1u << 20, .cancelled = std::move(cancelled)});
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code(), ErrorCode::kNoSpace) << done.error().to_string();
    EXPECT_EQ(segments(), before_);
    EXPECT_FALSE(world_.node.store->failure().has_value());
    EXPECT_EQ(world_.log().files().replacements(), 0u);
  }
  void expect_done_with_room() {
    make_room();
    ASSERT_TRUE(compact({.map_bytes_max = 1u << 20}).ok());
    EXPECT_EQ(report_.counts.superseded, 100u);
    world_.restart();
    EXPECT_EQ(record::BatchView::parse(world_.read({.offset = Offset(0), .bytes_max = 1}).first)->base_offset(), Offset(100));
  }

  std::map<std::string, std::vector<std::byte>> before_;
};

TEST_F(CompactionRoomTest, WithoutItNothingIsBegun) {
  leave_room(100'000);
  expect_refused();
  EXPECT_EQ(report_.bytes_written, 0u);
  append({{"last", "2"}});  // appends still find some
  expect_done_with_room();
}

TEST_F(CompactionRoomTest, WhatOthersTakeMeanwhileEndsItAndLeavesNothingBehind) {
  const auto fill_once_begun = [this] {
    if (segments().size() > before_.size()) leave_room(0);
    return false;
  };
  expect_refused(fill_once_begun);
  EXPECT_GT(report_.bytes_written, 0u);
  expect_done_with_room();
}

}  // namespace
}  // namespace pyralog::storage
