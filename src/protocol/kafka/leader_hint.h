#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/field.h"

namespace pyralog::protocol {

/// Who leads a partition now, told with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH so that the client need not ask
/// for metadata (KIP-951). In Produce answers from version 10 and Fetch answers from version 12.
template <std::int16_t kFirstVersion>
struct CurrentLeader {
  NodeId leader_id{-1};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("LeaderId", from(kFirstVersion), self.leader_id...);
    visit("LeaderEpoch", from(kFirstVersion), self.leader_epoch...);
  }
  friend bool operator==(const CurrentLeader&, const CurrentLeader&) = default;
};

/// Where to reach a broker that a CurrentLeader names.
template <std::int16_t kFirstVersion>
struct NodeEndpoint {
  NodeId node_id;
  std::string_view host;
  std::int32_t port = 0;
  std::optional<std::string_view> rack;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("NodeId", from(kFirstVersion), self.node_id...);
    visit("Host", from(kFirstVersion), self.host...);
    visit("Port", from(kFirstVersion), self.port...);
    visit("Rack", from(kFirstVersion).nullable(kFirstVersion), self.rack...);
  }
  friend bool operator==(const NodeEndpoint&, const NodeEndpoint&) = default;
};

}  // namespace pyralog::protocol
