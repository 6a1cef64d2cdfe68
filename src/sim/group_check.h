#pragma once

#include "client/cluster_client.h"
#include "sim/stage.h"

namespace pyralog::sim {

/// With no fault left: two members join each group, which must become theirs alone within a bounded time, and read and
/// commit everything that its logs have. Errors are those of the cluster; what is wrong is a violation.
io::Task<Result<>> check_groups(Stage& stage, client::ClusterClient& cluster, std::uint64_t seed);

}  // namespace pyralog::sim
