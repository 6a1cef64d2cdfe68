#include <algorithm>
#include <set>
#include <utility>

#include "cluster/log_name.h"
#include "server/group_service.h"
#include "server/handlers/handlers.h"
#include "server/log_creation.h"
#include "server/node.h"
#include "server/shard.h"

namespace pyralog::server {
namespace {

using namespace protocol;

MetadataResponse::Topic describe_log(Request& request, const cluster::MetadataImage& image,
                                     const cluster::LogMetadata& log) {
  MetadataResponse::Topic topic;
  topic.name = request.arena.copy(log.name);
  topic.topic_id = log.id;
  topic.is_internal = is_internal_log(log.name);
  auto partitions = request.arena.make<MetadataResponse::Partition>(log.partitions.size());
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    const cluster::PartitionMetadata& partition = log.partitions[i];
    auto replicas = request.arena.make<NodeId>(partition.replicas.size());
    std::ranges::copy(partition.replicas, replicas.begin());
    partitions[i].partition_index = PartitionIndex(static_cast<std::int32_t>(i));
    partitions[i].leader_id = partition.leader();
    partitions[i].leader_epoch = image.leader_epoch(partition);
    partitions[i].replica_nodes = replicas;
    partitions[i].isr_nodes = replicas;
  }
  topic.partitions = partitions;
  return topic;
}

MetadataResponse::Topic missing(const MetadataRequest::Topic& asked, KafkaError error) {
  MetadataResponse::Topic topic;
  topic.error_code = error;
  topic.name = asked.name;
  topic.topic_id = asked.topic_id;
  return topic;
}

/// Creates what may be created and reports it as not known yet, as Kafka does: the client asks again.
io::Task<MetadataResponse::Topic> create_on_demand(Request& request, const MetadataRequest::Topic& asked) {
  const Result<> created = is_internal_log(*asked.name)
                               ? co_await ensure_group_log(request.shard)
                               : co_await create_log_with_defaults(request.shard, std::string(*asked.name));
  if (created.ok() || created.error() == ErrorCode::kAlreadyExists) {
    // Ours exists when this returns, so the answer need not send the client away.
    if (const auto* log = request.shard.image()->find_log(*asked.name)) {
      co_return describe_log(request, *request.shard.image(), *log);
    }
    co_return missing(asked, KafkaError::kUnknownTopicOrPartition);
  }
  co_return missing(asked, created.error() == ErrorCode::kInvalidArgument ? KafkaError::kInvalidTopicException
                                                                          : to_kafka_error(created.error().code()));
}

io::Task<MetadataResponse::Topic> describe_asked(Request& request, const MetadataRequest& message,
                                                 const MetadataRequest::Topic& asked) {
  const cluster::ImagePtr image = request.shard.image();
  if (!asked.name.has_value() || (asked.name->empty() && !asked.topic_id.is_zero())) {
    const auto* log = image->find_log(asked.topic_id);
    MetadataRequest::Topic by_id = asked;
    by_id.name = std::nullopt;
    co_return log != nullptr ? describe_log(request, *image, *log) : missing(by_id, KafkaError::kUnknownTopicId);
  }
  if (const auto* log = image->find_log(*asked.name)) co_return describe_log(request, *image, *log);
  if (!cluster::check_log_name(*asked.name).ok()) co_return missing(asked, KafkaError::kInvalidTopicException);
  if (message.allow_auto_topic_creation && request.shard.info().auto_create_logs) {
    co_return co_await create_on_demand(request, asked);
  }
  co_return missing(asked, KafkaError::kUnknownTopicOrPartition);
}

}  // namespace

io::Task<Result<MetadataResponse>> handle_metadata(Request& request, const MetadataRequest& message) {
  const NodeInfo& info = request.shard.info();
  MetadataResponse response;
  auto brokers = request.arena.make<MetadataResponse::Broker>(1);
  const io::Endpoint& advertised = request.connection.listener().advertised;
  brokers[0] = {.node_id = info.id, .host = advertised.host, .port = advertised.port};
  if (!info.rack.empty()) brokers[0].rack = info.rack;
  response.brokers = brokers;
  response.cluster_id = request.arena.copy(info.cluster_id.to_string());
  response.controller_id = info.id;

  const bool all = !message.topics.has_value() || (request.version() == ApiVersion(0) && message.topics->empty());
  if (all) {
    const cluster::ImagePtr image = request.shard.image();
    const auto logs = image->logs_by_name();
    auto topics = request.arena.make<MetadataResponse::Topic>(logs.size());
    for (std::size_t i = 0; i < logs.size(); ++i) topics[i] = describe_log(request, *image, *logs[i]);
    response.topics = topics;
    co_return response;
  }
  auto topics = request.arena.make<MetadataResponse::Topic>(message.topics->size());
  std::size_t count = 0;
  // As Kafka, each topic once: a short request must not make a long answer.
  std::set<std::pair<LogId, std::string_view>> asked_before;
  for (const MetadataRequest::Topic& asked : *message.topics) {
    if (!asked_before.emplace(asked.topic_id, asked.name.value_or(std::string_view())).second) continue;
    topics[count++] = co_await describe_asked(request, message, asked);
  }
  response.topics = topics.first(count);
  co_return response;
}

}  // namespace pyralog::server
