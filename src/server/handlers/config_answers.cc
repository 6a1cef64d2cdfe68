#include "server/handlers/config_answers.h"

#include <charconv>

#include "server/controller.h"
#include "server/group_service.h"
#include "server/handlers/admin_answers.h"
#include "server/node.h"
#include "server/shard.h"

namespace pyralog::server {

using namespace protocol;

namespace {

/// As in Kafka, the internal log's settings may be altered; not to those that lose what groups have committed.
std::optional<Refusal> check_group_log(const cluster::Settings& wanted) {
  const std::string* policy = wanted.find("cleanup.policy");
  if (policy == nullptr || *policy != "compact") {
    return Refusal{KafkaError::kInvalidConfig,
                   "cleanup.policy of the internal log must be compact: committed offsets would be deleted"};
  }
  const std::string* caching = wanted.find("write.caching");
  if (caching == nullptr || *caching != "true") return std::nullopt;
  return Refusal{KafkaError::kInvalidConfig,
                 "write.caching of the internal log must be false: committed offsets are always durable"};
}

}  // namespace

std::expected<ConfigTarget, Refusal> find_config_target(Request& request, ResourceType type, std::string_view name) {
  const cluster::ImagePtr& image = request.shard.image();
  if (type == ResourceType::kTopic) {
    const auto* log = image->find_log(name);
    if (log == nullptr) return std::unexpected(Refusal{KafkaError::kUnknownTopicOrPartition, "no such topic"});
    return ConfigTarget{.type = type, .log = log->id, .stored = &log->settings};
  }
  if (type != ResourceType::kBroker) {
    return std::unexpected(Refusal{KafkaError::kInvalidRequest, "only topics and brokers have configurations here"});
  }
  if (name.empty()) return ConfigTarget{.type = type, .stored = &image->default_node_settings()};
  std::int32_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  const bool is_node = error == std::errc() && end == name.data() + name.size() && std::to_string(id) == name &&
                       image->find_node(NodeId(id)) != nullptr;
  if (!is_node) {
    return std::unexpected(Refusal{KafkaError::kInvalidRequest, "no broker \"" + std::string(name) + "\" in this cluster"});
  }
  return ConfigTarget{.type = type, .node = NodeId(id), .stored = &image->node_settings(NodeId(id))};
}

io::Task<std::optional<Refusal>> change_settings(Request& request, ConfigTarget target, cluster::Settings wanted,
                                                 bool validate_only) {
  const bool of_log = target.type == ResourceType::kTopic;
  const Result<> checked =
      of_log ? cluster::check_topic_settings(wanted, request.shard.node_settings()) : cluster::check_node_settings(wanted);
  if (!checked.ok()) co_return Refusal{KafkaError::kInvalidConfig, checked.error().detail()};
  if (const auto* log = request.shard.image()->find_log(target.log); log != nullptr && is_internal_log(log->name)) {
    if (auto refusal = check_group_log(wanted)) co_return refusal;
  }
  auto changes = cluster::changes_between(*target.stored, wanted);
  if (validate_only || changes.empty()) co_return std::nullopt;
  cluster::Command command;
  if (of_log) {
    command = cluster::AlterLogSettings{.id = target.log, .changes = std::move(changes)};
  } else {
    command = cluster::AlterNodeSettings{.node = target.node, .changes = std::move(changes)};
  }
  auto proposed = co_await request.shard.node().controller().propose(std::move(command));
  if (proposed.ok()) co_return std::nullopt;
  co_return Refusal{admin_error(proposed.error(), KafkaError::kInvalidConfig), proposed.error().to_string()};
}

}  // namespace pyralog::server
