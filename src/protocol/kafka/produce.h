#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/error_code.h"
#include "protocol/kafka/leader_hint.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

/// Advertised from 0 although nothing below 3 is accepted, as Kafka does: librdkafka 2.0 and older compress only if they
/// see version 0 in the range.
inline constexpr Api kProduceApi{ApiKey::kProduce, "Produce", {3, 13}, ApiVersion(9), {0, 13}};

/// Appends one record batch to each partition named. Topics go by name up to version 12, by id from 13.
struct ProduceRequest {
  static constexpr const Api& kApi = kProduceApi;
  /// Most of a request is records; this is room for some 40,000 partitions.
  static constexpr std::size_t kArrayBytesMax = 2u << 20;

  struct Partition {
    PartitionIndex index;
    Records records;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Index", from(0), self.index...);
      visit("Records", from(0).nullable(), self.records...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  struct Topic {
    std::string_view name;
    LogId topic_id;
    ArrayView<Partition> partition_data;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0).to(12).ignorable(), self.name...);
      visit("TopicId", from(13).ignorable(), self.topic_id...);
      visit("PartitionData", from(0), self.partition_data...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::optional<std::string_view> transactional_id;
  std::int16_t acks = 0;  ///< 0: no answer is sent; 1: the leader has it; -1: all that must have it, do
  std::int32_t timeout_ms = 0;
  ArrayView<Topic> topic_data;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("TransactionalId", from(3).nullable(3), self.transactional_id...);
    visit("Acks", from(0), self.acks...);
    visit("TimeoutMs", from(0), self.timeout_ms...);
    visit("TopicData", from(0), self.topic_data...);
  }
  friend bool operator==(const ProduceRequest&, const ProduceRequest&) = default;
};

struct ProduceResponse {
  static constexpr const Api& kApi = kProduceApi;

  /// A record that made its whole batch fail, by position in the batch.
  struct RecordError {
    std::int32_t batch_index = 0;
    std::optional<std::string_view> batch_index_error_message;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("BatchIndex", from(8), self.batch_index...);
      visit("BatchIndexErrorMessage", from(8).nullable(8), self.batch_index_error_message...);
    }
    friend bool operator==(const RecordError&, const RecordError&) = default;
  };
  struct Partition {
    PartitionIndex index;
    KafkaError error_code{};
    Offset base_offset;
    std::int64_t log_append_time_ms = -1;  ///< -1 unless the topic's timestamps are set by the broker
    Offset log_start_offset{-1};
    ArrayView<RecordError> record_errors;
    std::optional<std::string_view> error_message;
    CurrentLeader<10> current_leader;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Index", from(0), self.index...);
      visit("ErrorCode", from(0), self.error_code...);
      visit("BaseOffset", from(0), self.base_offset...);
      visit("LogAppendTimeMs", from(2).ignorable(), self.log_append_time_ms...);
      visit("LogStartOffset", from(5).ignorable(), self.log_start_offset...);
      visit("RecordErrors", from(8).ignorable(), self.record_errors...);
      visit("ErrorMessage", from(8).nullable(8).ignorable(), self.error_message...);
      visit("CurrentLeader", from(10).tagged(0), self.current_leader...);
    }
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  struct Topic {
    std::string_view name;
    LogId topic_id;
    ArrayView<Partition> partition_responses;

    template <class Visitor, class... Self>
    static constexpr void fields(Visitor& visit, Self&... self) {
      visit("Name", from(0).to(12).ignorable(), self.name...);
      visit("TopicId", from(13).ignorable(), self.topic_id...);
      visit("PartitionResponses", from(0), self.partition_responses...);
    }
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  ArrayView<Topic> responses;
  std::int32_t throttle_time_ms = 0;
  ArrayView<NodeEndpoint<10>> node_endpoints;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Responses", from(0), self.responses...);
    visit("ThrottleTimeMs", from(1).ignorable(), self.throttle_time_ms...);
    visit("NodeEndpoints", from(10).tagged(0), self.node_endpoints...);
  }
  friend bool operator==(const ProduceResponse&, const ProduceResponse&) = default;
};

}  // namespace pyralog::protocol
