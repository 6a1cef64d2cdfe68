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

inline constexpr Api kDescribeTopicPartitionsApi{
    ApiKey::kDescribeTopicPartitions, "DescribeTopicPartitions", {0, 0}, ApiVersion(0)};

/// Where a listing goes on, as told by the answer before.
struct TopicPartitionCursor {
  std::string_view topic_name;
  PartitionIndex partition_index;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("TopicName", from(0), self.topic_name...);
    visit("PartitionIndex", from(0), self.partition_index...);
  }
  friend bool operator==(const TopicPartitionCursor&, const TopicPartitionCursor&) = default;
};

/// Topics by ascending name; no topics: all.
struct DescribeTopicPartitionsRequest {
  static constexpr const Api& kApi = kDescribeTopicPartitionsApi;

  struct Topic {
    std::string_view name;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  ArrayView<Topic> topics;
  std::int32_t response_partition_limit = 2000;
  std::optional<TopicPartitionCursor> cursor;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Topics", from(0), self.topics...);
    visit("ResponsePartitionLimit", from(0), self.response_partition_limit...);
    visit("Cursor", from(0).nullable(), self.cursor...);
  }
  friend bool operator==(const DescribeTopicPartitionsRequest&, const DescribeTopicPartitionsRequest&) = default;
};

struct DescribeTopicPartitionsResponse {
  static constexpr const Api& kApi = kDescribeTopicPartitionsApi;

  struct Partition {
    KafkaError error_code{};
    PartitionIndex partition_index;
    NodeId leader_id;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    ArrayView<NodeId> replica_nodes;
    ArrayView<NodeId> isr_nodes;
    std::optional<ArrayView<NodeId>> eligible_leader_replicas;
    std::optional<ArrayView<NodeId>> last_known_elr;
    ArrayView<NodeId> offline_replicas;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ErrorCode", from(0), self.error_code...);
      visit("PartitionIndex", from(0), self.partition_index...);
      visit("LeaderId", from(0), self.leader_id...);
      visit("LeaderEpoch", from(0).ignorable(), self.leader_epoch...);
      visit("ReplicaNodes", from(0), self.replica_nodes...);
      visit("IsrNodes", from(0), self.isr_nodes...);
      visit("EligibleLeaderReplicas", from(0).nullable(), self.eligible_leader_replicas...);
      visit("LastKnownElr", from(0).nullable(), self.last_known_elr...);
      visit("OfflineReplicas", from(0).ignorable(), self.offline_replicas...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
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
      visit("Name", from(0).nullable(), self.name...);
      visit("TopicId", from(0).ignorable(), self.topic_id...);
      visit("IsInternal", from(0).ignorable(), self.is_internal...);
      visit("Partitions", from(0), self.partitions...);
      visit("TopicAuthorizedOperations", from(0), self.topic_authorized_operations...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  ArrayView<Topic> topics;
  std::optional<TopicPartitionCursor> next_cursor;  ///< null: nothing is left

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(0).ignorable(), self.throttle_time_ms...);
    visit("Topics", from(0), self.topics...);
    visit("NextCursor", from(0).nullable(), self.next_cursor...);
  }
  friend bool operator==(const DescribeTopicPartitionsResponse&, const DescribeTopicPartitionsResponse&) = default;
};

}  // namespace pyralog::protocol
