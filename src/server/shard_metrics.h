#pragma once

#include <array>
#include <cstdint>

#include "core/latency_histogram.h"

namespace pyralog::server {

/// What one shard counts. Written by its own thread only; `/metrics` asks each shard for a copy.
struct ShardMetrics {
  static constexpr std::size_t kApiKeysMax = 128;

  LatencyHistogram produce_latency;                         ///< from the frame's last byte to the answer ready to send
  LatencyHistogram fetch_latency;                           ///< the same, waiting for data included
  std::array<std::uint64_t, kApiKeysMax> requests{};        ///< by API key
  std::array<std::uint64_t, kApiKeysMax> request_errors{};  ///< requests that ended the connection, by API key

  std::uint64_t produce_bytes = 0;
  std::uint64_t produce_records = 0;
  std::uint64_t produce_batches = 0;
  std::uint64_t produce_refused = 0;
  std::uint64_t fetch_bytes = 0;
  std::uint64_t fetch_waits = 0;  ///< fetches that had to wait for data

  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;  ///< beyond a connection limit
  std::uint64_t connections_delayed = 0;  ///< waited because of kafka.connection_rate_max
  std::uint64_t connections_open = 0;
  std::uint64_t requests_in_flight = 0;
  std::uint64_t frames_malformed = 0;
  std::uint64_t frames_given_up = 0;  ///< arrived too slowly while others waited for memory
  std::uint64_t compactions = 0, compactions_failed = 0;
  std::uint64_t compactions_without_room = 0;   ///< of those that failed
  std::uint64_t compaction_bytes_read = 0, compaction_bytes_written = 0;
  std::uint64_t compaction_records_removed = 0;
  std::uint64_t compaction_backlog_bytes = 0;   ///< gauge: of completed segments that were not compacted yet
  std::uint64_t compaction_logs_waiting = 0;    ///< gauge: partitions that are due
  double compaction_dirty_ratio_max = 0;        ///< gauge: of the partition with most to do
  double compaction_seconds_last = 0;           ///< gauge: what the newest one took
  std::uint64_t budget_waits = 0;  ///< frames that waited for the request memory budget
};

}  // namespace pyralog::server
