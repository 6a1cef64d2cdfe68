#pragma once

#include <cstdint>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kOffsetForLeaderEpochApi{
    ApiKey::kOffsetForLeaderEpoch, "OffsetForLeaderEpoch", {2, 4}, ApiVersion(4)};

/// Asks where an epoch ended, so that a client finds out whether what it read was truncated.
struct OffsetForLeaderEpochRequest {
  static constexpr const Api& kApi = kOffsetForLeaderEpochApi;

  struct Partition {
    PartitionIndex partition;
    LeaderEpoch current_leader_epoch = kNoLeaderEpoch;  ///< for fencing
    LeaderEpoch leader_epoch;                           ///< the one asked about

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Partition", from(0), self.partition...);
      visit("CurrentLeaderEpoch", from(2).ignorable(), self.current_leader_epoch...);
      visit("LeaderEpoch", from(0), self.leader_epoch...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  struct Topic {
    std::string_view topic;
    ArrayView<Partition> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Topic", from(0), self.topic...);
      visit("Partitions", from(0), self.partitions...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  NodeId replica_id{-2};  ///< -1: a consumer; -2: a debugging tool
  ArrayView<Topic> topics;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ReplicaId", from(3).ignorable(), self.replica_id...);
    visit("Topics", from(0), self.topics...);
  }
  friend bool operator==(const OffsetForLeaderEpochRequest&, const OffsetForLeaderEpochRequest&) = default;
};

struct OffsetForLeaderEpochResponse {
  static constexpr const Api& kApi = kOffsetForLeaderEpochApi;

  /// The largest epoch not above the one asked about, and the offset after its last record.
  struct Partition {
    KafkaError error_code{};
    PartitionIndex partition;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    Offset end_offset{-1};

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ErrorCode", from(0), self.error_code...);
      visit("Partition", from(0), self.partition...);
      visit("LeaderEpoch", from(1).ignorable(), self.leader_epoch...);
      visit("EndOffset", from(0), self.end_offset...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  struct Topic {
    std::string_view topic;
    ArrayView<Partition> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Topic", from(0), self.topic...);
      visit("Partitions", from(0), self.partitions...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  ArrayView<Topic> topics;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(2).ignorable(), self.throttle_time_ms...);
    visit("Topics", from(0), self.topics...);
  }
  friend bool operator==(const OffsetForLeaderEpochResponse&, const OffsetForLeaderEpochResponse&) = default;
};

}  // namespace pyralog::protocol
