#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/isolation_level.h"
#include "protocol/kafka/leader_hint.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kFetchApi{ApiKey::kFetch, "Fetch", {4, 18}, ApiVersion(12)};

/// Reads from partitions in the order named, waiting for `min_bytes`. Sessions (KIP-227): epoch 0 opens one, -1 closes it
/// or does without; later requests then name only what changes. Topics go by name up to version 12, by id from 13.
struct FetchRequest {
  static constexpr const Api& kApi = kFetchApi;

  struct ReplicaState {
    NodeId replica_id{-1};
    std::int64_t replica_epoch = -1;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ReplicaId", from(15), self.replica_id...);
      visit("ReplicaEpoch", from(15), self.replica_epoch...);
    }
    friend bool operator==(const ReplicaState&, const ReplicaState&) = default;
  };
  struct Partition {
    PartitionIndex partition;
    LeaderEpoch current_leader_epoch = kNoLeaderEpoch;
    Offset fetch_offset;
    LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;
    Offset log_start_offset{-1};  ///< of a follower
    std::int32_t partition_max_bytes = 0;
    Uuid replica_directory_id;
    Offset high_watermark{std::numeric_limits<std::int64_t>::max()};  ///< the follower's; maximum: it does not say

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Partition", from(0), self.partition...);
      visit("CurrentLeaderEpoch", from(9).ignorable(), self.current_leader_epoch...);
      visit("FetchOffset", from(0), self.fetch_offset...);
      visit("LastFetchedEpoch", from(12), self.last_fetched_epoch...);
      visit("LogStartOffset", from(5).ignorable(), self.log_start_offset...);
      visit("PartitionMaxBytes", from(0), self.partition_max_bytes...);
      visit("ReplicaDirectoryId", from(17).tagged(0).ignorable(), self.replica_directory_id...);
      visit("HighWatermark", from(18).tagged(1).ignorable(), self.high_watermark...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  struct Topic {
    std::string_view topic;
    LogId topic_id;
    ArrayView<Partition> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Topic", from(0).to(12).ignorable(), self.topic...);
      visit("TopicId", from(13).ignorable(), self.topic_id...);
      visit("Partitions", from(0), self.partitions...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };
  /// Leaves the session.
  struct ForgottenTopic {
    std::string_view topic;
    LogId topic_id;
    ArrayView<PartitionIndex> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Topic", from(7).to(12).ignorable(), self.topic...);
      visit("TopicId", from(13).ignorable(), self.topic_id...);
      visit("Partitions", from(7), self.partitions...);
    }
    friend bool operator==(const ForgottenTopic&, const ForgottenTopic&) = default;
  };

  std::optional<std::string_view> cluster_id;
  NodeId replica_id{-1};  ///< -1: a consumer; from version 15 in replica_state
  ReplicaState replica_state;
  std::int32_t max_wait_ms = 0;
  std::int32_t min_bytes = 0;
  std::int32_t max_bytes = std::numeric_limits<std::int32_t>::max();
  IsolationLevel isolation_level = IsolationLevel::kReadUncommitted;
  std::int32_t session_id = 0;
  std::int32_t session_epoch = -1;
  ArrayView<Topic> topics;
  ArrayView<ForgottenTopic> forgotten_topics_data;
  std::string_view rack_id;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ClusterId", from(12).nullable(12).tagged(0).ignorable(), self.cluster_id...);
    visit("ReplicaId", from(0).to(14), self.replica_id...);
    visit("ReplicaState", from(15).tagged(1), self.replica_state...);
    visit("MaxWaitMs", from(0), self.max_wait_ms...);
    visit("MinBytes", from(0), self.min_bytes...);
    visit("MaxBytes", from(3).ignorable(), self.max_bytes...);
    visit("IsolationLevel", from(4).ignorable(), self.isolation_level...);
    visit("SessionId", from(7).ignorable(), self.session_id...);
    visit("SessionEpoch", from(7).ignorable(), self.session_epoch...);
    visit("Topics", from(0), self.topics...);
    visit("ForgottenTopicsData", from(7), self.forgotten_topics_data...);
    visit("RackId", from(11).ignorable(), self.rack_id...);
  }
  friend bool operator==(const FetchRequest&, const FetchRequest&) = default;
};

struct FetchResponse {
  static constexpr const Api& kApi = kFetchApi;

  /// The fetcher's log differs from ours from here on: the largest epoch not above its own, and where that ends.
  struct DivergingEpoch {
    LeaderEpoch epoch = kNoLeaderEpoch;
    Offset end_offset{-1};

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Epoch", from(12), self.epoch...);
      visit("EndOffset", from(12), self.end_offset...);
    }
    friend bool operator==(const DivergingEpoch&, const DivergingEpoch&) = default;
  };
  struct SnapshotId {
    Offset end_offset{-1};
    LeaderEpoch epoch = kNoLeaderEpoch;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("EndOffset", from(0), self.end_offset...);
      visit("Epoch", from(0), self.epoch...);
    }
    friend bool operator==(const SnapshotId&, const SnapshotId&) = default;
  };
  struct AbortedTransaction {
    ProducerId producer_id;
    Offset first_offset;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ProducerId", from(4), self.producer_id...);
      visit("FirstOffset", from(4), self.first_offset...);
    }
    friend bool operator==(const AbortedTransaction&, const AbortedTransaction&) = default;
  };
  struct Partition {
    PartitionIndex partition_index;
    KafkaError error_code{};
    Offset high_watermark;
    Offset last_stable_offset{-1};
    Offset log_start_offset{-1};
    DivergingEpoch diverging_epoch;
    CurrentLeader<12> current_leader;
    SnapshotId snapshot_id;
    /// Sorted by first offset; null for readers of uncommitted records.
    std::optional<ArrayView<AbortedTransaction>> aborted_transactions = ArrayView<AbortedTransaction>();
    NodeId preferred_read_replica{-1};
    Records records;  ///< where there are none, brokers send empty bytes, not null

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(0), self.partition_index...);
      visit("ErrorCode", from(0), self.error_code...);
      visit("HighWatermark", from(0), self.high_watermark...);
      visit("LastStableOffset", from(4).ignorable(), self.last_stable_offset...);
      visit("LogStartOffset", from(5).ignorable(), self.log_start_offset...);
      visit("DivergingEpoch", from(12).tagged(0), self.diverging_epoch...);
      visit("CurrentLeader", from(12).tagged(1), self.current_leader...);
      visit("SnapshotId", from(12).tagged(2), self.snapshot_id...);
      visit("AbortedTransactions", from(4).nullable(4).ignorable(), self.aborted_transactions...);
      visit("PreferredReadReplica", from(11), self.preferred_read_replica...);
      visit("Records", from(0).nullable(), self.records...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  struct Topic {
    std::string_view topic;
    LogId topic_id;
    ArrayView<Partition> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Topic", from(0).to(12).ignorable(), self.topic...);
      visit("TopicId", from(13).ignorable(), self.topic_id...);
      visit("Partitions", from(0), self.partitions...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  KafkaError error_code{};
  std::int32_t session_id = 0;
  ArrayView<Topic> responses;
  ArrayView<NodeEndpoint<16>> node_endpoints;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(1).ignorable(), self.throttle_time_ms...);
    visit("ErrorCode", from(7).ignorable(), self.error_code...);
    visit("SessionId", from(7), self.session_id...);
    visit("Responses", from(0), self.responses...);
    visit("NodeEndpoints", from(16).tagged(0), self.node_endpoints...);
  }
  friend bool operator==(const FetchResponse&, const FetchResponse&) = default;
};

}  // namespace pyralog::protocol
