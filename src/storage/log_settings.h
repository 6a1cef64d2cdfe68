#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/limits.h"
#include "core/time.h"
#include "record/batch_check.h"
#include "record/format.h"
#include "storage/partition_files.h"

namespace pyralog::storage {

/// The settings of a log that its storage honours, under Kafka's names where Kafka has them. They may change online; each
/// takes effect with the next append, read or retention pass. -1 means no bound where that is said.
struct LogSettings {
  static constexpr std::int64_t kUnbounded = -1;
  static constexpr std::int64_t kForever = INT64_MAX;
  static constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000;

  std::uint64_t segment_bytes = 1u << 30;           ///< segment.bytes
  std::int64_t segment_ms = 7 * kDayMs;             ///< segment.ms
  std::int64_t segment_jitter_ms = 0;               ///< segment.jitter.ms: at most this is taken off segment.ms
  std::int64_t retention_ms = 7 * kDayMs;           ///< retention.ms; or kUnbounded
  std::int64_t retention_bytes = kUnbounded;        ///< retention.bytes; or kUnbounded
  bool deletes_old = true;                          ///< cleanup.policy names delete
  bool compacts = false;                            ///< cleanup.policy names compact: records need keys
  std::int64_t compaction_lag_ms_min = 0;           ///< min.compaction.lag.ms
  std::int64_t compaction_lag_ms_max = kForever;    ///< max.compaction.lag.ms; or kForever
  double dirty_ratio_min = 0.5;                     ///< min.cleanable.dirty.ratio
  std::int64_t delete_retention_ms = kDayMs;        ///< delete.retention.ms
  std::size_t batch_bytes_max = limits::kBatchBytesMaxDefault;  ///< max.message.bytes
  record::TimestampType timestamp_type = record::TimestampType::kCreateTime;  ///< message.timestamp.type
  std::int64_t timestamp_before_ms_max = INT64_MAX;  ///< message.timestamp.before.max.ms
  std::int64_t timestamp_after_ms_max = 60 * 60 * 1000;  ///< message.timestamp.after.max.ms
  record::RecordValidation validation = record::RecordValidation::kStructure;  ///< record.validation
  bool write_caching = false;                       ///< write.caching: the cached durability class
  std::int64_t flush_ms = 10;                       ///< flush.ms; of the cached class
  std::uint64_t flush_bytes = 16u << 20;            ///< flush.bytes; of the cached class
  std::uint64_t flush_messages = UINT64_MAX;        ///< flush.messages; of the cached class
  std::int64_t producer_expiry_ms = kDayMs;         ///< producer.id.expiration.ms
  SpaceUse space_use = SpaceUse::kLeavesSome;

  /// How long a segment may grow in time; in a compacted log no longer than its records may stay as they are.
  std::int64_t segment_ms_max() const noexcept { return compacts ? std::min(segment_ms, compaction_lag_ms_max) : segment_ms; }

  friend bool operator==(const LogSettings&, const LogSettings&) = default;
};

/// What a client's batch must be like to be appended at `now`.
record::CheckOptions check_options(const LogSettings& settings, WallTime now);

/// How long a segment may grow: segment.ms less a share of the jitter that depends on the partition and the segment, so that
/// partitions that began together do not roll together.
std::int64_t segment_ms_of(const LogSettings& settings, Incarnation partition, Offset segment) noexcept;

/// When a cached log's bytes are synced.
CachedBounds cached_bounds(const LogSettings& settings);

}  // namespace pyralog::storage
