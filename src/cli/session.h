#pragma once

#include <functional>
#include <string>

#include "client/cluster_client.h"

namespace pyralog::io {
class RealRuntime;
}

namespace pyralog::cli {

/// How commands reach a cluster.
struct SessionOptions {
  std::string bootstrap = "127.0.0.1:9092";  ///< HOST:PORT, comma separated
};

/// What a command does with a cluster, on a shard of its own.
using ClusterCommand = std::function<io::Task<Result<>>(client::ClusterClient& cluster)>;

/// Connects, runs `command`, closes. The exit code; errors are one line on stderr.
int run_session(const SessionOptions& options, const ClusterCommand& command);

/// Runs a task that needs no cluster, in the same way, on the first of `shards`.
int run_alone(const std::function<io::Task<Result<>>(io::RealRuntime& runtime)>& command, unsigned shards = 1);

/// Kafka's list of servers. kInvalidArgument.
Result<std::vector<io::Endpoint>> parse_endpoints(std::string_view text);

}  // namespace pyralog::cli
