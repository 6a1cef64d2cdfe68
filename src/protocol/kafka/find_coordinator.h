#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

inline constexpr Api kFindCoordinatorApi{ApiKey::kFindCoordinator, "FindCoordinator", {0, 6}, ApiVersion(3)};

/// What a coordinator key names. Values from the wire may lie outside the enumerators.
enum class CoordinatorType : std::int8_t { kGroup = 0, kTransaction = 1, kShare = 2 };

/// Asks for one key up to version 3, for several from version 4.
struct FindCoordinatorRequest {
  static constexpr const Api& kApi = kFindCoordinatorApi;

  std::string_view key;
  CoordinatorType key_type = CoordinatorType::kGroup;
  ArrayView<std::string_view> coordinator_keys;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Key", from(0).to(3), self.key...);
    visit("KeyType", from(1), self.key_type...);
    visit("CoordinatorKeys", from(4), self.coordinator_keys...);
  }
  friend bool operator==(const FindCoordinatorRequest&, const FindCoordinatorRequest&) = default;
};

/// One answer in the message itself up to version 3, one per key in `coordinators` from version 4.
struct FindCoordinatorResponse {
  static constexpr const Api& kApi = kFindCoordinatorApi;

  struct Coordinator {
    std::string_view key;
    NodeId node_id;
    std::string_view host;
    std::int32_t port = 0;
    KafkaError error_code{};
    std::optional<std::string_view> error_message = "";  ///< set it to null where there was no error

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Key", from(4), self.key...);
      visit("NodeId", from(4), self.node_id...);
      visit("Host", from(4), self.host...);
      visit("Port", from(4), self.port...);
      visit("ErrorCode", from(4), self.error_code...);
      visit("ErrorMessage", from(4).nullable(4).ignorable(), self.error_message...);
    }
    friend bool operator==(const Coordinator&, const Coordinator&) = default;
  };

  std::int32_t throttle_time_ms = 0;
  KafkaError error_code{};
  std::optional<std::string_view> error_message = "";  ///< set it to null where there was no error
  NodeId node_id;
  std::string_view host;
  std::int32_t port = 0;
  ArrayView<Coordinator> coordinators;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(1).ignorable(), self.throttle_time_ms...);
    visit("ErrorCode", from(0).to(3), self.error_code...);
    visit("ErrorMessage", from(1).to(3).nullable(1).ignorable(), self.error_message...);
    visit("NodeId", from(0).to(3), self.node_id...);
    visit("Host", from(0).to(3), self.host...);
    visit("Port", from(0).to(3), self.port...);
    visit("Coordinators", from(4), self.coordinators...);
  }
  friend bool operator==(const FindCoordinatorResponse&, const FindCoordinatorResponse&) = default;
};

}  // namespace pyralog::protocol
