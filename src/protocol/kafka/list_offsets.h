#pragma once

#include <cstdint>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/isolation_level.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kListOffsetsApi{ApiKey::kListOffsets, "ListOffsets", {1, 11}, ApiVersion(6)};

/// Values of a ListOffsets timestamp that are not times.
inline constexpr std::int64_t kTimestampLatest = -1;
inline constexpr std::int64_t kTimestampEarliest = -2;
inline constexpr std::int64_t kTimestampMax = -3;            ///< the record with the largest timestamp; from version 7
inline constexpr std::int64_t kTimestampEarliestLocal = -4;  ///< from version 8
inline constexpr std::int64_t kTimestampLatestTiered = -5;   ///< from version 9
inline constexpr std::int64_t kTimestampEarliestPendingUpload = -6;  ///< from version 11

/// Asks for the first offset whose record's timestamp is at least `timestamp`.
struct ListOffsetsRequest {
  static constexpr const Api& kApi = kListOffsetsApi;

  struct Partition {
    PartitionIndex partition_index;
    LeaderEpoch current_leader_epoch = kNoLeaderEpoch;
    std::int64_t timestamp = 0;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(0), self.partition_index...);
      visit("CurrentLeaderEpoch", from(4).ignorable(), self.current_leader_epoch...);
      visit("Timestamp", from(0), self.timestamp...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  struct Topic {
    std::string_view name;
    ArrayView<Partition> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
      visit("Partitions", from(0), self.partitions...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  NodeId replica_id;  ///< -1: a consumer
  IsolationLevel isolation_level = IsolationLevel::kReadUncommitted;
  ArrayView<Topic> topics;
  std::int32_t timeout_ms = 0;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ReplicaId", from(0), self.replica_id...);
    visit("IsolationLevel", from(2), self.isolation_level...);
    visit("Topics", from(0), self.topics...);
    visit("TimeoutMs", from(10).ignorable(), self.timeout_ms...);
  }
  friend bool operator==(const ListOffsetsRequest&, const ListOffsetsRequest&) = default;
};

struct ListOffsetsResponse {
  static constexpr const Api& kApi = kListOffsetsApi;

  /// Timestamp and offset are -1 if no record is that late.
  struct Partition {
    PartitionIndex partition_index;
    KafkaError error_code{};
    std::int64_t timestamp = -1;
    Offset offset{-1};
    LeaderEpoch leader_epoch = kNoLeaderEpoch;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(0), self.partition_index...);
      visit("ErrorCode", from(0), self.error_code...);
      visit("Timestamp", from(1), self.timestamp...);
      visit("Offset", from(1), self.offset...);
      visit("LeaderEpoch", from(4), self.leader_epoch...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  struct Topic {
    std::string_view name;
    ArrayView<Partition> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
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
  friend bool operator==(const ListOffsetsResponse&, const ListOffsetsResponse&) = default;
};

}  // namespace pyralog::protocol
