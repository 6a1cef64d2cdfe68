#include "cli/bench/commit_load.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <tuple>

#include "client/fake_log.h"
#include "protocol/kafka/find_coordinator.h"

namespace pyralog::cli {
namespace {

using client::testing::FakeLog;
using client::testing::ScriptedBroker;
using protocol::KafkaError;
using std::chrono::seconds;

class CommitLoadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log.attach(broker, NodeId(1));
    broker.on<protocol::FindCoordinatorRequest>([](const protocol::FindCoordinatorRequest&) {
      return protocol::FindCoordinatorResponse{.node_id = NodeId(1), .host = "node-1", .port = ScriptedBroker::kPort};
    });
    broker.on<protocol::OffsetCommitRequest>([this](const protocol::OffsetCommitRequest& request) { return take(request); });
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
  protocol::OffsetCommitResponse take(const protocol::OffsetCommitRequest& request) {
    ++requests;
    answered.clear();
    for (const auto& partition : request.topics[0].partitions) {
      auto& committed = offsets[std::string(request.group_id)][partition.partition_index.value];
      goes_back = goes_back || partition.committed_offset.value < committed;
      committed = partition.committed_offset.value;
      answered.push_back({.partition_index = partition.partition_index, .error_code = error});
    }
    topics = {{.name = FakeLog::kName, .topic_id = {}, .partitions = answered}};
    return {.topics = topics};
  }
  void run(CommitLoadOptions options) {
    client::LogInfo info = world.run(client, cluster->describe_log(std::string(FakeLog::kName))).value();
    load = world.run(client, CommitLoad::open(*cluster, std::move(info), options)).value();
    const MonotonicTime now = world.now();
    client.enter([&] { load->start({.start = now, .measured = now, .end = now + seconds(2)}); });
    world.run(client, load->finished(world.now() + seconds(30)));
  }

  io::VirtualWorld world{17};
  io::VirtualReactor& server = world.add_reactor(NodeId(1), ShardId(0));
  io::VirtualReactor& client = world.add_reactor(NodeId(9), ShardId(0));
  ScriptedBroker broker{world, server};
  FakeLog log{2};
  std::unique_ptr<client::ClusterClient> cluster;
  std::unique_ptr<CommitLoad> load;
  std::map<std::string, std::map<std::int32_t, std::int64_t>> offsets;
  std::vector<protocol::OffsetCommitResponse::Partition> answered;
  std::vector<protocol::OffsetCommitResponse::Topic> topics;
  KafkaError error = KafkaError::kNone;
  int requests = 0;
  bool goes_back = false;
};

TEST_F(CommitLoadTest, EveryGroupCommitsEveryPartitionInTurnAndNeverGoesBack) {
  run({.connections = 2, .in_flight = 2, .groups = 5, .partitions_per_commit = 1, .commits_max = 50});
  EXPECT_EQ(requests, 50);
  EXPECT_EQ(load->counts().records, 50u);
  EXPECT_EQ(load->counts().latency.count(), 50u);
  EXPECT_EQ(offsets.size(), 5u);
  for (const auto& [group, partitions] : offsets) {
    EXPECT_TRUE(group.starts_with("bench-"));
    EXPECT_EQ(partitions.size(), 2u) << group;
  }
  EXPECT_FALSE(goes_back);
}

TEST_F(CommitLoadTest, AnOpenLoopSendsWhatIsDueAndNoMore) {
  run({.connections = 1, .in_flight = 10, .groups = 3, .partitions_per_commit = 2, .rate = 100});
  EXPECT_EQ(requests, 200);
  EXPECT_EQ(load->counts().records, 400u);
}

TEST_F(CommitLoadTest, RefusedOffsetsAreErrorsAndDoNotCount) {
  error = KafkaError::kOffsetMetadataTooLarge;
  run({.groups = 1, .partitions_per_commit = 2, .commits_max = 3});
  EXPECT_EQ(load->counts().records, 0u);
  EXPECT_EQ(load->counts().errors_total(), 6u);
}

}  // namespace
}  // namespace pyralog::cli
