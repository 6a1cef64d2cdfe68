#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/authorized_operations.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kDescribeClusterApi{ApiKey::kDescribeCluster, "DescribeCluster", {0, 2}, ApiVersion(0)};

/// Which kind of node's addresses a client wants.
enum class EndpointType : std::int8_t { kBroker = 1, kController = 2 };

struct DescribeClusterRequest {
  static constexpr const Api& kApi = kDescribeClusterApi;

  bool include_cluster_authorized_operations = false;
  EndpointType endpoint_type = EndpointType::kBroker;
  bool include_fenced_brokers = false;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("IncludeClusterAuthorizedOperations", from(0), self.include_cluster_authorized_operations...);
    visit("EndpointType", from(1), self.endpoint_type...);
    visit("IncludeFencedBrokers", from(2), self.include_fenced_brokers...);
  }
  friend bool operator==(const DescribeClusterRequest&, const DescribeClusterRequest&) = default;
};

struct DescribeClusterResponse {
  static constexpr const Api& kApi = kDescribeClusterApi;

  struct Broker {
    NodeId broker_id;
    std::string_view host;
    std::int32_t port = 0;
    std::optional<std::string_view> rack;
    bool is_fenced = false;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("BrokerId", from(0), self.broker_id...);
      visit("Host", from(0), self.host...);
      visit("Port", from(0), self.port...);
      visit("Rack", from(0).nullable(), self.rack...);
      visit("IsFenced", from(2), self.is_fenced...);
    }
    friend bool operator==(const Broker&, const Broker&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  KafkaError error_code{};
  std::optional<std::string_view> error_message;
  EndpointType endpoint_type = EndpointType::kBroker;
  std::string_view cluster_id;
  NodeId controller_id{-1};
  ArrayView<Broker> brokers;
  std::int32_t cluster_authorized_operations = kOperationsNotRequested;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(0), self.throttle_time_ms...);
    visit("ErrorCode", from(0), self.error_code...);
    visit("ErrorMessage", from(0).nullable(), self.error_message...);
    visit("EndpointType", from(1), self.endpoint_type...);
    visit("ClusterId", from(0), self.cluster_id...);
    visit("ControllerId", from(0), self.controller_id...);
    visit("Brokers", from(0), self.brokers...);
    visit("ClusterAuthorizedOperations", from(0), self.cluster_authorized_operations...);
  }
  friend bool operator==(const DescribeClusterResponse&, const DescribeClusterResponse&) = default;
};

}  // namespace pyralog::protocol
