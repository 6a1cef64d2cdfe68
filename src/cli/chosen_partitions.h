#pragma once

#include <cstdint>
#include <vector>

#include "client/cluster_client.h"

namespace pyralog::cli {

/// Leaves only the chosen partitions in `log`; all of them where none are chosen. kOutOfRange: there is no such partition.
Result<> keep_chosen(client::LogInfo& log, const std::vector<std::int32_t>& chosen);

}  // namespace pyralog::cli
