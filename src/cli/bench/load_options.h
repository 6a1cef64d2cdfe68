#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/session.h"
#include "cli/table.h"
#include "client/producer.h"
#include "record/format.h"

namespace pyralog::cli {

/// What every load has: where, for how long, on which log, and how it is reported.
struct LoadOptions {
  SessionOptions session;
  OutputFormat format = OutputFormat::kTable;
  std::string log = "bench";
  std::optional<std::int32_t> partitions;  ///< of the log's, the first so many; none: all
  bool create = false;                     ///< the log, where it is absent
  std::vector<std::pair<std::string, std::string>> settings;  ///< of the created log
  double seconds = 10;                     ///< measured
  double warmup_seconds = 2;               ///< before that
  std::int32_t server_pid = 0;             ///< whose CPU and memory are reported too; 0: nobody's
};

/// Produce requests, each with one batch for each of `batches_per_request` partitions.
struct ProduceLoadOptions {
  std::uint32_t connections = 1;
  std::uint32_t in_flight = 5;  ///< requests per connection
  std::uint32_t record_bytes = 1024;
  std::uint32_t batch_bytes = 16384;  ///< records are added while the batch stays below
  std::uint32_t batch_records = 0;    ///< instead of batch_bytes, if not 0
  std::uint32_t batches_per_request = 1;
  client::Acks acks = client::Acks::kAll;
  record::Codec codec = record::Codec::kNone;
  bool text = false;       ///< compressible values
  std::uint32_t keys = 0;  ///< records have so many different keys, in turn; 0: none
  double rate = 0;         ///< records per second, sent when they are due (open loop); 0: as fast as answers come
  std::uint64_t records_max = 0;  ///< stop after so many; 0: when the time is over
  bool stamp = false;             ///< first record of each batch carries the time (see stamp.h)
};

/// Offset commits of groups without members.
struct CommitLoadOptions {
  std::uint32_t connections = 1;
  std::uint32_t in_flight = 1;  ///< requests per connection
  std::uint32_t groups = 100;
  std::string group_prefix = "bench";  ///< groups are called bench-0, bench-1, …
  std::uint32_t partitions_per_commit = 1;
  double rate = 0;                ///< commits per second, sent when they are due (open loop); 0: as fast as answers come
  std::uint64_t commits_max = 0;  ///< stop after so many; 0: when the time is over
};

struct FetchLoadOptions {
  std::uint32_t connections = 1;
  std::int32_t wait_ms_max = 500;
  std::int32_t answer_bytes_min = 1;
  std::int32_t answer_bytes_max = 50 << 20;
  std::int32_t partition_bytes_max = 1 << 20;
  bool verify = false;  ///< the CRC of every batch
  bool repeat = false;  ///< begin again at the end
  bool tail = false;    ///< begin at the end, and measure stamped records
};

}  // namespace pyralog::cli
