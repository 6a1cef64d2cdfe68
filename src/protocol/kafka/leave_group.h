#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kLeaveGroupApi{ApiKey::kLeaveGroup, "LeaveGroup", {0, 5}, ApiVersion(4)};

/// One member up to version 2, several from version 3.
struct LeaveGroupRequest {
  static constexpr const Api& kApi = kLeaveGroupApi;

  struct Member {
    std::string_view member_id;
    std::optional<std::string_view> group_instance_id;
    std::optional<std::string_view> reason;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("MemberId", from(3), self.member_id...);
      visit("GroupInstanceId", from(3).nullable(3), self.group_instance_id...);
      visit("Reason", from(5).nullable(5).ignorable(), self.reason...);
    }
    friend bool operator==(const Member&, const Member&) = default;
  };

  std::string_view group_id;
  std::string_view member_id;
  ArrayView<Member> members;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("GroupId", from(0), self.group_id...);
    visit("MemberId", from(0).to(2), self.member_id...);
    visit("Members", from(3), self.members...);
  }
  friend bool operator==(const LeaveGroupRequest&, const LeaveGroupRequest&) = default;
};

struct LeaveGroupResponse {
  static constexpr const Api& kApi = kLeaveGroupApi;

  struct Member {
    std::string_view member_id;
    std::optional<std::string_view> group_instance_id = "";
    KafkaError error_code{};

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("MemberId", from(3), self.member_id...);
      visit("GroupInstanceId", from(3).nullable(3), self.group_instance_id...);
      visit("ErrorCode", from(3), self.error_code...);
    }
    friend bool operator==(const Member&, const Member&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  KafkaError error_code{};
  ArrayView<Member> members;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(1).ignorable(), self.throttle_time_ms...);
    visit("ErrorCode", from(0), self.error_code...);
    visit("Members", from(3), self.members...);
  }
  friend bool operator==(const LeaveGroupResponse&, const LeaveGroupResponse&) = default;
};

}  // namespace pyralog::protocol
