#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/authorized_operations.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kMetadataApi{ApiKey::kMetadata, "Metadata", {0, 13}, ApiVersion(9)};

/// Asks for brokers, and for topics with their partitions. Null topics: all; none: no topics (version 0, which has no
/// null: all).
struct MetadataRequest {
  static constexpr const Api& kApi = kMetadataApi;

  struct Topic {
    LogId topic_id;
    std::optional<std::string_view> name = "";

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("TopicId", from(10).ignorable(), self.topic_id...);
      visit("Name", from(0).nullable(10), self.name...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::optional<ArrayView<Topic>> topics = ArrayView<Topic>();
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Topics", from(0).nullable(1), self.topics...);
    visit("AllowAutoTopicCreation", from(4), self.allow_auto_topic_creation...);
    visit("IncludeClusterAuthorizedOperations", from(8).to(10), self.include_cluster_authorized_operations...);
    visit("IncludeTopicAuthorizedOperations", from(8), self.include_topic_authorized_operations...);
  }
  friend bool operator==(const MetadataRequest&, const MetadataRequest&) = default;
};

struct MetadataResponse {
  static constexpr const Api& kApi = kMetadataApi;

  struct Broker {
    NodeId node_id;
    std::string_view host;
    std::int32_t port = 0;
    std::optional<std::string_view> rack;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("NodeId", from(0), self.node_id...);
      visit("Host", from(0), self.host...);
      visit("Port", from(0), self.port...);
      visit("Rack", from(1).nullable(1).ignorable(), self.rack...);
    }
    friend bool operator==(const Broker&, const Broker&) = default;
  };
  struct Partition {
    KafkaError error_code{};
    PartitionIndex partition_index;
    NodeId leader_id;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    ArrayView<NodeId> replica_nodes;
    ArrayView<NodeId> isr_nodes;
    ArrayView<NodeId> offline_replicas;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ErrorCode", from(0), self.error_code...);
      visit("PartitionIndex", from(0), self.partition_index...);
      visit("LeaderId", from(0), self.leader_id...);
      visit("LeaderEpoch", from(7).ignorable(), self.leader_epoch...);
      visit("ReplicaNodes", from(0), self.replica_nodes...);
      visit("IsrNodes", from(0), self.isr_nodes...);
      visit("OfflineReplicas", from(5).ignorable(), self.offline_replicas...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  /// Name or id is unknown (null, zero) where the request gave only the other and the topic does not exist.
  struct Topic {
    KafkaError error_code{};
    std::optional<std::string_view> name = "";
    LogId topic_id;
    bool is_internal = false;
    ArrayView<Partition> partitions;
    std::int32_t topic_authorized_operations = kOperationsNotRequested;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ErrorCode", from(0), self.error_code...);
      visit("Name", from(0).nullable(12), self.name...);
      visit("TopicId", from(10).ignorable(), self.topic_id...);
      visit("IsInternal", from(1).ignorable(), self.is_internal...);
      visit("Partitions", from(0), self.partitions...);
      visit("TopicAuthorizedOperations", from(8), self.topic_authorized_operations...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  ArrayView<Broker> brokers;
  std::optional<std::string_view> cluster_id;
  NodeId controller_id{-1};
  ArrayView<Topic> topics;
  std::int32_t cluster_authorized_operations = kOperationsNotRequested;
  KafkaError error_code{};

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(3).ignorable(), self.throttle_time_ms...);
    visit("Brokers", from(0), self.brokers...);
    visit("ClusterId", from(2).nullable(2).ignorable(), self.cluster_id...);
    visit("ControllerId", from(1).ignorable(), self.controller_id...);
    visit("Topics", from(0), self.topics...);
    visit("ClusterAuthorizedOperations", from(8).to(10), self.cluster_authorized_operations...);
    visit("ErrorCode", from(13).ignorable(), self.error_code...);
  }
  friend bool operator==(const MetadataResponse&, const MetadataResponse&) = default;
};

}  // namespace pyralog::protocol
