#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kSyncGroupApi{ApiKey::kSyncGroup, "SyncGroup", {0, 5}, ApiVersion(4)};

struct SyncGroupRequest {
  static constexpr const Api& kApi = kSyncGroupApi;

  struct Assignment {
    std::string_view member_id;
    Bytes assignment;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("MemberId", from(0), self.member_id...);
      visit("Assignment", from(0), self.assignment...);
    }
    friend bool operator==(const Assignment&, const Assignment&) = default;
  };

  std::string_view group_id;
  std::int32_t generation_id = 0;
  std::string_view member_id;
  std::optional<std::string_view> group_instance_id;
  std::optional<std::string_view> protocol_type;
  std::optional<std::string_view> protocol_name;
  ArrayView<Assignment> assignments;  ///< only from the leader

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("GroupId", from(0), self.group_id...);
    visit("GenerationId", from(0), self.generation_id...);
    visit("MemberId", from(0), self.member_id...);
    visit("GroupInstanceId", from(3).nullable(3), self.group_instance_id...);
    visit("ProtocolType", from(5).nullable(5).ignorable(), self.protocol_type...);
    visit("ProtocolName", from(5).nullable(5).ignorable(), self.protocol_name...);
    visit("Assignments", from(0), self.assignments...);
  }
  friend bool operator==(const SyncGroupRequest&, const SyncGroupRequest&) = default;
};

struct SyncGroupResponse {
  static constexpr const Api& kApi = kSyncGroupApi;

  std::int32_t throttle_time_ms = 0;
  KafkaError error_code{};
  std::optional<std::string_view> protocol_type;
  std::optional<std::string_view> protocol_name;
  Bytes assignment;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(1).ignorable(), self.throttle_time_ms...);
    visit("ErrorCode", from(0), self.error_code...);
    visit("ProtocolType", from(5).nullable(5).ignorable(), self.protocol_type...);
    visit("ProtocolName", from(5).nullable(5).ignorable(), self.protocol_name...);
    visit("Assignment", from(0), self.assignment...);
  }
  friend bool operator==(const SyncGroupResponse&, const SyncGroupResponse&) = default;
};

}  // namespace pyralog::protocol
