#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/kafka/api.h"
#include "protocol/kafka/config_values.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kListConfigResourcesApi{
    ApiKey::kListConfigResources, "ListConfigResources", {0, 1}, ApiVersion(0)};

/// Version 0 lists client metrics resources only; in version 1, no types mean all.
struct ListConfigResourcesRequest {
  static constexpr const Api& kApi = kListConfigResourcesApi;

  ArrayView<ResourceType> resource_types;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ResourceTypes", from(1), self.resource_types...);
  }
  friend bool operator==(const ListConfigResourcesRequest&, const ListConfigResourcesRequest&) = default;
};

struct ListConfigResourcesResponse {
  static constexpr const Api& kApi = kListConfigResourcesApi;

  struct Resource {
    std::string_view resource_name;
    ResourceType resource_type = ResourceType::kClientMetrics;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ResourceName", from(0), self.resource_name...);
      visit("ResourceType", from(1).ignorable(), self.resource_type...);
    }
    friend bool operator==(const Resource&, const Resource&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  KafkaError error_code{};
  ArrayView<Resource> config_resources;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(0), self.throttle_time_ms...);
    visit("ErrorCode", from(0), self.error_code...);
    visit("ConfigResources", from(0), self.config_resources...);
  }
  friend bool operator==(const ListConfigResourcesResponse&, const ListConfigResourcesResponse&) = default;
};

}  // namespace pyralog::protocol
