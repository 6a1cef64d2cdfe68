#pragma once

#include <span>
#include <string_view>

#include "cluster/metadata_image.h"
#include "cluster/settings.h"
#include "core/result.h"

/// What commands and snapshots must obey alike. None of it depends on the release's tables: nodes of different releases
/// agree on every answer.
namespace pyralog::cluster {

/// Name: 1 to 255 of [a-zA-Z0-9._-]. Value: length. kInvalidArgument.
Result<> check_setting(std::string_view name, std::string_view value);
/// kLimitExceeded.
Result<> check_settings_count(const Settings& settings);
/// Racks and names of features: at most 255 bytes of printable ASCII. kInvalidArgument.
Result<> check_label(std::string_view what, std::string_view text);
/// Not empty, not too many (kOutOfRange), distinct (kInvalidArgument), each a node of the image (kNotFound).
Result<> check_replicas(const MetadataImage& image, std::span<const NodeId> replicas);

}  // namespace pyralog::cluster
