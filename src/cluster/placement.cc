#include "cluster/placement.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/limits.h"

namespace pyralog::cluster {

Result<std::vector<PartitionPlacement>> place_partitions(const MetadataImage& image, int partition_count,
                                                         int replication_factor) {
  const std::size_t nodes = image.nodes().size();
  if (partition_count <= 0 || static_cast<std::size_t>(partition_count) > limits::kPartitionsPerLogMax) {
    return Error(ErrorCode::kOutOfRange,
                 fmt::format("a log has 1 to {} partitions, not {}", limits::kPartitionsPerLogMax, partition_count));
  }
  const std::size_t copies_max = std::min(nodes, limits::kReplicasPerPartitionMax);
  if (replication_factor <= 0 || static_cast<std::size_t>(replication_factor) > copies_max) {
    return Error(ErrorCode::kOutOfRange,
                 fmt::format("replication factor {} on {} node{}", replication_factor, nodes, nodes == 1 ? "" : "s"));
  }
  std::vector<PartitionPlacement> placements(static_cast<std::size_t>(partition_count));
  std::size_t first = image.partition_count();
  for (PartitionPlacement& placement : placements) {
    for (int copy = 0; copy < replication_factor; ++copy) {
      placement.replicas.push_back(image.nodes()[(first + static_cast<std::size_t>(copy)) % nodes].id);
    }
    ++first;
  }
  return placements;
}

}  // namespace pyralog::cluster
