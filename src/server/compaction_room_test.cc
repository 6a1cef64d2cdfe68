// A node whose disk has no room for a compaction: it says so, leaves the log as it is, and tries again later.
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "io/virtual_world.h"
#include "record/batch_builder.h"
#include "server/log_creation.h"
#include "server/node.h"
#include "storage/partition_log.h"

namespace pyralog::server {
namespace {

constexpr NodeId kNode{1};
constexpr int kKeys = 100;

NodeConfig make_config(const std::string& address) {
  const ConfigSources sources{.file_name = {},
                              .file_text = {},
                              .environment = {},
                              .overrides = {{"node.data_dir", "data", "test"},
                                            {"kafka.listen", address + ":9092", "test"},
                                            {"security.insecure", "true", "test"}}};
  NodeConfig config = load_config(sources).value();
  config.shards = 1;
  config.geometry.journal_file_bytes = 1u << 20;
  config.geometry.round_bytes_max = 256u << 10;
  config.journal_bytes_max = 4u << 20;
  config.free_bytes_min = 1u << 20;
  config.compaction_interval = std::chrono::minutes(1);
  return config;
}

class CompactionRoomTest : public ::testing::Test {
 protected:
  CompactionRoomTest() {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(text);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", std::move(sink)));
    auto started = world.run(reactor, Node::start(make_config(world.network().address(kNode)), {&reactor}));
    node = std::move(started).value();
    const NewLog log{.name = "compacted", .partitions = 1, .replication = 1, .placement = {},
                     .settings = {{.name = "cleanup.policy", .value = "compact"}}};
    auto command = reactor.enter([&] { return plan_log(shard(), log); });
    EXPECT_TRUE(world.run(reactor, node->controller().propose(std::move(command).value())).ok());
  }
  ~CompactionRoomTest() override {
    EXPECT_TRUE(world.run(reactor, node->stop()).ok());
    spdlog::set_default_logger(before);
  }

  io::VirtualDisk& disk() { return world.disk(kNode); }
  Shard& shard() { return node->shard(ShardId(0)); }
  storage::PartitionLog& log() { return *shard().partitions().begin()->second->data; }
  void append_all_keys() {
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = "key " + std::to_string(i), value(5000, 'v');
      record::BatchBuilder builder;
      builder.append({.timestamp = reactor.enter([&] { return reactor.wall_now(); }), .key = as_bytes(key),
                      .value = as_bytes(value)}).value();
      const Slice batch = Slice::copy_of(builder.finish().value());
      EXPECT_TRUE(world.run(reactor, log().append_in_turn(batch)).ok());
    }
    reactor.enter([&] { log().roll(); });
  }
  const ShardMetrics& metrics() { return shard().metrics(); }
  bool has_logged(std::string_view what) { return text.str().find(what) != std::string::npos; }

  std::ostringstream text;
  std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
  io::VirtualWorld world{5};
  io::VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
  std::unique_ptr<Node> node;
};

TEST_F(CompactionRoomTest, IsSaidAndWaitedFor) {
  append_all_keys();
  append_all_keys();
  world.run_for(std::chrono::seconds(20));
  // Too little for what the compaction writes beside the log.
  disk().options().capacity_bytes = disk().used_bytes() + (1u << 20) + 100'000;
  world.run_for(std::chrono::minutes(2));
  EXPECT_EQ(metrics().compactions_without_room, 1u);
  EXPECT_EQ(metrics().compactions_failed, 1u);
  EXPECT_EQ(metrics().compactions, 0u);
  EXPECT_TRUE(has_logged("storage.free_bytes_min leaves less; next try in 300 s")) << text.str();
  EXPECT_EQ(log().files().replacements(), 0u);
  EXPECT_EQ(log().files().segments().size(), 3u);
  world.run_for(std::chrono::minutes(4));
  EXPECT_EQ(metrics().compactions_without_room, 2u) << "tried again";
  disk().options().capacity_bytes = std::uint64_t{1} << 40;
  world.run_for(std::chrono::minutes(10));
  EXPECT_EQ(metrics().compactions, 1u);
  EXPECT_EQ(metrics().compaction_records_removed, static_cast<std::uint64_t>(kKeys));
  EXPECT_LT(log().files().segments().size(), 3u);
}

}  // namespace
}  // namespace pyralog::server
