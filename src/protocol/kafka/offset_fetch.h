#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kOffsetFetchApi{ApiKey::kOffsetFetch, "OffsetFetch", {1, 10}, ApiVersion(6)};

/// One group up to version 7, several in `groups` from version 8; topics by id from version 10. Null topics: all.
struct OffsetFetchRequest {
  static constexpr const Api& kApi = kOffsetFetchApi;

  struct Topic {
    std::string_view name;
    ArrayView<PartitionIndex> partition_indexes;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0).to(7), self.name...);
      visit("PartitionIndexes", from(0).to(7), self.partition_indexes...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };
  struct GroupTopic {
    std::string_view name;
    LogId topic_id;
    ArrayView<PartitionIndex> partition_indexes;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(8).to(9).ignorable(), self.name...);
      visit("TopicId", from(10).ignorable(), self.topic_id...);
      visit("PartitionIndexes", from(8), self.partition_indexes...);
    }
    friend bool operator==(const GroupTopic&, const GroupTopic&) = default;
  };
  struct Group {
    std::string_view group_id;
    std::optional<std::string_view> member_id;
    std::int32_t member_epoch = -1;
    std::optional<ArrayView<GroupTopic>> topics = ArrayView<GroupTopic>();

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("GroupId", from(8), self.group_id...);
      visit("MemberId", from(9).nullable(9).ignorable(), self.member_id...);
      visit("MemberEpoch", from(9).ignorable(), self.member_epoch...);
      visit("Topics", from(8).nullable(8), self.topics...);
    }
    friend bool operator==(const Group&, const Group&) = default;
  };

  std::string_view group_id;
  std::optional<ArrayView<Topic>> topics = ArrayView<Topic>();
  ArrayView<Group> groups;
  bool require_stable = false;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("GroupId", from(0).to(7), self.group_id...);
    visit("Topics", from(0).to(7).nullable(2), self.topics...);
    visit("Groups", from(8), self.groups...);
    visit("RequireStable", from(7), self.require_stable...);
  }
  friend bool operator==(const OffsetFetchRequest&, const OffsetFetchRequest&) = default;
};

struct OffsetFetchResponse {
  static constexpr const Api& kApi = kOffsetFetchApi;

  /// Offset -1: nothing is committed.
  struct Partition {
    PartitionIndex partition_index;
    Offset committed_offset;
    LeaderEpoch committed_leader_epoch = kNoLeaderEpoch;
    std::optional<std::string_view> metadata = "";
    KafkaError error_code{};

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(0).to(7), self.partition_index...);
      visit("CommittedOffset", from(0).to(7), self.committed_offset...);
      visit("CommittedLeaderEpoch", from(5).to(7).ignorable(), self.committed_leader_epoch...);
      visit("Metadata", from(0).to(7).nullable(), self.metadata...);
      visit("ErrorCode", from(0).to(7), self.error_code...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  struct Topic {
    std::string_view name;
    ArrayView<Partition> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0).to(7), self.name...);
      visit("Partitions", from(0).to(7), self.partitions...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };
  struct GroupPartition {
    PartitionIndex partition_index;
    Offset committed_offset;
    LeaderEpoch committed_leader_epoch = kNoLeaderEpoch;
    std::optional<std::string_view> metadata = "";
    KafkaError error_code{};

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(8), self.partition_index...);
      visit("CommittedOffset", from(8), self.committed_offset...);
      visit("CommittedLeaderEpoch", from(8).ignorable(), self.committed_leader_epoch...);
      visit("Metadata", from(8).nullable(8), self.metadata...);
      visit("ErrorCode", from(8), self.error_code...);
    }
    friend bool operator==(const GroupPartition&, const GroupPartition&) = default;
  };
  struct GroupTopic {
    std::string_view name;
    LogId topic_id;
    ArrayView<GroupPartition> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(8).to(9).ignorable(), self.name...);
      visit("TopicId", from(10).ignorable(), self.topic_id...);
      visit("Partitions", from(8), self.partitions...);
    }
    friend bool operator==(const GroupTopic&, const GroupTopic&) = default;
  };
  struct Group {
    std::string_view group_id;
    ArrayView<GroupTopic> topics;
    KafkaError error_code{};

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("GroupId", from(8), self.group_id...);
      visit("Topics", from(8), self.topics...);
      visit("ErrorCode", from(8), self.error_code...);
    }
    friend bool operator==(const Group&, const Group&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  ArrayView<Topic> topics;
  KafkaError error_code{};
  ArrayView<Group> groups;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(3).ignorable(), self.throttle_time_ms...);
    visit("Topics", from(0).to(7), self.topics...);
    visit("ErrorCode", from(2).to(7).ignorable(), self.error_code...);
    visit("Groups", from(8), self.groups...);
  }
  friend bool operator==(const OffsetFetchResponse&, const OffsetFetchResponse&) = default;
};

}  // namespace pyralog::protocol
