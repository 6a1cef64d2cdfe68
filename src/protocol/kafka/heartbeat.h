#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"

namespace pyralog::protocol {

inline constexpr Api kHeartbeatApi{ApiKey::kHeartbeat, "Heartbeat", {0, 4}, ApiVersion(4)};

struct HeartbeatRequest {
  static constexpr const Api& kApi = kHeartbeatApi;

  std::string_view group_id;
  std::int32_t generation_id = 0;
  std::string_view member_id;
  std::optional<std::string_view> group_instance_id;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("GroupId", from(0), self.group_id...);
    visit("GenerationId", from(0), self.generation_id...);
    visit("MemberId", from(0), self.member_id...);
    visit("GroupInstanceId", from(3).nullable(3), self.group_instance_id...);
  }
  friend bool operator==(const HeartbeatRequest&, const HeartbeatRequest&) = default;
};

struct HeartbeatResponse {
  static constexpr const Api& kApi = kHeartbeatApi;

  std::int32_t throttle_time_ms = 0;
  KafkaError error_code{};

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(1).ignorable(), self.throttle_time_ms...);
    visit("ErrorCode", from(0), self.error_code...);
  }
  friend bool operator==(const HeartbeatResponse&, const HeartbeatResponse&) = default;
};

}  // namespace pyralog::protocol
