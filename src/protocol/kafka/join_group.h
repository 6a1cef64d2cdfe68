#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kJoinGroupApi{ApiKey::kJoinGroup, "JoinGroup", {0, 9}, ApiVersion(6)};

struct JoinGroupRequest {
  static constexpr const Api& kApi = kJoinGroupApi;

  /// An assignment strategy and the member's subscription in its terms.
  struct Protocol {
    std::string_view name;
    Bytes metadata;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
      visit("Metadata", from(0), self.metadata...);
    }
    friend bool operator==(const Protocol&, const Protocol&) = default;
  };

  std::string_view group_id;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = -1;  ///< version 0: the session timeout
  std::string_view member_id;              ///< empty: a new member
  std::optional<std::string_view> group_instance_id;
  std::string_view protocol_type;
  ArrayView<Protocol> protocols;
  std::optional<std::string_view> reason;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("GroupId", from(0), self.group_id...);
    visit("SessionTimeoutMs", from(0), self.session_timeout_ms...);
    visit("RebalanceTimeoutMs", from(1).ignorable(), self.rebalance_timeout_ms...);
    visit("MemberId", from(0), self.member_id...);
    visit("GroupInstanceId", from(5).nullable(5), self.group_instance_id...);
    visit("ProtocolType", from(0), self.protocol_type...);
    visit("Protocols", from(0), self.protocols...);
    visit("Reason", from(8).nullable(8).ignorable(), self.reason...);
  }
  friend bool operator==(const JoinGroupRequest&, const JoinGroupRequest&) = default;
};

struct JoinGroupResponse {
  static constexpr const Api& kApi = kJoinGroupApi;

  struct Member {
    std::string_view member_id;
    std::optional<std::string_view> group_instance_id;
    Bytes metadata;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("MemberId", from(0), self.member_id...);
      visit("GroupInstanceId", from(5).nullable(5).ignorable(), self.group_instance_id...);
      visit("Metadata", from(0), self.metadata...);
    }
    friend bool operator==(const Member&, const Member&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  KafkaError error_code{};
  std::int32_t generation_id = -1;
  std::optional<std::string_view> protocol_type;
  std::optional<std::string_view> protocol_name = "";
  std::string_view leader;
  bool skip_assignment = false;
  std::string_view member_id;
  ArrayView<Member> members;  ///< only for the leader

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(2).ignorable(), self.throttle_time_ms...);
    visit("ErrorCode", from(0), self.error_code...);
    visit("GenerationId", from(0), self.generation_id...);
    visit("ProtocolType", from(7).nullable(7).ignorable(), self.protocol_type...);
    visit("ProtocolName", from(0).nullable(7), self.protocol_name...);
    visit("Leader", from(0), self.leader...);
    visit("SkipAssignment", from(9), self.skip_assignment...);
    visit("MemberId", from(0), self.member_id...);
    visit("Members", from(0), self.members...);
  }
  friend bool operator==(const JoinGroupResponse&, const JoinGroupResponse&) = default;
};

}  // namespace pyralog::protocol
