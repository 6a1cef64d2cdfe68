#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kDescribeLogDirsApi{ApiKey::kDescribeLogDirs, "DescribeLogDirs", {1, 5}, ApiVersion(2)};

struct DescribeLogDirsRequest {
  static constexpr const Api& kApi = kDescribeLogDirsApi;

  struct Topic {
    std::string_view topic;
    ArrayView<PartitionIndex> partitions;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Topic", from(0), self.topic...);
      visit("Partitions", from(0), self.partitions...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::optional<ArrayView<Topic>> topics = ArrayView<Topic>();  ///< null: all

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Topics", from(0).nullable(), self.topics...);
  }
  friend bool operator==(const DescribeLogDirsRequest&, const DescribeLogDirsRequest&) = default;
};

struct DescribeLogDirsResponse {
  static constexpr const Api& kApi = kDescribeLogDirsApi;

  struct Partition {
    PartitionIndex partition_index;
    std::int64_t partition_size = 0;  ///< bytes
    std::int64_t offset_lag = 0;
    bool is_future_key = false;  ///< a copy that is being moved here from another directory

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(0), self.partition_index...);
      visit("PartitionSize", from(0), self.partition_size...);
      visit("OffsetLag", from(0), self.offset_lag...);
      visit("IsFutureKey", from(0), self.is_future_key...);
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
  struct Directory {
    KafkaError error_code{};
    std::string_view log_dir;
    ArrayView<Topic> topics;
    std::int64_t total_bytes = -1;  ///< of the volume
    std::int64_t usable_bytes = -1;
    bool is_cordoned = false;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ErrorCode", from(0), self.error_code...);
      visit("LogDir", from(0), self.log_dir...);
      visit("Topics", from(0), self.topics...);
      visit("TotalBytes", from(4).ignorable(), self.total_bytes...);
      visit("UsableBytes", from(4).ignorable(), self.usable_bytes...);
      visit("IsCordoned", from(5).ignorable(), self.is_cordoned...);
    }
    friend bool operator==(const Directory&, const Directory&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  KafkaError error_code{};
  ArrayView<Directory> results;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(0), self.throttle_time_ms...);
    visit("ErrorCode", from(3).ignorable(), self.error_code...);
    visit("Results", from(0), self.results...);
  }
  friend bool operator==(const DescribeLogDirsResponse&, const DescribeLogDirsResponse&) = default;
};

}  // namespace pyralog::protocol
