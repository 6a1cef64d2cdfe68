#include <algorithm>
#include <set>

#include "server/handlers/admin_answers.h"
#include "server/handlers/config_answers.h"
#include "server/handlers/handlers.h"
#include "server/shard.h"

namespace pyralog::server {
namespace {

using namespace protocol;
using Config = DescribeConfigsResponse::Config;

std::vector<cluster::DescribedProperty> describe(Request& request, const ConfigTarget& target) {
  if (target.type == ResourceType::kTopic) return cluster::describe_topic(*target.stored, request.shard.layers());
  if (!target.node.has_value()) return cluster::describe_node_defaults(*target.stored);
  cluster::NodeLayers layers = request.shard.layers();
  layers.dynamic_node = target.stored;
  return cluster::describe_node(layers);
}

bool is_asked(const DescribeConfigsRequest::Resource& resource, std::string_view name) {
  return !resource.configuration_keys.has_value() ||
         std::ranges::find(*resource.configuration_keys, name) != resource.configuration_keys->end();
}

Config config_answer(Request& request, const DescribeConfigsRequest& message, const cluster::DescribedProperty& described) {
  protocol::Arena& arena = request.arena;
  Config config;
  config.name = arena.copy(described.effective.name);
  config.value = arena.copy(described.effective.value);
  config.config_source = static_cast<ConfigSource>(described.effective.source);
  config.documentation = std::nullopt;
  if (described.property != nullptr) {
    config.read_only = described.property->read_only;
    config.config_type = static_cast<ConfigType>(described.property->type);
    if (message.include_documentation) config.documentation = described.property->documentation;
  }
  if (!message.include_synonyms) return config;
  auto synonyms = arena.make<DescribeConfigsResponse::Synonym>(described.synonyms.size());
  for (std::size_t i = 0; i < synonyms.size(); ++i) {
    synonyms[i] = {.name = arena.copy(described.synonyms[i].name),
                   .value = arena.copy(described.synonyms[i].value),
                   .source = static_cast<ConfigSource>(described.synonyms[i].source)};
  }
  config.synonyms = synonyms;
  return config;
}

}  // namespace

io::Task<Result<DescribeConfigsResponse>> handle_describe_configs(Request& request, const DescribeConfigsRequest& message) {
  DescribeConfigsResponse response;
  auto answers = request.arena.make<DescribeConfigsResponse::Resource>(message.resources.size());
  std::set<std::pair<ResourceType, std::string_view>> described_before;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto& resource = message.resources[i];
    answers[i].resource_type = resource.resource_type;
    answers[i].resource_name = resource.resource_name;
    answers[i].error_message = std::nullopt;
    if (!described_before.emplace(resource.resource_type, resource.resource_name).second) {
      refuse(request, answers[i], KafkaError::kInvalidRequest, "Each resource must appear at most once.");
      continue;
    }
    const auto target = find_config_target(request, resource.resource_type, resource.resource_name);
    if (!target.has_value()) {
      refuse(request, answers[i], target.error().code, target.error().text);
      continue;
    }
    auto described = describe(request, *target);
    std::erase_if(described, [&](const auto& row) { return !is_asked(resource, row.effective.name); });
    auto configs = request.arena.make<Config>(described.size());
    for (std::size_t c = 0; c < configs.size(); ++c) configs[c] = config_answer(request, message, described[c]);
    answers[i].configs = configs;
  }
  response.results = answers;
  co_return response;
}

io::Task<Result<ListConfigResourcesResponse>> handle_list_config_resources(Request& request,
                                                                           const ListConfigResourcesRequest& message) {
  const auto wants = [&](ResourceType type) {
    if (request.version() < ApiVersion(1)) return false;  // it asks for client metrics, of which there are none
    return message.resource_types.empty() ||
           std::ranges::find(message.resource_types, type) != message.resource_types.end();
  };
  ListConfigResourcesResponse response;
  const cluster::ImagePtr image = request.shard.image();
  const auto logs = wants(ResourceType::kTopic) ? image->logs_by_name() : std::vector<cluster::LogPtr>();
  const std::size_t nodes = wants(ResourceType::kBroker) ? image->nodes().size() : 0;
  auto resources = request.arena.make<ListConfigResourcesResponse::Resource>(logs.size() + nodes);
  for (std::size_t i = 0; i < logs.size(); ++i) {
    resources[i] = {.resource_name = request.arena.copy(logs[i]->name), .resource_type = ResourceType::kTopic};
  }
  for (std::size_t i = 0; i < nodes; ++i) {
    resources[logs.size() + i] = {.resource_name = request.arena.copy(std::to_string(image->nodes()[i].id.value)),
                                  .resource_type = ResourceType::kBroker};
  }
  response.config_resources = resources;
  co_return response;
}

}  // namespace pyralog::server
