#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kListGroupsApi{ApiKey::kListGroups, "ListGroups", {0, 5}, ApiVersion(3)};

/// Empty filters: all groups.
struct ListGroupsRequest {
  static constexpr const Api& kApi = kListGroupsApi;

  ArrayView<std::string_view> states_filter;
  ArrayView<std::string_view> types_filter;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("StatesFilter", from(4), self.states_filter...);
    visit("TypesFilter", from(5), self.types_filter...);
  }
  friend bool operator==(const ListGroupsRequest&, const ListGroupsRequest&) = default;
};

struct ListGroupsResponse {
  static constexpr const Api& kApi = kListGroupsApi;

  struct Group {
    std::string_view group_id;
    std::string_view protocol_type;
    std::string_view group_state;
    std::string_view group_type;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("GroupId", from(0), self.group_id...);
      visit("ProtocolType", from(0), self.protocol_type...);
      visit("GroupState", from(4).ignorable(), self.group_state...);
      visit("GroupType", from(5).ignorable(), self.group_type...);
    }
    friend bool operator==(const Group&, const Group&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  KafkaError error_code{};
  ArrayView<Group> groups;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(1).ignorable(), self.throttle_time_ms...);
    visit("ErrorCode", from(0), self.error_code...);
    visit("Groups", from(0), self.groups...);
  }
  friend bool operator==(const ListGroupsResponse&, const ListGroupsResponse&) = default;
};

}  // namespace pyralog::protocol
