#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/config_values.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kCreateTopicsApi{ApiKey::kCreateTopics, "CreateTopics", {2, 7}, ApiVersion(5)};

struct CreateTopicsRequest {
  static constexpr const Api& kApi = kCreateTopicsApi;

  struct Assignment {
    PartitionIndex partition_index;
    ArrayView<NodeId> broker_ids;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("PartitionIndex", from(0), self.partition_index...);
      visit("BrokerIds", from(0), self.broker_ids...);
    }
    friend bool operator==(const Assignment&, const Assignment&) = default;
  };
  struct Config {
    std::string_view name;
    std::optional<std::string_view> value = "";

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
      visit("Value", from(0).nullable(), self.value...);
    }
    friend bool operator==(const Config&, const Config&) = default;
  };
  /// Both counts are -1 with an assignment, and from version 4 also for the broker's defaults.
  struct Topic {
    std::string_view name;
    std::int32_t num_partitions = 0;
    std::int16_t replication_factor = 0;
    ArrayView<Assignment> assignments;
    ArrayView<Config> configs;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
      visit("NumPartitions", from(0), self.num_partitions...);
      visit("ReplicationFactor", from(0), self.replication_factor...);
      visit("Assignments", from(0), self.assignments...);
      visit("Configs", from(0), self.configs...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  ArrayView<Topic> topics;
  std::int32_t timeout_ms = 60000;
  bool validate_only = false;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Topics", from(0), self.topics...);
    visit("timeoutMs", from(0), self.timeout_ms...);
    visit("validateOnly", from(1), self.validate_only...);
  }
  friend bool operator==(const CreateTopicsRequest&, const CreateTopicsRequest&) = default;
};

struct CreateTopicsResponse {
  static constexpr const Api& kApi = kCreateTopicsApi;

  struct Config {
    std::string_view name;
    std::optional<std::string_view> value = "";
    bool read_only = false;
    ConfigSource config_source = ConfigSource::kNone;
    bool is_sensitive = false;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(5), self.name...);
      visit("Value", from(5).nullable(5), self.value...);
      visit("ReadOnly", from(5), self.read_only...);
      visit("ConfigSource", from(5).ignorable(), self.config_source...);
      visit("IsSensitive", from(5), self.is_sensitive...);
    }
    friend bool operator==(const Config&, const Config&) = default;
  };
  struct Topic {
    std::string_view name;
    LogId topic_id;
    KafkaError error_code{};
    std::optional<std::string_view> error_message = "";  ///< set it to null where there was no error
    KafkaError topic_config_error_code{};
    std::int32_t num_partitions = -1;
    std::int16_t replication_factor = -1;
    std::optional<ArrayView<Config>> configs = ArrayView<Config>();

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
      visit("TopicId", from(7).ignorable(), self.topic_id...);
      visit("ErrorCode", from(0), self.error_code...);
      visit("ErrorMessage", from(1).nullable().ignorable(), self.error_message...);
      visit("TopicConfigErrorCode", from(5).tagged(0).ignorable(), self.topic_config_error_code...);
      visit("NumPartitions", from(5).ignorable(), self.num_partitions...);
      visit("ReplicationFactor", from(5).ignorable(), self.replication_factor...);
      visit("Configs", from(5).nullable(5).ignorable(), self.configs...);
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
  friend bool operator==(const CreateTopicsResponse&, const CreateTopicsResponse&) = default;
};

}  // namespace pyralog::protocol
