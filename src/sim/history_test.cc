#include "sim/history.h"

#include <gtest/gtest.h>

namespace pyralog::sim {
namespace {

constexpr PartitionIndex kFirst{0};
constexpr MonotonicTime at(int ms) { return MonotonicTime(std::chrono::milliseconds(ms)); }

/// One log, and batches of two values sent at 10, 20, 30 ... ms, each acknowledged 5 ms later at the next offsets.
class HistoryTest : public ::testing::Test {
 protected:
  void write(int batches) {
    for (int i = 1; i <= batches; ++i) {
      const std::size_t sending = send(i * 10);
      history.acknowledge(sending, end, at(i * 10 + 5), 1);
      end += OffsetDelta(2);
    }
  }
  std::size_t send(int ms) {
    return history.send({.log = log, .partition = kFirst, .first = history.take_values(2), .count = 2, .session = 1,
                         .invoked = at(ms)});
  }
  bool is_good(std::vector<std::uint64_t> values, std::int64_t start = 0) {
    History::Content content{.start = Offset(start), .end = Offset(start + static_cast<std::int64_t>(values.size()))};
    for (const std::uint64_t value : values) content.values.emplace_back(value);
    history.audit(log, kFirst, content);
    return !history.violation().has_value();
  }
  void read(std::int64_t offset, std::uint64_t value) {
    history.read(log, kFirst, Offset(offset), as_bytes(make_value(ValueId(value), 20)));
  }

  Coverage coverage;
  History history{coverage};
  std::size_t log = history.add_log({.name = "orders"});
  Offset end;
};

TEST_F(HistoryTest, AcceptsWhatWasAcknowledged) {
  write(2);
  read(1, 1);
  EXPECT_TRUE(is_good({0, 1, 2, 3}));
}

TEST_F(HistoryTest, AcceptsAnUnansweredBatchThatIsThere) {
  write(1);
  send(20);
  EXPECT_TRUE(is_good({0, 1, 2, 3}));
}

TEST_F(HistoryTest, SeesALostBatch) {
  write(2);
  EXPECT_FALSE(is_good({0, 1}));
}

TEST_F(HistoryTest, SeesHalfABatch) {
  write(1);
  send(20);
  EXPECT_FALSE(is_good({0, 1, 2}));
}

TEST_F(HistoryTest, SeesAValueThatNobodySent) {
  write(1);
  EXPECT_FALSE(is_good({0, 1, 7}));
}

TEST_F(HistoryTest, SeesAnotherOffsetThanTheAcknowledgedOne) {
  write(1);
  send(20);
  EXPECT_FALSE(is_good({2, 3, 0, 1}));
}

TEST_F(HistoryTest, SeesADuplicate) {
  send(10);
  EXPECT_FALSE(is_good({0, 1, 0, 1}));
}

TEST_F(HistoryTest, SeesARefusedValue) {
  history.refuse(send(10), at(15));
  EXPECT_FALSE(is_good({0, 1}));
}

TEST_F(HistoryTest, SeesASessionOutOfOrder) {
  send(10);
  send(20);
  EXPECT_FALSE(is_good({2, 3, 0, 1}));
}

TEST_F(HistoryTest, SeesAnInversionInRealTime) {
  const std::size_t first = send(10);
  history.acknowledge(first, std::nullopt, at(15), 1);
  history.send({.log = log, .partition = kFirst, .first = history.take_values(2), .count = 2, .session = 2, .invoked = at(20)});
  EXPECT_FALSE(is_good({2, 3, 0, 1}));
}

TEST_F(HistoryTest, SeesARecordChangeAfterItWasRead) {
  send(10);
  send(20);
  read(0, 0);
  read(0, 2);
  EXPECT_TRUE(history.violation().has_value());
}

TEST_F(HistoryTest, SeesAReadRecordVanish) {
  send(10);
  read(0, 0);
  EXPECT_FALSE(is_good({}));
}

TEST_F(HistoryTest, SeesTheEndGoBack) {
  write(2);
  history.saw_end(log, kFirst, history.floor(log, kFirst, 1), Offset(3), 1);
  EXPECT_TRUE(history.violation().has_value());
}

TEST_F(HistoryTest, SeesRecordsGoThatNobodyDeleted) {
  write(2);
  EXPECT_FALSE(is_good({2, 3}, 2));
}

TEST_F(HistoryTest, AcceptsRecordsGoneThatWereDeleted) {
  write(2);
  history.ask_start(log, kFirst, Offset(2));
  history.start_moved(log, kFirst, Offset(2));
  EXPECT_TRUE(is_good({2, 3}, 2));
}

TEST_F(HistoryTest, SeesDeletedRecordsComeBack) {
  write(2);
  history.ask_start(log, kFirst, Offset(2));
  history.start_moved(log, kFirst, Offset(2));
  EXPECT_FALSE(is_good({0, 1, 2, 3}));
}

TEST_F(HistoryTest, LetsACachedLogLoseItsEndOnly) {
  history.ask_class(log, true);
  write(3);
  EXPECT_TRUE(is_good({0, 1, 2, 3}));
  EXPECT_FALSE(is_good({0, 1, 4, 5}));
}

TEST_F(HistoryTest, KeepsWhatWasAcknowledgedBeforeALogBecameCached) {
  write(2);
  history.ask_class(log, true);
  EXPECT_TRUE(is_good({0, 1, 2, 3}));
  EXPECT_FALSE(is_good({0, 1}));
}

TEST_F(HistoryTest, DoesNotTakeForDurableWhatWasUnderWayWhenALogBecameCached) {
  write(1);
  const std::size_t sending = send(20);
  history.ask_class(log, true);
  history.acknowledge(sending, end, at(25), 1);
  EXPECT_TRUE(is_good({0, 1}));
}

TEST_F(HistoryTest, KeepsWhatWasAcknowledgedBeforeALogBecameDurable) {
  history.ask_class(log, true);
  write(2);
  history.ask_class(log, false);
  history.became_durable(log, at(30), 1);
  EXPECT_FALSE(is_good({0, 1}));
}

TEST_F(HistoryTest, LetsALogBecomeDurableThatLostItsEndInAnEarlierLife) {
  history.ask_class(log, true);
  write(2);
  history.ask_class(log, false);
  history.became_durable(log, at(30), 2);
  EXPECT_TRUE(is_good({0, 1}));
}

TEST_F(HistoryTest, SeesAProducerIdTwice) {
  history.took_producer_id(ProducerId(5));
  history.took_producer_id(ProducerId(5));
  EXPECT_TRUE(history.violation().has_value());
}

}  // namespace
}  // namespace pyralog::sim
