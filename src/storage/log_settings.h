#pragma once

#include <cstddef>
#include <cstdint>

#include "core/limits.h"
#include "record/format.h"

namespace pyralog::storage {

/// The settings of a log that its storage honours, under Kafka's names where Kafka has them. They may change online; each
/// takes effect with the next append, read or retention pass. -1 means no bound where that is said.
struct LogSettings {
  static constexpr std::int64_t kUnbounded = -1;
  static constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000;

  std::uint64_t segment_bytes = 1u << 30;           ///< segment.bytes
  std::int64_t segment_ms = 7 * kDayMs;             ///< segment.ms
  std::int64_t retention_ms = 7 * kDayMs;           ///< retention.ms; or kUnbounded
  std::int64_t retention_bytes = kUnbounded;        ///< retention.bytes; or kUnbounded
  bool deletes_old = true;                          ///< cleanup.policy names delete
  std::size_t batch_bytes_max = limits::kBatchBytesMaxDefault;  ///< max.message.bytes
  record::TimestampType timestamp_type = record::TimestampType::kCreateTime;  ///< message.timestamp.type
  std::int64_t timestamp_before_ms_max = INT64_MAX;  ///< message.timestamp.before.max.ms
  std::int64_t timestamp_after_ms_max = 60 * 60 * 1000;  ///< message.timestamp.after.max.ms
  bool write_caching = false;                       ///< write.caching: the cached durability class
  std::int64_t flush_ms = INT64_MAX;                ///< flush.ms; of the cached class
  std::uint64_t flush_bytes = UINT64_MAX;           ///< flush.bytes; of the cached class
  std::int64_t producer_expiry_ms = kDayMs;         ///< producer.id.expiration.ms

  friend bool operator==(const LogSettings&, const LogSettings&) = default;
};

}  // namespace pyralog::storage
