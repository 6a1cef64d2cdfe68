#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/kafka/api.h"
#include "protocol/kafka/authorized_operations.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kDescribeGroupsApi{ApiKey::kDescribeGroups, "DescribeGroups", {0, 6}, ApiVersion(5)};

struct DescribeGroupsRequest {
  static constexpr const Api& kApi = kDescribeGroupsApi;

  ArrayView<std::string_view> groups;
  bool include_authorized_operations = false;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Groups", from(0), self.groups...);
    visit("IncludeAuthorizedOperations", from(3), self.include_authorized_operations...);
  }
  friend bool operator==(const DescribeGroupsRequest&, const DescribeGroupsRequest&) = default;
};

struct DescribeGroupsResponse {
  static constexpr const Api& kApi = kDescribeGroupsApi;

  struct Member {
    std::string_view member_id;
    std::optional<std::string_view> group_instance_id;
    std::string_view client_id;
    std::string_view client_host;
    Bytes member_metadata;
    Bytes member_assignment;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("MemberId", from(0), self.member_id...);
      visit("GroupInstanceId", from(4).nullable(4).ignorable(), self.group_instance_id...);
      visit("ClientId", from(0), self.client_id...);
      visit("ClientHost", from(0), self.client_host...);
      visit("MemberMetadata", from(0), self.member_metadata...);
      visit("MemberAssignment", from(0), self.member_assignment...);
    }
    friend bool operator==(const Member&, const Member&) = default;
  };
  struct Group {
    KafkaError error_code{};
    std::optional<std::string_view> error_message;
    std::string_view group_id;
    std::string_view group_state;
    std::string_view protocol_type;
    std::string_view protocol_data;
    ArrayView<Member> members;
    std::int32_t authorized_operations = kOperationsNotRequested;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ErrorCode", from(0), self.error_code...);
      visit("ErrorMessage", from(6).nullable(6), self.error_message...);
      visit("GroupId", from(0), self.group_id...);
      visit("GroupState", from(0), self.group_state...);
      visit("ProtocolType", from(0), self.protocol_type...);
      visit("ProtocolData", from(0), self.protocol_data...);
      visit("Members", from(0), self.members...);
      visit("AuthorizedOperations", from(3), self.authorized_operations...);
    }
    friend bool operator==(const Group&, const Group&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  ArrayView<Group> groups;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(1).ignorable(), self.throttle_time_ms...);
    visit("Groups", from(0), self.groups...);
  }
  friend bool operator==(const DescribeGroupsResponse&, const DescribeGroupsResponse&) = default;
};

}  // namespace pyralog::protocol
