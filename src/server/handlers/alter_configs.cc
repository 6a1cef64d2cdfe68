#include <set>

#include "server/handlers/admin_answers.h"
#include "server/handlers/config_answers.h"
#include "server/handlers/handlers.h"
#include "server/shard.h"

namespace pyralog::server {
namespace {

using namespace protocol;

/// The settings that a full replacement asks for.
std::expected<cluster::Settings, Refusal> wanted_settings(const AlterConfigsRequest::Resource& resource,
                                                          const ConfigTarget&) {
  cluster::Settings wanted;
  for (const auto& config : resource.configs) {
    if (!config.value.has_value()) {
      return std::unexpected(
          Refusal{KafkaError::kInvalidRequest, "Null value not supported for : " + std::string(config.name)});
    }
    wanted.set(config.name, *config.value);
  }
  return wanted;
}

/// The settings after an incremental change.
std::expected<cluster::Settings, Refusal> wanted_settings(const IncrementalAlterConfigsRequest::Resource& resource,
                                                          const ConfigTarget& target) {
  std::vector<cluster::Alteration> alterations;
  for (const auto& config : resource.configs) {
    const auto operation = static_cast<cluster::AlterOperation>(config.config_operation);
    if (!config.value.has_value() && operation != cluster::AlterOperation::kDelete) {
      return std::unexpected(
          Refusal{KafkaError::kInvalidRequest, "Null value not supported for : " + std::string(config.name)});
    }
    alterations.push_back({.name = std::string(config.name),
                           .operation = operation,
                           .value = std::string(config.value.value_or(std::string_view()))});
  }
  const auto table = target.type == ResourceType::kTopic ? cluster::topic_properties() : cluster::node_properties();
  auto altered = cluster::altered(*target.stored, alterations, table);
  if (!altered.ok()) return std::unexpected(Refusal{KafkaError::kInvalidConfig, altered.error().detail()});
  return std::move(*altered);
}

template <class Resource, class Answer>
io::Task<> alter_one(Request& request, const Resource& resource, bool validate_only, Answer& answer) {
  answer.resource_type = resource.resource_type;
  answer.resource_name = resource.resource_name;
  answer.error_message = std::nullopt;
  const auto target = find_config_target(request, resource.resource_type, resource.resource_name);
  if (!target.has_value()) co_return refuse(request, answer, target.error().code, target.error().text);
  auto wanted = wanted_settings(resource, *target);
  if (!wanted.has_value()) co_return refuse(request, answer, wanted.error().code, wanted.error().text);
  const auto refusal = co_await change_settings(request, *target, std::move(*wanted), validate_only);
  if (refusal.has_value()) refuse(request, answer, refusal->code, refusal->text);
}

template <class Response, class RequestMessage>
io::Task<Result<Response>> alter_all(Request& request, const RequestMessage& message) {
  Response response;
  auto answers = request.arena.make<typename Response::Resource>(message.resources.size());
  std::multiset<std::pair<ResourceType, std::string_view>> named;
  for (const auto& resource : message.resources) named.emplace(resource.resource_type, resource.resource_name);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto& resource = message.resources[i];
    if (named.count({resource.resource_type, resource.resource_name}) > 1) {
      answers[i].resource_type = resource.resource_type;
      answers[i].resource_name = resource.resource_name;
      refuse(request, answers[i], KafkaError::kInvalidRequest, "Each resource must appear at most once.");
      continue;
    }
    co_await alter_one(request, resource, message.validate_only, answers[i]);
  }
  response.responses = answers;
  co_return response;
}

}  // namespace

io::Task<Result<AlterConfigsResponse>> handle_alter_configs(Request& request, const AlterConfigsRequest& message) {
  return alter_all<AlterConfigsResponse>(request, message);
}

io::Task<Result<IncrementalAlterConfigsResponse>> handle_incremental_alter_configs(
    Request& request, const IncrementalAlterConfigsRequest& message) {
  return alter_all<IncrementalAlterConfigsResponse>(request, message);
}

}  // namespace pyralog::server
