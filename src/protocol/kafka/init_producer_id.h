#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"

namespace pyralog::protocol {

inline constexpr Api kInitProducerIdApi{ApiKey::kInitProducerId, "InitProducerId", {0, 5}, ApiVersion(2)};

/// Asks for a producer id, or with an old one (from version 3) for its next epoch.
struct InitProducerIdRequest {
  static constexpr const Api& kApi = kInitProducerIdApi;

  std::optional<std::string_view> transactional_id = "";  ///< null: only idempotent
  std::int32_t transaction_timeout_ms = 0;
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch = kNoProducerEpoch;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("TransactionalId", from(0).nullable(), self.transactional_id...);
    visit("TransactionTimeoutMs", from(0), self.transaction_timeout_ms...);
    visit("ProducerId", from(3), self.producer_id...);
    visit("ProducerEpoch", from(3), self.producer_epoch...);
  }
  friend bool operator==(const InitProducerIdRequest&, const InitProducerIdRequest&) = default;
};

struct InitProducerIdResponse {
  static constexpr const Api& kApi = kInitProducerIdApi;

  std::int32_t throttle_time_ms = 0;
  KafkaError error_code{};
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("ThrottleTimeMs", from(0).ignorable(), self.throttle_time_ms...);
    visit("ErrorCode", from(0), self.error_code...);
    visit("ProducerId", from(0), self.producer_id...);
    visit("ProducerEpoch", from(0), self.producer_epoch...);
  }
  friend bool operator==(const InitProducerIdResponse&, const InitProducerIdResponse&) = default;
};

}  // namespace pyralog::protocol
