#include "client/cluster_client.h"

#include <algorithm>

#include "client/kafka_failure.h"
#include "protocol/kafka/metadata.h"

namespace pyralog::client {

using namespace protocol;

namespace {

constexpr Duration kLeaderWaitMax = std::chrono::seconds(15);
constexpr Duration kCreationWaitMax = std::chrono::seconds(3);
constexpr Duration kLeaderPoll = std::chrono::milliseconds(50);

PartitionInfo partition_info(const MetadataResponse::Partition& partition) {
  return PartitionInfo{.index = partition.partition_index,
                       .leader = partition.leader_id,
                       .leader_epoch = partition.leader_epoch,
                       .replicas = {partition.replica_nodes.begin(), partition.replica_nodes.end()},
                       .in_sync = {partition.isr_nodes.begin(), partition.isr_nodes.end()}};
}

LogInfo log_info(const MetadataResponse::Topic& topic) {
  LogInfo log{.name = std::string(topic.name.value_or("")), .id = topic.topic_id, .is_internal = topic.is_internal,
              .partitions = {}};
  log.partitions.reserve(topic.partitions.size());
  for (const auto& partition : topic.partitions) log.partitions.push_back(partition_info(partition));
  std::ranges::sort(log.partitions, {}, &PartitionInfo::index);
  return log;
}

bool has_leaders(const LogInfo& log) {
  return std::ranges::none_of(log.partitions, [](const PartitionInfo& p) { return p.leader == NodeId(-1); });
}

}  // namespace

io::Task<Result<std::unique_ptr<ClusterClient>>> ClusterClient::connect(std::vector<io::Endpoint> bootstrap,
                                                                        BrokerConnection::Options options) {
  std::unique_ptr<ClusterClient> client(new ClusterClient(std::move(bootstrap), std::move(options)));
  Result<> connected = co_await client->connect_bootstrap();
  if (connected.ok()) {
    auto asked = co_await client->describe_nodes();
    if (asked.ok()) co_return std::move(client);
    connected = std::move(asked).error();
  }
  co_await client->close();
  co_return std::move(connected).error();
}

io::Task<Result<>> ClusterClient::connect_bootstrap() {
  Result<> outcome = Error(ErrorCode::kInvalidArgument, "no server address");
  for (const io::Endpoint& address : bootstrap_) {
    auto connection = co_await BrokerConnection::connect(address, options_);
    if (connection.ok()) {
      const bool is_late = first_ != nullptr && !first_->failed();  // another caller was quicker, and uses what it got
      if (is_late) {
        scope_.spawn(dispose(std::move(*connection)));
        co_return Result<>();
      }
      if (first_ != nullptr) scope_.spawn(dispose(std::move(first_)));
      first_ = std::move(*connection);
      co_return Result<>();
    }
    outcome = std::move(connection).error();
  }
  co_return outcome;
}

io::Task<> ClusterClient::close() {
  for (auto& [node, connection] : connections_) co_await connection->close();
  connections_.clear();
  if (first_ != nullptr) co_await first_->close();
  first_.reset();
  co_await scope_.close();
}

io::Task<> ClusterClient::dispose(std::shared_ptr<BrokerConnection> connection) { co_await connection->close(); }

io::Task<Result<ClusterInfo>> ClusterClient::describe_all() {
  co_return co_await ask_metadata(std::nullopt, AutoCreation::kForbidden);
}

io::Task<Result<ClusterInfo>> ClusterClient::describe_nodes() {
  co_return co_await ask_metadata(std::vector<std::string>(), AutoCreation::kForbidden);
}

io::Task<Result<LogInfo>> ClusterClient::describe_log(std::string name, AutoCreation auto_creation) {
  io::Reactor& reactor = io::Reactor::current();
  const MonotonicTime start = reactor.now();
  for (;;) {
    std::vector<std::string> names{name};
    auto cluster = co_await ask_metadata(std::move(names), auto_creation);
    // A log that is being created is unknown or without leaders for a moment; when the wait is over, the failure says which.
    const bool is_created = !cluster.ok() && cluster.error() == ErrorCode::kNotFound && auto_creation == AutoCreation::kAllowed;
    const bool is_pending = cluster.ok() ? !has_leaders(cluster->logs.front()) : is_retriable(cluster.error().code());
    const Duration wait = is_created ? kCreationWaitMax : is_pending ? kLeaderWaitMax : Duration(0);
    if (reactor.now() >= start + wait) {
      if (!cluster.ok()) co_return std::move(cluster).error();
      co_return std::move(cluster->logs.front());
    }
    (void)co_await io::sleep_for(kLeaderPoll, scope_.abort());
  }
}

io::Task<Result<ClusterInfo>> ClusterClient::ask_metadata(std::optional<std::vector<std::string>> names,
                                                          AutoCreation auto_creation) {
  PYRALOG_CO_ASSIGN(const auto connection, co_await any_connection());
  std::vector<MetadataRequest::Topic> topics;
  MetadataRequest request;
  request.allow_auto_topic_creation = auto_creation == AutoCreation::kAllowed;
  if (names.has_value()) {
    for (const std::string& name : *names) topics.push_back({.topic_id = {}, .name = name});
    request.topics = ArrayView<MetadataRequest::Topic>(topics);
  } else {
    request.topics = std::nullopt;
  }
  const auto version = connection->version_of(kMetadataApi);
  if (version.ok() && *version == ApiVersion(0)) {
    co_return Error(ErrorCode::kUnsupportedVersion, connection->server().to_string() + " is too old");
  }
  PYRALOG_CO_ASSIGN(const auto reply, (co_await connection->call<MetadataRequest, MetadataResponse>(request)));
  const MetadataResponse& answer = reply.message;
  PYRALOG_CO_TRY(check_answer(answer.error_code, "metadata"));
  ClusterInfo info{.cluster_id = std::string(answer.cluster_id.value_or("")), .controller = answer.controller_id,
                   .brokers = {}, .logs = {}};
  for (const auto& broker : answer.brokers) {
    const io::Endpoint address{.host = std::string(broker.host), .port = static_cast<std::uint16_t>(broker.port)};
    addresses_[broker.node_id] = address;
    info.brokers.push_back({.id = broker.node_id, .address = address, .rack = std::string(broker.rack.value_or(""))});
  }
  controller_ = info.controller;
  for (const auto& topic : answer.topics) {
    if (names.has_value()) PYRALOG_CO_TRY(check_answer(topic.error_code, "log " + std::string(topic.name.value_or(""))));
    info.logs.push_back(log_info(topic));
  }
  if (names.has_value() && info.logs.size() != names->size()) {
    co_return Error(ErrorCode::kCorrupt, connection->server().to_string() + " answered for other logs than asked");
  }
  std::ranges::sort(info.brokers, {}, &BrokerInfo::id);
  std::ranges::sort(info.logs, {}, &LogInfo::name);
  co_return std::move(info);
}

io::Task<Result<std::unique_ptr<BrokerConnection>>> ClusterClient::new_connection_to(NodeId node) {
  const auto address = addresses_.find(node);
  if (address == addresses_.end()) {
    co_return Error(ErrorCode::kUnavailable, "no address of node " + std::to_string(node.value) + " is known");
  }
  auto connection = co_await BrokerConnection::connect(address->second, options_);
  if (!connection.ok()) co_return connection.error().with_context("node " + std::to_string(node.value));
  co_return std::move(connection);
}

io::Task<Result<std::shared_ptr<BrokerConnection>>> ClusterClient::connection_to(NodeId node) {
  const auto known = connections_.find(node);
  if (known != connections_.end() && !known->second->failed()) co_return known->second;
  const auto address = addresses_.find(node);
  if (address != addresses_.end() && first_ != nullptr && !first_->failed() && first_->server() == address->second) {
    co_return first_;
  }
  PYRALOG_CO_ASSIGN(std::shared_ptr<BrokerConnection> fresh, co_await new_connection_to(node));
  auto& place = connections_[node];  // another caller may have been quicker meanwhile
  if (place != nullptr && !place->failed()) {
    scope_.spawn(dispose(std::move(fresh)));
    co_return place;
  }
  if (place != nullptr) scope_.spawn(dispose(std::move(place)));
  place = fresh;
  co_return fresh;
}

io::Task<Result<std::shared_ptr<BrokerConnection>>> ClusterClient::any_connection() {
  if (first_ != nullptr && !first_->failed()) co_return first_;
  for (const auto& [node, connection] : connections_) {
    if (!connection->failed()) co_return connection;
  }
  PYRALOG_CO_TRY(co_await connect_bootstrap());
  co_return first_;
}

io::Task<Result<std::shared_ptr<BrokerConnection>>> ClusterClient::controller_connection() {
  if (controller_ == NodeId(-1)) co_return co_await any_connection();
  co_return co_await connection_to(controller_);
}

}  // namespace pyralog::client
