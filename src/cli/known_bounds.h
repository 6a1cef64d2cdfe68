#pragma once

#include <map>
#include <string>

#include "io/disk.h"
#include "server/node_directory.h"
#include "storage/log_check.h"

namespace pyralog::cli {

/// Where each log ends, as the checkpoints of a node that was stopped cleanly say, by partition directory (relative to the
/// data directory). Shards that were not stopped cleanly are left out: their journals know more than their files.
/// kForeign, kUnsupportedVersion, kIo.
io::Task<Result<std::map<std::string, storage::LogBounds>>> known_bounds(const server::NodeDirectory& node);

}  // namespace pyralog::cli
