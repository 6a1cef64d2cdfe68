#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kDeleteGroupsApi{ApiKey::kDeleteGroups, "DeleteGroups", {0, 2}, ApiVersion(2)};

struct DeleteGroupsRequest {
  static constexpr const Api& kApi = kDeleteGroupsApi;

  ArrayView<std::string_view> groups_names;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("GroupsNames", from(0), self.groups_names...);
  }
  friend bool operator==(const DeleteGroupsRequest&, const DeleteGroupsRequest&) = default;
};

struct DeleteGroupsResponse {
  static constexpr const Api& kApi = kDeleteGroupsApi;

  struct Group {
    std::string_view group_id;
    KafkaError error_code{};

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("GroupId", from(0), self.group_id...);
      visit("ErrorCode", from(0), self.error_code...);
    }
    friend bool operator==(const Group&, const Group&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  ArrayView<Group> results;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(0), self.throttle_time_ms...);
    visit("Results", from(0), self.results...);
  }
  friend bool operator==(const DeleteGroupsResponse&, const DeleteGroupsResponse&) = default;
};

}  // namespace pyralog::protocol
