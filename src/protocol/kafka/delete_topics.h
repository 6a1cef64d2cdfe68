#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kDeleteTopicsApi{ApiKey::kDeleteTopics, "DeleteTopics", {1, 6}, ApiVersion(4)};

/// Topics go into `topic_names` up to version 5, into `topics` (by name or id) from 6.
struct DeleteTopicsRequest {
  static constexpr const Api& kApi = kDeleteTopicsApi;

  struct Topic {
    std::optional<std::string_view> name;  ///< null: by id
    LogId topic_id;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(6).nullable(6), self.name...);
      visit("TopicId", from(6), self.topic_id...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  ArrayView<Topic> topics;
  ArrayView<std::string_view> topic_names;
  std::int32_t timeout_ms = 0;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Topics", from(6), self.topics...);
    visit("TopicNames", from(0).to(5).ignorable(), self.topic_names...);
    visit("TimeoutMs", from(0), self.timeout_ms...);
  }
  friend bool operator==(const DeleteTopicsRequest&, const DeleteTopicsRequest&) = default;
};

struct DeleteTopicsResponse {
  static constexpr const Api& kApi = kDeleteTopicsApi;

  struct Topic {
    std::optional<std::string_view> name = "";
    LogId topic_id;
    KafkaError error_code{};
    std::optional<std::string_view> error_message;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0).nullable(6), self.name...);
      visit("TopicId", from(6).ignorable(), self.topic_id...);
      visit("ErrorCode", from(0), self.error_code...);
      visit("ErrorMessage", from(5).nullable(5).ignorable(), self.error_message...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  ArrayView<Topic> responses;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(1).ignorable(), self.throttle_time_ms...);
    visit("Responses", from(0), self.responses...);
  }
  friend bool operator==(const DeleteTopicsResponse&, const DeleteTopicsResponse&) = default;
};

}  // namespace pyralog::protocol
