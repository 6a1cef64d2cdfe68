#pragma once

#include <expected>
#include <optional>
#include <string>

#include "cluster/topic_properties.h"
#include "core/result.h"
#include "io/task.h"
#include "protocol/kafka/config_values.h"
#include "protocol/kafka/error_code.h"
#include "server/request.h"

namespace pyralog::server {

/// What a resource of the configuration APIs names here.
struct ConfigTarget {
  protocol::ResourceType type{};
  LogId log;                                  ///< kTopic
  std::optional<NodeId> node;                 ///< kBroker: none is the default of all nodes
  const cluster::Settings* stored = nullptr;  ///< what is set there now; valid as long as the image
};

/// Finds a resource in the metadata of the request's shard. The error's code is one of Kafka's: see `Refusal`.
struct Refusal {
  protocol::KafkaError code{};
  std::string text;
};
std::expected<ConfigTarget, Refusal> find_config_target(Request& request, protocol::ResourceType type,
                                                        std::string_view name);

/// Checks that `wanted` may be what is set at `target`, and, unless only asked to validate, makes it so.
io::Task<std::optional<Refusal>> change_settings(Request& request, ConfigTarget target, cluster::Settings wanted,
                                                 bool validate_only);

}  // namespace pyralog::server
