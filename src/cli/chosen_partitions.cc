#include "cli/chosen_partitions.h"

#include <fmt/format.h>

#include <algorithm>

namespace pyralog::cli {

Result<> keep_chosen(client::LogInfo& log, const std::vector<std::int32_t>& chosen) {
  if (chosen.empty()) return {};
  for (const std::int32_t index : chosen) {
    if (std::ranges::find(log.partitions, PartitionIndex(index), &client::PartitionInfo::index) == log.partitions.end()) {
      return Error(ErrorCode::kOutOfRange, fmt::format("log {} has no partition {}", log.name, index));
    }
  }
  std::erase_if(log.partitions, [&](const client::PartitionInfo& partition) {
    return std::ranges::find(chosen, partition.index.value) == chosen.end();
  });
  return {};
}

}  // namespace pyralog::cli
