#pragma once

#include <cstdint>

#include "core/latency_histogram.h"
#include "core/time.h"

namespace pyralog::io {

/// What a shard's loop did. A pass is the work between two looks at the operating system; a turn runs everything that
/// was ready once.
struct LoopCounters {
  std::uint64_t passes = 0;
  std::uint64_t turns = 0;
  std::uint64_t events = 0;
  Duration busy{};
  Duration waiting{};
  Duration longest_pass{};
};

struct NetworkCounters {
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t accepted = 0;
  std::uint64_t connected = 0;
  std::uint64_t refused_for_descriptors = 0;  ///< accepted and closed at once, because descriptors ran short
};

struct DiskCounters {
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t sync_failures = 0;
  LatencyHistogram sync_latency;  ///< of sync and write_and_sync, failed ones included
};

/// Plain numbers of one shard, written and read on that shard only.
struct IoCounters {
  LoopCounters loop;
  NetworkCounters network;
  DiskCounters disk;
};

}  // namespace pyralog::io
