#pragma once

#include <cstddef>
#include <vector>

#include "cluster/metadata_image.h"

namespace pyralog::cluster {

/// Places `partition_count` new partitions with `replication_factor` copies each on the image's nodes, leaders in turn,
/// beginning where the cluster's existing partitions end. kOutOfRange if there are fewer nodes than copies asked, or
/// either count is not positive.
Result<std::vector<PartitionPlacement>> place_partitions(const MetadataImage& image, int partition_count,
                                                         int replication_factor);

}  // namespace pyralog::cluster
