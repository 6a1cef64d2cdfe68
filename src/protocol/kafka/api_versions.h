#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kApiVersionsApi{ApiKey::kApiVersions, "ApiVersions", {0, 4}, ApiVersion(3)};

/// The first request on a connection: which APIs and versions does the other side have?
struct ApiVersionsRequest {
  static constexpr const Api& kApi = kApiVersionsApi;

  std::string_view client_software_name;
  std::string_view client_software_version;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ClientSoftwareName", from(3).ignorable(), self.client_software_name...);
    visit("ClientSoftwareVersion", from(3).ignorable(), self.client_software_version...);
  }
  friend bool operator==(const ApiVersionsRequest&, const ApiVersionsRequest&) = default;
};

/// Its header is always version 0. A request in a version that the server lacks is answered in version 0, with
/// UNSUPPORTED_VERSION and the range of this API.
struct ApiVersionsResponse {
  static constexpr const Api& kApi = kApiVersionsApi;

  struct Range {
    ApiKey api_key{};
    ApiVersion min_version;
    ApiVersion max_version;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("ApiKey", from(0), self.api_key...);
      visit("MinVersion", from(0), self.min_version...);
      visit("MaxVersion", from(0), self.max_version...);
    }
    friend bool operator==(const Range&, const Range&) = default;
  };
  /// Up to version 3, features with a minimum of 0 must be left out: Java clients before 3.9 refuse them.
  struct SupportedFeature {
    std::string_view name;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(3), self.name...);
      visit("MinVersion", from(3), self.min_version...);
      visit("MaxVersion", from(3), self.max_version...);
    }
    friend bool operator==(const SupportedFeature&, const SupportedFeature&) = default;
  };
  struct FinalizedFeature {
    std::string_view name;
    std::int16_t max_version_level = 0;
    std::int16_t min_version_level = 0;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(3), self.name...);
      visit("MaxVersionLevel", from(3), self.max_version_level...);
      visit("MinVersionLevel", from(3), self.min_version_level...);
    }
    friend bool operator==(const FinalizedFeature&, const FinalizedFeature&) = default;
  };

  KafkaError error_code{};
  ArrayView<Range> api_keys;
  std::int32_t throttle_time_ms = 0;
  ArrayView<SupportedFeature> supported_features;
  std::int64_t finalized_features_epoch = -1;
  ArrayView<FinalizedFeature> finalized_features;
  bool zk_migration_ready = false;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ErrorCode", from(0), self.error_code...);
    visit("ApiKeys", from(0), self.api_keys...);
    visit("ThrottleTimeMs", from(1).ignorable(), self.throttle_time_ms...);
    visit("SupportedFeatures", from(3).tagged(0).ignorable(), self.supported_features...);
    visit("FinalizedFeaturesEpoch", from(3).tagged(1).ignorable(), self.finalized_features_epoch...);
    visit("FinalizedFeatures", from(3).tagged(2).ignorable(), self.finalized_features...);
    visit("ZkMigrationReady", from(3).tagged(3).ignorable(), self.zk_migration_ready...);
  }
  friend bool operator==(const ApiVersionsResponse&, const ApiVersionsResponse&) = default;
};

}  // namespace pyralog::protocol
