#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kOffsetCommitApi{ApiKey::kOffsetCommit, "OffsetCommit", {2, 10}, ApiVersion(8)};

/// Topics go by name up to version 9, by id from 10.
struct OffsetCommitRequest {
  static constexpr const Api& kApi = kOffsetCommitApi;

  struct Partition {
    PartitionIndex partition_index;
    Offset committed_offset;
    LeaderEpoch committed_leader_epoch = kNoLeaderEpoch;
    std::optional<std::string_view> committed_metadata = "";

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(0), self.partition_index...);
      visit("CommittedOffset", from(0), self.committed_offset...);
      visit("CommittedLeaderEpoch", from(6).ignorable(), self.committed_leader_epoch...);
      visit("CommittedMetadata", from(0).nullable(), self.committed_metadata...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  struct Topic {
    std::string_view name;
    LogId topic_id;
    ArrayView<Partition> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0).to(9).ignorable(), self.name...);
      visit("TopicId", from(10).ignorable(), self.topic_id...);
      visit("Partitions", from(0), self.partitions...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::string_view group_id;
  std::int32_t generation_id_or_member_epoch = -1;
  std::string_view member_id;
  std::optional<std::string_view> group_instance_id;
  std::int64_t retention_time_ms = -1;
  ArrayView<Topic> topics;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("GroupId", from(0), self.group_id...);
    visit("GenerationIdOrMemberEpoch", from(1).ignorable(), self.generation_id_or_member_epoch...);
    visit("MemberId", from(1).ignorable(), self.member_id...);
    visit("GroupInstanceId", from(7).nullable(7), self.group_instance_id...);
    visit("RetentionTimeMs", from(2).to(4).ignorable(), self.retention_time_ms...);
    visit("Topics", from(0), self.topics...);
  }
  friend bool operator==(const OffsetCommitRequest&, const OffsetCommitRequest&) = default;
};

struct OffsetCommitResponse {
  static constexpr const Api& kApi = kOffsetCommitApi;

  struct Partition {
    PartitionIndex partition_index;
    KafkaError error_code{};

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(0), self.partition_index...);
      visit("ErrorCode", from(0), self.error_code...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  struct Topic {
    std::string_view name;
    LogId topic_id;
    ArrayView<Partition> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0).to(9).ignorable(), self.name...);
      visit("TopicId", from(10).ignorable(), self.topic_id...);
      visit("Partitions", from(0), self.partitions...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  ArrayView<Topic> topics;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(3).ignorable(), self.throttle_time_ms...);
    visit("Topics", from(0), self.topics...);
  }
  friend bool operator==(const OffsetCommitResponse&, const OffsetCommitResponse&) = default;
};

}  // namespace pyralog::protocol
