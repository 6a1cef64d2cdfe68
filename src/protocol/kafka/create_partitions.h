#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kCreatePartitionsApi{ApiKey::kCreatePartitions, "CreatePartitions", {0, 3}, ApiVersion(2)};

struct CreatePartitionsRequest {
  static constexpr const Api& kApi = kCreatePartitionsApi;

  struct Assignment {
    ArrayView<NodeId> broker_ids;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("BrokerIds", from(0), self.broker_ids...);
    }
    friend bool operator==(const Assignment&, const Assignment&) = default;
  };
  struct Topic {
    std::string_view name;
    std::int32_t count = 0;  ///< of partitions, the existing ones included
    /// Of the new ones; null: the broker's choice.
    std::optional<ArrayView<Assignment>> assignments = ArrayView<Assignment>();

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
      visit("Count", from(0), self.count...);
      visit("Assignments", from(0).nullable(), self.assignments...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  ArrayView<Topic> topics;
  std::int32_t timeout_ms = 0;
  bool validate_only = false;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Topics", from(0), self.topics...);
    visit("TimeoutMs", from(0), self.timeout_ms...);
    visit("ValidateOnly", from(0), self.validate_only...);
  }
  friend bool operator==(const CreatePartitionsRequest&, const CreatePartitionsRequest&) = default;
};

struct CreatePartitionsResponse {
  static constexpr const Api& kApi = kCreatePartitionsApi;

  struct Topic {
    std::string_view name;
    KafkaError error_code{};
    std::optional<std::string_view> error_message;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
      visit("ErrorCode", from(0), self.error_code...);
      visit("ErrorMessage", from(0).nullable(), self.error_message...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  ArrayView<Topic> results;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(0), self.throttle_time_ms...);
    visit("Results", from(0), self.results...);
  }
  friend bool operator==(const CreatePartitionsResponse&, const CreatePartitionsResponse&) = default;
};

}  // namespace pyralog::protocol
