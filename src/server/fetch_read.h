#pragma once

#include <span>
#include <vector>

#include "core/ids.h"
#include "core/time.h"
#include "io/sync.h"
#include "protocol/kafka/error_code.h"
#include "server/fetch_session.h"
#include "storage/log_read.h"

namespace pyralog::server {

class Shard;

/// One partition of a fetch: what is asked, and what its shard found.
struct PartitionRead {
  Incarnation incarnation;  ///< none: refused before it reached a shard
  FetchTarget target;

  protocol::KafkaError error{};
  Offset high_watermark{-1};
  Offset log_start{-1};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  LeaderEpoch diverging_epoch = kNoLeaderEpoch;
  Offset diverging_end{-1};
  std::vector<storage::ReadPiece> pieces;
  std::size_t bytes = 0;
};

/// What all partitions of a fetch share.
struct FetchTerms {
  std::size_t bytes_max = 0;
  std::size_t bytes_min = 0;
  MonotonicTime deadline;
};

/// Reads `reads` on their shards, first those of the first one's shard, up to `bytes_max` in all: the first partition that
/// has anything gives at least one batch. If that comes to less than `bytes_min` and nothing failed, waits for more until
/// the deadline or until `abort` fires. On the caller's shard.
io::Task<> read_partitions(Shard& origin, std::span<PartitionRead> reads, FetchTerms terms, io::AbortSource& abort);

}  // namespace pyralog::server
