#include "cli/bench/produce_load.h"

#include <gtest/gtest.h>

#include "client/fake_log.h"

namespace pyralog::cli {
namespace {

using client::testing::FakeLog;
using client::testing::ScriptedBroker;
using std::chrono::milliseconds;
using std::chrono::seconds;

class ProduceLoadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log.attach(broker, NodeId(1));
    std::vector<io::Endpoint> bootstrap{broker.endpoint()};
    cluster = world.run(client, client::ClusterClient::connect(std::move(bootstrap))).value();
  }
  void TearDown() override {
    if (load != nullptr) world.run(client, load->close());
    load.reset();
    world.run(client, cluster->close());
    cluster.reset();
    broker.stop();
  }
  /// Runs a load of two seconds without warm-up.
  void start(ProduceLoadOptions options) {
    client::LogInfo info = world.run(client, cluster->describe_log(std::string(FakeLog::kName))).value();
    load = world.run(client, ProduceLoad::open(*cluster, std::move(info), options)).value();
    const MonotonicTime now = world.now();
    client.enter([&] { load->start({.start = now, .measured = now, .end = now + seconds(2)}); });
  }
  void finish() { world.run(client, load->finished(world.now() + seconds(30))); }

  io::VirtualWorld world{17};
  io::VirtualReactor& server = world.add_reactor(NodeId(1), ShardId(0));
  io::VirtualReactor& client = world.add_reactor(NodeId(9), ShardId(0));
  ScriptedBroker broker{world, server};
  FakeLog log{2};
  std::unique_ptr<client::ClusterClient> cluster;
  std::unique_ptr<ProduceLoad> load;
};

TEST_F(ProduceLoadTest, AnOpenLoopSendsWhatIsDueAndNoMore) {
  start({.connections = 2, .in_flight = 50, .record_bytes = 10, .batch_records = 2, .rate = 200});
  finish();
  EXPECT_EQ(load->counts().latency.count(), 200u);
  EXPECT_EQ(log.produced, 200);
  EXPECT_EQ(log.partitions[0].values.size() + log.partitions[1].values.size(), 400u);
  EXPECT_EQ(log.partitions[0].values.size(), 200u);
  EXPECT_LT(load->counts().latency.max(), milliseconds(50));
  EXPECT_EQ(load->unanswered(), 0u);
}

TEST_F(ProduceLoadTest, AStallIsChargedToEveryRequestThatWasDueMeanwhile) {
  start({.in_flight = 1, .record_bytes = 10, .batch_records = 1, .rate = 100});
  world.run_for(milliseconds(500));
  world.pause(NodeId(1));
  world.run_for(seconds(1));
  world.resume(NodeId(1));
  finish();
  // One request was under way; the hundred that were due while it waited were not sent, and waited all the same.
  EXPECT_EQ(load->counts().latency.count(), 200u);
  EXPECT_GE(load->counts().latency.max(), milliseconds(950));
  EXPECT_GE(load->counts().latency.percentile(0.75), milliseconds(400));
  EXPECT_LE(load->counts().latency.percentile(0.25), milliseconds(50));
}

TEST_F(ProduceLoadTest, AClosedLoopKeepsItsWindowFull) {
  start({.in_flight = 4, .record_bytes = 10, .batch_records = 1});
  world.run_for(milliseconds(500));
  const int before_pause = log.produced;
  EXPECT_GT(before_pause, 100);
  world.pause(NodeId(1));
  world.run_for(seconds(1));
  world.resume(NodeId(1));
  finish();
  // Here the stall is charged to the four that were under way.
  const auto& latency = load->counts().latency;
  EXPECT_GE(latency.max(), milliseconds(950));
  EXPECT_LT(latency.percentile(1 - 5.0 / static_cast<double>(latency.count())), milliseconds(100));
}

TEST_F(ProduceLoadTest, ErrorsAreCountedByNameAndNotAsRecords) {
  log.refuse = [](int n) { return n % 2 == 0 ? std::optional(protocol::KafkaError::kNotEnoughReplicas) : std::nullopt; };
  start({.in_flight = 1, .record_bytes = 10, .batch_records = 1, .records_max = 10});
  finish();
  EXPECT_EQ(load->counts().requests, 5u);
  EXPECT_EQ(load->counts().errors, (std::map<std::string, std::uint64_t>{{"NOT_ENOUGH_REPLICAS", 5}}));
}

TEST_F(ProduceLoadTest, ALostConnectionEndsTheLoadWithErrors) {
  start({.connections = 2, .in_flight = 3, .record_bytes = 10, .batch_records = 1});
  world.run_for(milliseconds(200));
  broker.hang_up();
  finish();
  EXPECT_LT(world.now().time_since_epoch(), seconds(10));
  EXPECT_EQ(load->counts().errors_total(), 6u);
}

TEST_F(ProduceLoadTest, StampedBatchesAreValid) {
  start({.in_flight = 3, .record_bytes = 30, .batch_records = 2, .rate = 100, .stamp = true});
  finish();  // the log checks each batch's CRC
  EXPECT_EQ(load->counts().latency.count(), 100u);
  EXPECT_EQ(log.partitions[0].values.size(), 100u);
}

}  // namespace
}  // namespace pyralog::cli
