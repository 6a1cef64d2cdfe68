#include "cluster/image_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/limits.h"

namespace pyralog::cluster {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

Result<> check_setting(std::string_view name, std::string_view value) {
  if (name.empty() || name.size() > limits::kMetadataNameBytesMax || !std::ranges::all_of(name, is_name_character)) {
    return Error(ErrorCode::kInvalidArgument, "a setting's name has 1 to 255 letters, digits, '.', '_' and '-'");
  }
  if (value.size() > limits::kSettingValueBytesMax) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("the value of {} has {} bytes; at most {} are allowed", name,
                                                          value.size(), limits::kSettingValueBytesMax));
  }
  return {};
}

Result<> check_settings_count(const Settings& settings) {
  if (settings.size() <= limits::kSettingsPerResourceMax) return {};
  return Error(ErrorCode::kLimitExceeded, fmt::format("{} settings on one resource; at most {} are allowed",
                                                      settings.size(), limits::kSettingsPerResourceMax));
}

Result<> check_label(std::string_view what, std::string_view text) {
  const bool printable = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
  if (printable && text.size() <= limits::kMetadataNameBytesMax) return {};
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} has at most {} printable characters without spaces", what,
                                                        limits::kMetadataNameBytesMax));
}

Result<> check_replicas(const MetadataImage& image, std::span<const NodeId> replicas) {
  if (replicas.empty() || replicas.size() > limits::kReplicasPerPartitionMax) {
    return Error(ErrorCode::kOutOfRange, fmt::format("a partition has 1 to {} copies, not {}",
                                                     limits::kReplicasPerPartitionMax, replicas.size()));
  }
  for (auto node = replicas.begin(); node != replicas.end(); ++node) {
    if (image.find_node(*node) == nullptr) {
      return Error(ErrorCode::kNotFound, fmt::format("node {} is not part of the cluster", node->value));
    }
    if (std::find(replicas.begin(), node, *node) != node) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("node {} is named twice for one partition", node->value));
    }
  }
  return {};
}

}  // namespace pyralog::cluster
