#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/time.h"
#include "io/task.h"

namespace pyralog::server {

class Shard;

/// A record that a group waits to read next.
struct WaitingRecord {
  Incarnation partition;
  Offset offset;
  friend auto operator<=>(const WaitingRecord&, const WaitingRecord&) = default;
};

/// When records were written that groups wait to read, for their lag in seconds. Reading a record costs, so what was read
/// stays known for as long as it is asked for again. On the shard of the partitions.
class LagTimes {
 public:
  explicit LagTimes(Shard& shard) : shard_(shard) {}
  LagTimes(const LagTimes&) = delete;

  /// The time of the first record at or after each place, in the order asked; at most `reads_max` are read, first come.
  /// Nothing: not known this time, or there is none.
  io::Task<std::vector<std::optional<WallTime>>> look_up(std::vector<WaitingRecord> wanted, std::size_t reads_max);

 private:
  io::Task<std::optional<WallTime>> read(WaitingRecord wanted);

  Shard& shard_;
  std::map<WaitingRecord, WallTime> known_;  // of the last look
};

}  // namespace pyralog::server
