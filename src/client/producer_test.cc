#include "client/producer.h"

#include <gtest/gtest.h>

#include "client/log_client_fixture.h"
#include "io/when_all.h"

namespace pyralog::client {
namespace {

using protocol::KafkaError;
using testing::FakeLog;
using testing::LogClientTest;
using testing::numbers;

io::Task<Result<>> append_numbers(Producer& producer, int begin, int end, std::optional<PartitionIndex> partition) {
  for (int i = begin; i < end; ++i) {
    ProducerRecord record;
    record.value = std::to_string(i);
    record.partition = partition;
    PYRALOG_CO_TRY(co_await producer.append(std::move(record)));
  }
  co_return Result<>();
}

class ProducerTest : public LogClientTest {
 protected:
  void TearDown() override {
    if (producer != nullptr) world.run(client, producer->close());
    producer.reset();
    LogClientTest::TearDown();
  }
  void open(ProducerOptions options) {
    producer = world.run(client, Producer::open(*cluster, std::string(FakeLog::kName), options)).value();
  }
  /// Batches of about ten records.
  static ProducerOptions small_batches() { return {.batch_bytes_max = 61 + 10 * 14}; }
  Result<> produce(int begin, int end, std::optional<PartitionIndex> partition = PartitionIndex(0)) {
    return world.run(client, append_numbers(*producer, begin, end, partition));
  }
  Result<> flush() { return world.run(client, producer->flush()); }
  const std::vector<std::string>& values(std::size_t partition = 0) const { return log.partitions[partition].values; }

  std::unique_ptr<Producer> producer;
};

TEST_F(ProducerTest, RecordsArriveInOrderInBatches) {
  open(small_batches());
  ASSERT_TRUE(produce(0, 200).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(values(), numbers(0, 200));
  EXPECT_EQ(producer->records_acknowledged(), 200u);
  EXPECT_GT(log.produced, 10);
  EXPECT_LT(log.produced, 60);
}

TEST_F(ProducerTest, ALingeringBatchIsSentWithoutFlush) {
  open({});
  ASSERT_TRUE(produce(0, 3).ok());
  world.run_for(std::chrono::milliseconds(100));
  EXPECT_EQ(values(), numbers(0, 3));
  EXPECT_EQ(producer->records_acknowledged(), 3u);
}

TEST_F(ProducerTest, KeylessRecordsSpreadAndOtherPartitionsAreRefused) {
  open(small_batches());
  ASSERT_TRUE(produce(0, 200, std::nullopt).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(values(0).size() + values(1).size(), 200u);
  EXPECT_GT(values(0).size(), 50u);
  EXPECT_GT(values(1).size(), 50u);
  EXPECT_EQ(produce(0, 1, PartitionIndex(2)).error().code(), ErrorCode::kOutOfRange);
}

TEST_F(ProducerTest, WaitsForAServerThatHasNoProducerIdsYet) {
  log.producer_ids_refused = 5;
  open({});
  ASSERT_TRUE(produce(0, 3).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(log.partitions[0].appended.size(), 1u);
}

TEST_F(ProducerTest, ALostAnswerDoublesNothing) {
  open(small_batches());
  log.answers = [this](int n) {
    if (n != 4) return true;
    broker.hang_up();
    return false;
  };
  ASSERT_TRUE(produce(0, 300).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(values(), numbers(0, 300));
  EXPECT_EQ(producer->records_acknowledged(), 300u);
}

TEST_F(ProducerTest, ARefusedBatchAndThoseBehindItAreSentAgainInOrder) {
  open(small_batches());
  log.refuse = [](int n) { return n == 3 || n == 9 ? std::optional(KafkaError::kNotEnoughReplicas) : std::nullopt; };
  ASSERT_TRUE(produce(0, 300).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(values(), numbers(0, 300));
}

TEST_F(ProducerTest, ANewLeaderIsFound) {
  open(small_batches());
  ASSERT_TRUE(produce(0, 50).ok());
  ASSERT_TRUE(flush().ok());
  log.partitions[0].leader = NodeId(2);
  ASSERT_TRUE(produce(50, 100).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(values(), numbers(0, 100));
}

TEST_F(ProducerTest, WhatCannotHelpIsNotTriedAgain) {
  open(small_batches());
  log.refuse = [](int) { return std::optional(KafkaError::kInvalidRecord); };
  (void)produce(0, 10);
  EXPECT_EQ(flush().error().code(), ErrorCode::kInvalidRecord);
  EXPECT_EQ(produce(10, 11).error().code(), ErrorCode::kInvalidRecord);
  EXPECT_EQ(log.produced, 1);
}

TEST_F(ProducerTest, ADeletedLogIsNotFound) {
  open(small_batches());
  log.refuse = [](int) { return std::optional(KafkaError::kUnknownTopicOrPartition); };
  log.exists = false;
  (void)produce(0, 10);
  EXPECT_EQ(flush().error().code(), ErrorCode::kNotFound);
}

TEST_F(ProducerTest, WithoutIdempotenceALostAnswerIsAnUnknownOutcome) {
  ProducerOptions options = small_batches();
  options.idempotent = false;
  open(options);
  log.answers = [this](int) {
    broker.hang_up();
    return false;
  };
  (void)produce(0, 10);
  EXPECT_EQ(flush().error().code(), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(values(), numbers(0, 10));
}

TEST_F(ProducerTest, AServerThatStaysAwayEndsInAnErrorAfterTheDeliveryTimeout) {
  ProducerOptions options = small_batches();
  options.delivery_timeout = std::chrono::seconds(20);
  open(options);
  world.network().cut_both(NodeId(1), NodeId(9));
  world.network().cut_both(NodeId(2), NodeId(9));
  (void)produce(0, 10);
  const MonotonicTime start = world.now();
  EXPECT_FALSE(flush().ok());
  EXPECT_GT(world.now() - start, std::chrono::seconds(19));
  EXPECT_LT(world.now() - start, std::chrono::seconds(60));
}

TEST_F(ProducerTest, AFullBufferWaitsForAnswers) {
  ProducerOptions options = small_batches();
  options.buffered_bytes_max = 2000;
  open(options);
  log.answers = [](int) { return false; };
  EXPECT_FALSE(world.try_run(client, [](Producer& p) -> io::Task<> {
    (void)co_await append_numbers(p, 0, 1000, PartitionIndex(0));
  }(*producer), std::chrono::seconds(2)));
  EXPECT_LT(values().size(), 300u);
  log.answers = [](int) { return true; };
  world.run_for(std::chrono::seconds(20));  // the silent requests time out and are sent again
  EXPECT_EQ(values(), numbers(0, 1000));
}

TEST_F(ProducerTest, ClosingWithRequestsUnderWayIsQuick) {
  open(small_batches());
  log.answers = [](int) { return false; };
  (void)produce(0, 100);
  world.run_for(std::chrono::milliseconds(50));
  const MonotonicTime start = world.now();
  world.run(client, producer->close());
  producer.reset();
  EXPECT_LT(world.now() - start, std::chrono::seconds(1));
}

io::Task<> ask_connection(ClusterClient& cluster, std::shared_ptr<BrokerConnection>& into) {
  auto connection = co_await cluster.any_connection();
  if (connection.ok()) into = *connection;
}

TEST_F(ProducerTest, CallersThatReplaceAConnectionAtOnceDoNotCloseEachOthers) {
  world.network().reset_connections(NodeId(1), NodeId(9));
  world.run_for(std::chrono::seconds(1));
  std::shared_ptr<BrokerConnection> first, second;
  std::vector<io::Task<>> asks;
  asks.push_back(ask_connection(*cluster, first));
  asks.push_back(ask_connection(*cluster, second));
  world.run(client, io::when_all(std::move(asks)));
  world.run_for(std::chrono::seconds(1));
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_FALSE(first->failed());
  EXPECT_FALSE(second->failed());
}

}  // namespace
}  // namespace pyralog::client
