#pragma once

#include <map>

#include "client/log_reader.h"
#include "record/compression.h"
#include "sim/stage.h"

namespace pyralog::sim {

/// Reads partitions of one log with `client::LogReader` and checks that records follow each other without a gap.
class PartitionCursor {
 public:
  PartitionCursor(Stage& stage, std::size_t log, bool tells_history)
      : stage_(stage), log_(log), tells_history_(tells_history) {}

  void begin(PartitionIndex partition, Offset at) { next_[partition] = at; }
  Offset next(PartitionIndex partition) const { return next_.at(partition); }
  /// False after a violation.
  bool take(const client::FetchedPartition& fetched);
  /// What was read since `begin`, by partition.
  std::map<PartitionIndex, std::vector<ValueId>>& values() noexcept { return values_; }

 private:
  Result<> take_batches(const client::FetchedPartition& fetched);
  Result<> take_record(PartitionIndex partition, Offset offset, ByteView value);

  Stage& stage_;
  std::size_t log_;
  bool tells_history_;
  std::map<PartitionIndex, Offset> next_;
  std::map<PartitionIndex, std::vector<ValueId>> values_;
  record::Decompressor decompressor_;
};

/// A client that reads along while others write, and asks where partitions begin and end.
class LogFollower {
 public:
  LogFollower(Stage& stage, std::uint64_t seed) : stage_(stage), random_(seed) {}
  /// Works until the stage is stopping.
  io::Task<> run();

 private:
  io::Task<> use(client::ClusterClient& cluster);
  io::Task<> follow(client::ClusterClient& cluster, client::LogInfo info, std::size_t log);
  io::Task<> look_at_bounds(client::ClusterClient& cluster, const client::LogInfo& info, std::size_t log);

  Stage& stage_;
  Random random_;
  std::map<PartitionIndex, Offset> starts_;  // of the log at hand, as of the last look
};

}  // namespace pyralog::sim
