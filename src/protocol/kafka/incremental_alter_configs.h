#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/kafka/api.h"
#include "protocol/kafka/config_values.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kIncrementalAlterConfigsApi{
    ApiKey::kIncrementalAlterConfigs, "IncrementalAlterConfigs", {0, 1}, ApiVersion(1)};

/// Changes the configurations named and leaves the others of the resource.
struct IncrementalAlterConfigsRequest {
  static constexpr const Api& kApi = kIncrementalAlterConfigsApi;

  struct Config {
    std::string_view name;
    ConfigOperation config_operation{};
    std::optional<std::string_view> value = "";

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
      visit("ConfigOperation", from(0), self.config_operation...);
      visit("Value", from(0).nullable(), self.value...);
    }
    friend bool operator==(const Config&, const Config&) = default;
  };
  struct Resource {
    ResourceType resource_type{};
    std::string_view resource_name;
    ArrayView<Config> configs;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ResourceType", from(0), self.resource_type...);
      visit("ResourceName", from(0), self.resource_name...);
      visit("Configs", from(0), self.configs...);
    }
    friend bool operator==(const Resource&, const Resource&) = default;
  };

  ArrayView<Resource> resources;
  bool validate_only = false;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Resources", from(0), self.resources...);
    visit("ValidateOnly", from(0), self.validate_only...);
  }
  friend bool operator==(const IncrementalAlterConfigsRequest&, const IncrementalAlterConfigsRequest&) = default;
};

struct IncrementalAlterConfigsResponse {
  static constexpr const Api& kApi = kIncrementalAlterConfigsApi;

  struct Resource {
    KafkaError error_code{};
    std::optional<std::string_view> error_message = "";  ///< set it to null where there was no error
    ResourceType resource_type{};
    std::string_view resource_name;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ErrorCode", from(0), self.error_code...);
      visit("ErrorMessage", from(0).nullable(), self.error_message...);
      visit("ResourceType", from(0), self.resource_type...);
      visit("ResourceName", from(0), self.resource_name...);
    }
    friend bool operator==(const Resource&, const Resource&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  ArrayView<Resource> responses;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(0), self.throttle_time_ms...);
    visit("Responses", from(0), self.responses...);
  }
  friend bool operator==(const IncrementalAlterConfigsResponse&, const IncrementalAlterConfigsResponse&) = default;
};

}  // namespace pyralog::protocol
