#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "protocol/kafka/field.h"

namespace pyralog::protocol {

/// Kafka's API keys, of the APIs whose messages exist here.
enum class ApiKey : std::int16_t {
  kProduce = 0,
  kFetch = 1,
  kListOffsets = 2,
  kMetadata = 3,
  kOffsetCommit = 8,
  kOffsetFetch = 9,
  kFindCoordinator = 10,
  kJoinGroup = 11,
  kHeartbeat = 12,
  kLeaveGroup = 13,
  kSyncGroup = 14,
  kDescribeGroups = 15,
  kListGroups = 16,
  kApiVersions = 18,
  kCreateTopics = 19,
  kDeleteTopics = 20,
  kDeleteRecords = 21,
  kInitProducerId = 22,
  kOffsetForLeaderEpoch = 23,
  kDescribeConfigs = 32,
  kAlterConfigs = 33,
  kDescribeLogDirs = 35,
  kCreatePartitions = 37,
  kDeleteGroups = 42,
  kIncrementalAlterConfigs = 44,
  kOffsetDelete = 47,
  kDescribeCluster = 60,
  kListConfigResources = 74,
  kDescribeTopicPartitions = 75,
};

/// What both messages of an API share. Its messages name it as `kApi`.
struct Api {
  ApiKey key;
  std::string_view name;
  VersionRange accepted;
  ApiVersion flexible_from;  ///< from here: compact lengths, tagged fields, header with tagged fields
  VersionRange advertised = accepted;

  constexpr bool is_flexible(ApiVersion version) const noexcept { return version >= flexible_from; }
};

/// Every API with messages here, by ascending key. What a server serves, and so advertises, is its own choice.
std::span<const Api* const> api_table() noexcept;

/// Null if no message of that key exists here.
const Api* find_api(ApiKey key) noexcept;

}  // namespace pyralog::protocol
