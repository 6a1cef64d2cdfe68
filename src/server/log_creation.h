#pragma once

#include <string>
#include <vector>

#include "cluster/commands.h"
#include "core/result.h"
#include "io/task.h"

namespace pyralog::server {

class Shard;

/// What a new log shall be. Unset counts come from the node's settings.
struct NewLog {
  std::string name;
  std::int32_t partitions = -1;
  std::int32_t replication = -1;
  std::vector<cluster::PartitionPlacement> placement;  ///< instead of the two counts
  std::vector<cluster::Setting> settings;
};

/// The command that creates `log` on the cluster as `shard` sees it, with everything checked that can be before it is
/// proposed. kInvalidArgument (name, settings), kOutOfRange (counts), kAlreadyExists, kPolicyViolation.
Result<cluster::CreateLog> plan_log(Shard& shard, const NewLog& log);

/// Creates a log with the defaults of this node: what `auto.create.topics.enable` does.
io::Task<Result<>> create_log_with_defaults(Shard& shard, std::string name);

}  // namespace pyralog::server
