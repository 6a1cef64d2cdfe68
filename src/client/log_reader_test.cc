#include "client/log_reader.h"

#include <gtest/gtest.h>

#include "client/log_client_fixture.h"
#include "record/batch_splitter.h"

namespace pyralog::client {
namespace {

using testing::FakeLog;
using testing::LogClientTest;
using testing::numbers;

/// Reads until `count` records of all partitions came.
io::Task<Result<std::map<PartitionIndex, std::vector<std::string>>>> read(LogReader& reader, std::size_t count) {
  std::map<PartitionIndex, std::vector<std::string>> values;
  std::size_t found = 0;
  record::Decompressor decompressor;
  while (found < count) {
    PYRALOG_CO_ASSIGN(const auto answer, co_await reader.next());
    for (const FetchedPartition& fetched : answer) {
      record::BatchSplitter batches(fetched.records);
      for (auto batch = batches.next(); batch.ok() && batch->has_value(); batch = batches.next()) {
        PYRALOG_CO_ASSIGN(auto records, record::RecordIterator::open(**batch, decompressor));
        for (record::RecordView record; records.next(record).value();) {
          if (record.offset < fetched.position) continue;
          values[fetched.partition].emplace_back(as_text(*record.value));
          ++found;
        }
      }
    }
  }
  co_return std::move(values);
}

class LogReaderTest : public LogClientTest {
 protected:
  void SetUp() override {
    LogClientTest::SetUp();
    for (auto& partition : log.partitions) partition.values = numbers(0, 20);
  }
  void TearDown() override {
    if (reader != nullptr) world.run(client, reader->close());
    reader.reset();
    LogClientTest::TearDown();
  }
  void open(std::vector<LogReader::Position> positions) {
    LogInfo info = world.run(client, cluster->describe_log(std::string(FakeLog::kName))).value();
    reader = world.run(client, LogReader::open(*cluster, std::move(info), std::move(positions))).value();
  }
  auto read_some(std::size_t count) { return world.run(client, read(*reader, count)); }

  std::unique_ptr<LogReader> reader;
};

TEST_F(LogReaderTest, ReadsEachPartitionInOrderFromWhereItWasTold) {
  open({{PartitionIndex(0), Offset(0)}, {PartitionIndex(1), Offset(7)}});
  const auto values = read_some(33).value();
  EXPECT_EQ(values.at(PartitionIndex(0)), numbers(0, 20));
  EXPECT_EQ(values.at(PartitionIndex(1)), numbers(7, 20));
}

TEST_F(LogReaderTest, ReadsFromSeveralLeaders) {
  log.partitions[1].leader = NodeId(2);
  open({{PartitionIndex(0), Offset(0)}, {PartitionIndex(1), Offset(0)}});
  const auto values = read_some(40).value();
  EXPECT_EQ(values.at(PartitionIndex(0)), numbers(0, 20));
  EXPECT_EQ(values.at(PartitionIndex(1)), numbers(0, 20));
}

TEST_F(LogReaderTest, FollowsANewLeader) {
  open({{PartitionIndex(0), Offset(0)}});
  (void)read_some(20).value();
  log.partitions[0].leader = NodeId(2);
  log.partitions[0].values = numbers(0, 30);
  EXPECT_EQ(read_some(10).value().at(PartitionIndex(0)), numbers(20, 30));
}

TEST_F(LogReaderTest, GoesOnAfterALostConnection) {
  open({{PartitionIndex(0), Offset(0)}});
  (void)read_some(20).value();
  broker.hang_up();
  log.partitions[0].values = numbers(0, 30);
  EXPECT_EQ(read_some(10).value().at(PartitionIndex(0)), numbers(20, 30));
}

TEST_F(LogReaderTest, APositionOutsideIsAnErrorThatNamesTheBounds) {
  open({{PartitionIndex(0), Offset(21)}});
  const auto values = read_some(1);
  EXPECT_EQ(values.error().code(), ErrorCode::kOutOfRange);
  EXPECT_NE(values.error().detail().find("starts at 0 and ends at 20"), std::string::npos) << values.error().detail();
}

TEST_F(LogReaderTest, AFinishedPartitionIsNotReadAnyMore) {
  open({{PartitionIndex(0), Offset(0)}, {PartitionIndex(1), Offset(0)}});
  client.enter([&] { reader->finish(PartitionIndex(1)); });
  const auto values = read_some(20).value();
  EXPECT_EQ(values.size(), 1u);
}

TEST_F(LogReaderTest, DoesNotFetchAheadOfItsReaderWithoutBound) {
  open({{PartitionIndex(0), Offset(0)}});
  world.run_for(std::chrono::seconds(10));
  EXPECT_LE(log.fetched, 3);
}

TEST_F(LogReaderTest, AServerThatStaysAwayIsAnErrorInTheEnd) {
  open({{PartitionIndex(0), Offset(0)}});
  (void)read_some(20).value();
  world.network().cut_both(NodeId(1), NodeId(9));
  world.network().cut_both(NodeId(2), NodeId(9));
  log.partitions[0].values = numbers(0, 30);
  EXPECT_FALSE(read_some(10).ok());
}

}  // namespace
}  // namespace pyralog::client
