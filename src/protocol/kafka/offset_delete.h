#pragma once

#include <cstdint>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kOffsetDeleteApi{ApiKey::kOffsetDelete, "OffsetDelete", {0, 0}, kNeverFlexible};

/// Forgets a group's committed offsets.
struct OffsetDeleteRequest {
  static constexpr const Api& kApi = kOffsetDeleteApi;

  struct Partition {
    PartitionIndex partition_index;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(0), self.partition_index...);
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

  std::string_view group_id;
  ArrayView<Topic> topics;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("GroupId", from(0), self.group_id...);
    visit("Topics", from(0), self.topics...);
  }
  friend bool operator==(const OffsetDeleteRequest&, const OffsetDeleteRequest&) = default;
};

struct OffsetDeleteResponse {
  static constexpr const Api& kApi = kOffsetDeleteApi;

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
    ArrayView<Partition> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
      visit("Partitions", from(0), self.partitions...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  KafkaError error_code{};
  std::int32_t throttle_time_ms = 0;
  ArrayView<Topic> topics;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ErrorCode", from(0), self.error_code...);
    visit("ThrottleTimeMs", from(0).ignorable(), self.throttle_time_ms...);
    visit("Topics", from(0), self.topics...);
  }
  friend bool operator==(const OffsetDeleteResponse&, const OffsetDeleteResponse&) = default;
};

}  // namespace pyralog::protocol
