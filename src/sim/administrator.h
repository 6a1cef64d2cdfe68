#pragma once

#include "client/cluster_client.h"
#include "sim/stage.h"

namespace pyralog::sim {

/// A client that changes metadata: creates and deletes logs, adds partitions, alters settings, deletes records. One per
/// run, so that what it was told last is what holds.
class Administrator {
 public:
  Administrator(Stage& stage, std::uint64_t seed) : stage_(stage), random_(seed) {}

  /// Creates the logs of the plan; ends when all are there.
  io::Task<> create_planned();
  /// Works until the stage is stopping.
  io::Task<> run();

 private:
  io::Task<Result<>> prepare_groups(client::ClusterClient& cluster);
  io::Task<> use(client::ClusterClient& cluster);
  io::Task<> create(client::ClusterClient& cluster, const LogPlan& plan, std::size_t log);
  io::Task<> create_extra(client::ClusterClient& cluster);
  io::Task<> remove(client::ClusterClient& cluster);
  io::Task<> grow(client::ClusterClient& cluster);
  io::Task<> alter(client::ClusterClient& cluster);
  io::Task<> alter_class(client::ClusterClient& cluster);
  io::Task<> alter_class_default(client::ClusterClient& cluster);
  bool follows_default(std::size_t log) const;
  bool may_become_cached(std::size_t log) const;
  io::Task<> delete_records(client::ClusterClient& cluster);
  std::size_t add(const LogPlan& plan, bool may_be_deleted);

  Stage& stage_;
  Random random_;
};

}  // namespace pyralog::sim
