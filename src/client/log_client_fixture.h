#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "client/cluster_client.h"
#include "client/fake_log.h"

namespace pyralog::client::testing {

/// The decimal texts of [begin, end): what the tests write and expect to read.
inline std::vector<std::string> numbers(int begin, int end) {
  std::vector<std::string> texts;
  for (int i = begin; i < end; ++i) texts.push_back(std::to_string(i));
  return texts;
}

/// A client of two servers that lead a log's partitions. For tests only.
class LogClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log.attach(broker, NodeId(1));
    log.attach(other_broker, NodeId(2));
    std::vector<io::Endpoint> bootstrap{broker.endpoint()};
    const BrokerConnection::Options options{.request_timeout = std::chrono::seconds(5)};
    cluster = world.run(client, ClusterClient::connect(std::move(bootstrap), options)).value();
  }
  void TearDown() override {
    world.run(client, cluster->close());
    cluster.reset();
    broker.stop();
    other_broker.stop();
  }

  io::VirtualWorld world{11};
  io::VirtualReactor& server = world.add_reactor(NodeId(1), ShardId(0));
  io::VirtualReactor& other_server = world.add_reactor(NodeId(2), ShardId(0));
  io::VirtualReactor& client = world.add_reactor(NodeId(9), ShardId(0));
  ScriptedBroker broker{world, server};
  ScriptedBroker other_broker{world, other_server};
  FakeLog log{2};
  std::unique_ptr<ClusterClient> cluster;
};

}  // namespace pyralog::client::testing
