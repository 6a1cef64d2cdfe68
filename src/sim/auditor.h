#pragma once

#include "client/admin.h"
#include "client/cluster_client.h"
#include "sim/stage.h"

namespace pyralog::sim {

/// Looks at everything that a server has after its last recovery, with no fault left, and has the history judge it. Then
/// writes to each log, to see that it lives.
class Auditor {
 public:
  Auditor(Stage& stage, std::uint64_t seed) : stage_(stage), seed_(seed) {}
  io::Task<> run();

 private:
  io::Task<Result<>> look(client::ClusterClient& cluster);
  void check_logs(const client::ClusterInfo& info);
  io::Task<Result<>> check_settings(client::ClusterClient& cluster, std::size_t log);
  io::Task<Result<>> check_log(client::ClusterClient& cluster, const client::LogInfo& info, std::size_t log);
  io::Task<Result<>> check_life(client::ClusterClient& cluster, const client::LogInfo& info, std::size_t log);
  std::optional<std::size_t> known(const client::LogInfo& info);

  Stage& stage_;
  std::uint64_t seed_;
};

}  // namespace pyralog::sim
