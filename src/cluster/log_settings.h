#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "cluster/topic_properties.h"

namespace pyralog::cluster {

enum class TimestampType : std::uint8_t { kCreateTime, kLogAppendTime };
enum class AcksAllMode : std::uint8_t { kQuorum, kIsr };
enum class RecordValidation : std::uint8_t { kStructure, kFull };

/// A log's honoured properties, resolved and typed: override, then the node's dynamic, default-dynamic and static
/// value, then the default of the table.
struct LogSettings {
  using Milliseconds = std::chrono::milliseconds;

  bool retention_deletes = true;                 ///< cleanup.policy has `delete`
  std::optional<Milliseconds> retention;         ///< none: no limit by time
  std::optional<std::uint64_t> retention_bytes;  ///< none: no limit by size
  bool compacts = false;                         ///< cleanup.policy has `compact`
  Milliseconds compaction_lag_min{};
  Milliseconds compaction_lag_max{};             ///< max(): no bound
  double dirty_ratio_min = 0;                    ///< min.cleanable.dirty.ratio
  Milliseconds delete_retention{};
  std::uint64_t segment_bytes = 0;
  Milliseconds segment_age{};
  Milliseconds segment_jitter{};
  std::uint32_t batch_bytes_max = 0;  ///< max.message.bytes
  TimestampType timestamp_type = TimestampType::kCreateTime;
  Milliseconds timestamp_before_max{};
  Milliseconds timestamp_after_max{};
  std::int32_t insync_replicas_min = 1;
  std::int32_t write_quorum = 0;  ///< 0: a majority of the copies
  bool write_caching = false;
  Milliseconds flush_interval{};    ///< write.caching only; max(): no bound
  std::uint64_t flush_bytes = 0;    ///< write.caching only
  std::uint64_t flush_messages = 0;  ///< write.caching only
  AcksAllMode acks_all_mode = AcksAllMode::kQuorum;
  RecordValidation record_validation = RecordValidation::kStructure;

  /// `overrides` and `layers` have passed their checks; a stored value that this release no longer accepts counts as
  /// absent.
  static LogSettings resolve(const Settings& overrides, const NodeLayers& layers);
};

/// Checks what depends on the number of copies: the write quorum cannot be larger. kInvalidArgument (INVALID_CONFIG).
Result<> check_quorum(const LogSettings& settings, int replication_factor);

}  // namespace pyralog::cluster
