#pragma once

#include "cli/session.h"
#include "cli/table.h"

namespace pyralog::cli {

struct ClusterStatus {
  SessionOptions session;
  OutputFormat format = OutputFormat::kTable;
};

/// `pyralog cluster status`. Fails (exit code 1) when a partition has no leader.
int show_cluster_status(const ClusterStatus& command);

}  // namespace pyralog::cli
