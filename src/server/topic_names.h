#pragma once

#include <string_view>

#include "cluster/metadata_image.h"
#include "protocol/kafka/error_code.h"

namespace pyralog::server {

/// A log as a request names it: by name in older versions of an API, by id in newer ones.
struct NamedLog {
  const cluster::LogMetadata* log = nullptr;  ///< null if there is none; valid as long as the image
  protocol::KafkaError error{};               ///< then says so in the request's own terms
};

inline NamedLog find_named(const cluster::MetadataImage& image, std::string_view name, const LogId& id, bool by_id) {
  if (const auto* log = by_id ? image.find_log(id) : image.find_log(name)) return {.log = log};
  return {.error = by_id ? protocol::KafkaError::kUnknownTopicId : protocol::KafkaError::kUnknownTopicOrPartition};
}

}  // namespace pyralog::server
