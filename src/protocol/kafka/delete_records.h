#pragma once

#include <cstdint>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kDeleteRecordsApi{ApiKey::kDeleteRecords, "DeleteRecords", {0, 2}, ApiVersion(2)};

struct DeleteRecordsRequest {
  static constexpr const Api& kApi = kDeleteRecordsApi;

  struct Partition {
    PartitionIndex partition_index;
    Offset offset;  ///< the first to be kept; -1: the high watermark

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(0), self.partition_index...);
      visit("Offset", from(0), self.offset...);
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

  ArrayView<Topic> topics;
  std::int32_t timeout_ms = 0;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Topics", from(0), self.topics...);
    visit("TimeoutMs", from(0), self.timeout_ms...);
  }
  friend bool operator==(const DeleteRecordsRequest&, const DeleteRecordsRequest&) = default;
};

struct DeleteRecordsResponse {
  static constexpr const Api& kApi = kDeleteRecordsApi;

  struct Partition {
    PartitionIndex partition_index;
    Offset low_watermark;  ///< the first offset left; -1 on an error
    KafkaError error_code{};

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(0), self.partition_index...);
      visit("LowWatermark", from(0), self.low_watermark...);
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

  std::int32_t throttle_time_ms = 0;
  ArrayView<Topic> topics;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(0), self.throttle_time_ms...);
    visit("Topics", from(0), self.topics...);
  }
  friend bool operator==(const DeleteRecordsResponse&, const DeleteRecordsResponse&) = default;
};

}  // namespace pyralog::protocol
