#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/kafka/api.h"
#include "protocol/kafka/config_values.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kDescribeConfigsApi{ApiKey::kDescribeConfigs, "DescribeConfigs", {1, 4}, ApiVersion(4)};

struct DescribeConfigsRequest {
  static constexpr const Api& kApi = kDescribeConfigsApi;

  struct Resource {
    ResourceType resource_type{};
    std::string_view resource_name;
    std::optional<ArrayView<std::string_view>> configuration_keys = ArrayView<std::string_view>();  ///< null: all

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ResourceType", from(0), self.resource_type...);
      visit("ResourceName", from(0), self.resource_name...);
      visit("ConfigurationKeys", from(0).nullable(), self.configuration_keys...);
    }
    friend bool operator==(const Resource&, const Resource&) = default;
  };

  ArrayView<Resource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Resources", from(0), self.resources...);
    visit("IncludeSynonyms", from(1), self.include_synonyms...);
    visit("IncludeDocumentation", from(3), self.include_documentation...);
  }
  friend bool operator==(const DescribeConfigsRequest&, const DescribeConfigsRequest&) = default;
};

struct DescribeConfigsResponse {
  static constexpr const Api& kApi = kDescribeConfigsApi;

  /// Another place that gives the configuration a value, in order of precedence.
  struct Synonym {
    std::string_view name;
    std::optional<std::string_view> value = "";
    ConfigSource source{};

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(1), self.name...);
      visit("Value", from(1).nullable(), self.value...);
      visit("Source", from(1), self.source...);
    }
    friend bool operator==(const Synonym&, const Synonym&) = default;
  };
  struct Config {
    std::string_view name;
    std::optional<std::string_view> value = "";  ///< null if sensitive
    bool read_only = false;
    ConfigSource config_source = ConfigSource::kNone;
    bool is_sensitive = false;
    ArrayView<Synonym> synonyms;
    ConfigType config_type = ConfigType::kUnknown;
    std::optional<std::string_view> documentation = "";

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0), self.name...);
      visit("Value", from(0).nullable(), self.value...);
      visit("ReadOnly", from(0), self.read_only...);
      visit("ConfigSource", from(1).ignorable(), self.config_source...);
      visit("IsSensitive", from(0), self.is_sensitive...);
      visit("Synonyms", from(1).ignorable(), self.synonyms...);
      visit("ConfigType", from(3).ignorable(), self.config_type...);
      visit("Documentation", from(3).nullable().ignorable(), self.documentation...);
    }
    friend bool operator==(const Config&, const Config&) = default;
  };
  struct Resource {
    KafkaError error_code{};
    std::optional<std::string_view> error_message = "";  ///< set it to null where there was no error
    ResourceType resource_type{};
    std::string_view resource_name;
    ArrayView<Config> configs;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ErrorCode", from(0), self.error_code...);
      visit("ErrorMessage", from(0).nullable(), self.error_message...);
      visit("ResourceType", from(0), self.resource_type...);
      visit("ResourceName", from(0), self.resource_name...);
      visit("Configs", from(0), self.configs...);
    }
    friend bool operator==(const Resource&, const Resource&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  ArrayView<Resource> results;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(0), self.throttle_time_ms...);
    visit("Results", from(0), self.results...);
  }
  friend bool operator==(const DescribeConfigsResponse&, const DescribeConfigsResponse&) = default;
};

}  // namespace pyralog::protocol
