#include "server/node_directory.h"

#include <gtest/gtest.h>

#include <fstream>

#include "io/virtual_world.h"

namespace pyralog::server {
namespace {

std::string golden(const std::string& name) {
  std::ifstream file(std::string(PYRALOG_TESTDATA "/") + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class NodeDirectoryTest : public ::testing::Test {
 protected:
  void put(std::string_view text) { disk_.overwrite("data/node.toml", 0, as_bytes(text)); }
  std::string stored() { return std::string(as_text(disk_.contents("data/node.toml"))); }
  Result<std::unique_ptr<NodeDirectory>> open() {
    return world_.run(reactor_, NodeDirectory::open(reactor_.disk(), "data", std::nullopt, 2, reactor_.random()));
  }

  io::VirtualWorld world_{1};
  io::VirtualReactor& reactor_ = world_.add_reactor(NodeId(1), ShardId(0));
  io::VirtualDisk& disk_ = world_.disk(NodeId(1));
};

/// What a release once wrote must stay readable, and is written again byte for byte.
TEST_F(NodeDirectoryTest, GoldenFilesStillRead) {
  for (const char* name : {"node_v1.toml", "node_v2.toml"}) {
    const bool is_second = std::string_view(name) == "node_v2.toml";
    const std::string whole = golden(name);
    const std::string without_cluster = whole.substr(0, whole.find("cluster_id"));
    for (const std::string& text : {whole, without_cluster}) {
      if (disk_.has("data/node.toml")) disk_.erase("data/node.toml");
      put(text);
      auto directory = open();
      ASSERT_TRUE(directory.ok()) << directory.error().to_string();
      const NodeIdentity& identity = (*directory)->identity();
      EXPECT_EQ(identity.node, NodeId(7));
      EXPECT_EQ(identity.disk_uuid.bytes[0], 0x01);
      EXPECT_EQ(identity.disk_uuid.bytes[15], 0x10);
      EXPECT_EQ(identity.division, (storage::Division{.shards = is_second ? 4u : 2u, .generation = is_second ? 3u : 1u}));
      EXPECT_EQ(identity.cluster_id.is_zero(), text != whole);
      Uuid cluster;
      for (std::size_t i = 0; i < cluster.bytes.size(); ++i) cluster.bytes[i] = static_cast<std::uint8_t>(0xF0 - 0x10 * i);
      EXPECT_TRUE(world_.run(reactor_, (*directory)->join_cluster(cluster)).ok());
      EXPECT_EQ(stored(), whole);
    }
  }
}

TEST_F(NodeDirectoryTest, ALaterReleasesFileIsRefused) {
  std::string text = golden("node_v2.toml");
  text.replace(text.find("format_version = 2"), 18, "format_version = 3");
  put(text);
  EXPECT_EQ(open().error(), ErrorCode::kUnsupportedVersion);
}

}  // namespace
}  // namespace pyralog::server
