#include "cli/cluster_commands.h"

#include <fmt/format.h>

#include <map>

namespace pyralog::cli {
namespace {

struct Counts {
  std::int64_t logs = 0;
  std::int64_t partitions = 0;
  std::int64_t without_leader = 0;
  std::int64_t under_replicated = 0;
  std::map<NodeId, std::int64_t> led_by;
  std::map<NodeId, std::int64_t> copies_at;
};

Counts count(const client::ClusterInfo& cluster) {
  Counts counts;
  for (const client::LogInfo& log : cluster.logs) {
    ++counts.logs;
    for (const client::PartitionInfo& partition : log.partitions) {
      ++counts.partitions;
      counts.without_leader += partition.leader == NodeId(-1);
      counts.under_replicated += partition.in_sync.size() < partition.replicas.size();
      ++counts.led_by[partition.leader];
      for (const NodeId replica : partition.replicas) ++counts.copies_at[replica];
    }
  }
  return counts;
}

Table node_table(const client::ClusterInfo& cluster, Counts& counts) {
  Table table({"node", "address", "rack", "controller", "leads", "copies"});
  for (const client::BrokerInfo& broker : cluster.brokers) {
    table.add({std::int64_t{broker.id.value}, broker.address.to_string(), broker.rack.empty() ? Cell() : Cell(broker.rack),
               broker.id == cluster.controller, counts.led_by[broker.id], counts.copies_at[broker.id]});
  }
  return table;
}

io::Task<Result<>> show(client::ClusterClient& client, const ClusterStatus& command) {
  PYRALOG_CO_ASSIGN(const client::ClusterInfo cluster, co_await client.describe_all());
  Counts counts = count(cluster);
  const Table nodes = node_table(cluster, counts);
  if (command.format == OutputFormat::kTable) {
    fmt::print("cluster {}\n{} logs, {} partitions, {} without leader, {} under-replicated\n\n{}", cluster.cluster_id,
               counts.logs, counts.partitions, counts.without_leader, counts.under_replicated, nodes.text());
  } else {
    JsonWriter json;
    json.begin_object();
    json.field("cluster", cluster.cluster_id);
    json.field("logs", counts.logs);
    json.field("partitions", counts.partitions);
    json.field("partitions_without_leader", counts.without_leader);
    json.field("partitions_under_replicated", counts.under_replicated);
    json.key("nodes");
    nodes.write_json(json);
    json.end_object();
    fmt::print("{}\n", json.text());
  }
  if (counts.without_leader == 0) co_return Result<>();
  co_return Error(ErrorCode::kUnavailable, fmt::format("{} partitions have no leader", counts.without_leader));
}

}  // namespace

int show_cluster_status(const ClusterStatus& command) {
  return run_session(command.session, [&](client::ClusterClient& cluster) { return show(cluster, command); });
}

}  // namespace pyralog::cli
