#pragma once

#include <cstdint>

namespace pyralog::protocol {

// Values of the configuration APIs. From the wire they may lie outside the enumerators.

enum class ResourceType : std::int8_t {
  kUnknown = 0,
  kTopic = 2,
  kBroker = 4,
  kBrokerLogger = 8,
  kClientMetrics = 16,
  kGroup = 32,
};

/// Where a configuration value comes from.
enum class ConfigSource : std::int8_t {
  kNone = -1,
  kUnknown = 0,
  kDynamicTopic = 1,
  kDynamicBroker = 2,
  kDynamicDefaultBroker = 3,
  kStaticBroker = 4,
  kDefault = 5,
  kDynamicBrokerLogger = 6,
  kClientMetrics = 7,
  kGroup = 8,
};

/// How to read a configuration value's text.
enum class ConfigType : std::int8_t {
  kUnknown = 0,
  kBoolean = 1,
  kString = 2,
  kInt = 3,
  kShort = 4,
  kLong = 5,
  kDouble = 6,
  kList = 7,
  kClass = 8,
  kPassword = 9,
};

/// What IncrementalAlterConfigs does with a value.
enum class ConfigOperation : std::int8_t {
  kSet = 0,
  kDelete = 1,
  kAppend = 2,
  kSubtract = 3,
};

}  // namespace pyralog::protocol
