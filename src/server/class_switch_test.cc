// The default of write.caching for all logs, changed while the node serves: every log follows, whatever comes between.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "io/virtual_world.h"
#include "server/log_creation.h"
#include "server/node.h"
#include "storage/log_fixture.h"

namespace pyralog::server {
namespace {

using io::CrashMode;

constexpr NodeId kNode{1};
constexpr int kLogs = 7;
constexpr int kPartitions = 3;

NodeConfig make_config(const std::string& address) {
  const ConfigSources sources{.file_name = {},
                              .file_text = {},
                              .environment = {},
                              .overrides = {{"node.data_dir", "data", "test"},
                                            {"kafka.listen", address + ":9092", "test"},
                                            {"security.insecure", "true", "test"}}};
  NodeConfig config = load_config(sources).value();
  config.shards = 2;
  config.geometry.journal_file_bytes = 512u << 10;
  config.geometry.round_bytes_max = 256u << 10;
  config.journal_bytes_max = 2u << 20;
  config.retention_check_interval = std::chrono::seconds(30);
  config.free_bytes_min = 0;
  return config;
}

/// A node and its lives.
class NodeWorld {
 public:
  explicit NodeWorld(std::uint64_t seed) : world(seed) { start(); }
  ~NodeWorld() { io::VirtualWorld::abandon(std::move(node)); }

  io::VirtualDisk& disk() { return world.disk(kNode); }
  void start() {
    std::vector<io::Reactor*> reactors;
    for (std::uint32_t shard = 0; shard < 2; ++shard) reactors.push_back(&world.add_reactor(kNode, ShardId(shard)));
    home = static_cast<io::VirtualReactor*>(reactors.front());
    auto started = world.run(*home, Node::start(make_config(world.network().address(kNode)), std::move(reactors)));
    ASSERT_TRUE(started.ok()) << started.error().to_string();
    node = std::move(*started);
  }
  void crash(CrashMode mode) {
    if (home->alive()) world.crash(kNode, mode);
    io::VirtualWorld::abandon(std::move(node));
    disk().crash_never();
    start();
  }
  void stop() {
    EXPECT_TRUE(world.run(*home, node->stop()).ok());
    node.reset();
  }

  std::vector<Partition*> partitions() {
    std::vector<Partition*> all;
    for (std::uint32_t shard = 0; shard < 2; ++shard) {
      for (const auto& [incarnation, partition] : node->shard(ShardId(shard)).partitions()) all.push_back(partition.get());
    }
    return all;
  }
  void create_logs() {
    for (int i = 0; i < kLogs; ++i) {
      const NewLog log{.name = "log-" + std::to_string(i), .partitions = kPartitions, .replication = 1, .placement = {},
                       .settings = {}};
      auto command = home->enter([&] { return plan_log(node->shard(ShardId(0)), log); });
      ASSERT_TRUE(world.run(*home, node->controller().propose(std::move(command).value())).ok());
    }
    ASSERT_EQ(partitions().size(), static_cast<std::size_t>(kLogs * kPartitions));
  }
  /// One more record in each partition; durable where the class promises it.
  void append_everywhere() {
    for (Partition* partition : partitions()) {
      auto& reactor = static_cast<io::VirtualReactor&>(node->shard_of(partition->data->files().incarnation()).reactor());
      ASSERT_TRUE(world.run(reactor, append(*partition->data)).ok());
    }
  }
  static io::Task<Result<>> append(storage::PartitionLog& log) {
    const storage::fixture::BatchSpec spec{.base = log.log_end().value};
    PYRALOG_CO_TRY(co_await log.prepare());
    PYRALOG_CO_ASSIGN(const storage::Appended appended, log.append(Slice::copy_of(storage::fixture::make_batch(spec))));
    io::AbortSource never;
    const MonotonicTime deadline = io::Reactor::current().now() + std::chrono::seconds(10);
    if (co_await log.wait_high_watermark(appended.end, deadline, never) != io::WaitOutcome::kWoken) {
      co_return ErrorCode::kTimedOut;
    }
    co_return Result<>();
  }
  /// Nothing if the node died on the way.
  std::optional<Result<cluster::ImagePtr>> set_caching(bool on) {
    cluster::AlterNodeSettings change{.node = std::nullopt, .changes = {{"write.caching", on ? "true" : "false"}}};
    return world.try_run(*home, node->controller().propose(std::move(change)));
  }
  /// All logs are of the class that the metadata says, which this returns, and have at least `records` each.
  bool check(std::int64_t records) {
    const std::string* setting = node->shard(ShardId(0)).image()->default_node_settings().find("write.caching");
    const bool caching = setting != nullptr && *setting == "true";
    for (Partition* partition : partitions()) {
      const storage::PartitionFiles& files = partition->data->files();
      EXPECT_EQ(files.durability() == storage::DurabilityClass::kCached, caching) << files.directory();
      EXPECT_EQ(partition->rules->settings.write_caching, caching);
      EXPECT_GE(partition->data->high_watermark(), Offset(records)) << files.directory();
    }
    return caching;
  }

  io::VirtualWorld world;
  io::VirtualReactor* home = nullptr;
  std::unique_ptr<Node> node;
};

TEST(ClassSwitch, EveryLogFollowsTheDefaultThereAndBack) {
  spdlog::set_level(spdlog::level::off);
  NodeWorld nodes(1);
  nodes.create_logs();
  nodes.append_everywhere();
  ASSERT_TRUE(nodes.set_caching(true)->ok());
  EXPECT_TRUE(nodes.check(1));
  nodes.append_everywhere();
  ASSERT_TRUE(nodes.set_caching(false)->ok());
  EXPECT_FALSE(nodes.check(2));
  nodes.append_everywhere();
  nodes.crash(CrashMode::kPowerLoss);
  EXPECT_FALSE(nodes.check(3));
  nodes.stop();
}

TEST(ClassSwitch, ACrashInTheMiddleIsMadeGoodByTheNextStart) {
  spdlog::set_level(spdlog::level::off);
  std::uint64_t steps = 0;
  {
    NodeWorld nodes(2);
    nodes.create_logs();
    nodes.append_everywhere();
    const std::uint64_t before = nodes.disk().steps();
    ASSERT_TRUE(nodes.set_caching(true)->ok());
    steps = nodes.disk().steps() - before;
    nodes.stop();
  }
  int switched = 0, kept = 0;
  Random random(3);
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    NodeWorld nodes(seed);
    nodes.create_logs();
    nodes.append_everywhere();
    const bool back = seed % 2 == 0;
    if (back) {
      ASSERT_TRUE(nodes.set_caching(true)->ok());
    }
    const CrashMode mode = seed % 3 == 0 ? CrashMode::kKill : CrashMode::kPowerLossDestroyingBlocks;
    // Now and then before the command itself is durable.
    nodes.disk().crash_at_step(nodes.disk().steps() + 1 + random.below(seed % 4 == 3 ? 3 : steps), mode);
    (void)nodes.set_caching(!back);
    nodes.crash(mode);
    ++(nodes.check(1) != back ? switched : kept);
    nodes.append_everywhere();
    ASSERT_TRUE(nodes.set_caching(false)->ok());
    nodes.crash(CrashMode::kPowerLoss);
    EXPECT_FALSE(nodes.check(2)) << "seed " << seed;
    nodes.stop();
  }
  EXPECT_GT(switched, 10);
  EXPECT_GT(kept, 2);
}

TEST(ClassSwitch, WhatAFullDiskPreventsIsDoneWhenThereIsSpace) {
  spdlog::set_level(spdlog::level::off);
  NodeWorld nodes(4);
  nodes.create_logs();
  nodes.append_everywhere();
  // The logs' bytes are in the journal only; to change class they have to go into segments.
  nodes.disk().options().capacity_bytes = nodes.disk().used_bytes();
  const auto changed = nodes.set_caching(true);
  ASSERT_TRUE(changed.has_value());
  EXPECT_FALSE(changed->ok()) << "said to whoever asked for it";
  nodes.disk().options().capacity_bytes = std::uint64_t{1} << 40;
  nodes.world.run_for(std::chrono::minutes(1));
  EXPECT_TRUE(nodes.check(1));
  nodes.stop();
}

}  // namespace
}  // namespace pyralog::server
