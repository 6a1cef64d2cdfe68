#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/cluster_client.h"

namespace pyralog::client {

struct ReaderOptions {
  std::chrono::milliseconds wait_max{500};  ///< how long the server may wait for data
  std::int32_t answer_bytes_min = 1;
  std::int32_t answer_bytes_max = 50 << 20;
  std::int32_t partition_bytes_max = 1 << 20;
};

/// Batches of one partition as the server sent them, one after another. The last may be cut off; the first may start
/// before the position that was asked for.
struct FetchedPartition {
  PartitionIndex partition;
  Offset position;  ///< where reading of this partition stood: earlier records are not to be shown
  Offset high_watermark;
  Slice frame;       ///< keeps `records` alive
  ByteView records;  ///< inside `frame`; empty if nothing came
};

/// Reads partitions of one log from given positions on, following their leaders. One fetch per node is under way while
/// the caller looks at earlier answers. A server that goes away is waited for, up to kLostMax. Lives on one shard;
/// `cluster` outlives it.
class LogReader {
 public:
  static constexpr Duration kLostMax = std::chrono::seconds(30);

  struct Position {
    PartitionIndex partition;
    Offset next;
  };

  static io::Task<Result<std::unique_ptr<LogReader>>> open(ClusterClient& cluster, LogInfo log,
                                                           std::vector<Position> positions, ReaderOptions options = {});
  ~LogReader();

  /// The next answer of some node: what it had of each partition, which may be nothing when the wait was over. kOutOfRange:
  /// a position is outside its partition.
  io::Task<Result<std::vector<FetchedPartition>>> next();

  /// Leaves a partition out from now on.
  void finish(PartitionIndex partition);

  /// Awaited before destruction.
  io::Task<> close();

 private:
  using Answer = std::vector<FetchedPartition>;
  static constexpr std::size_t kAnswersPerNodeMax = 2;  // fetched and not yet taken

  LogReader(ClusterClient& cluster, LogInfo log, ReaderOptions options);
  /// Keeps one reading task per leader, and asks for metadata again when one of them lost its way.
  io::Task<> supervise();
  io::Task<> read_from(NodeId node);
  /// False when the node turns out not to lead all that it was asked for.
  io::Task<Result<bool>> fetch_once(NodeId node);
  Result<bool> take_answer(const Slice& frame, protocol::ApiVersion version);
  std::vector<PartitionIndex> partitions_at(NodeId node) const;
  void fail(Error error);

  ClusterClient& cluster_;
  LogInfo log_;
  ReaderOptions options_;
  std::map<PartitionIndex, Offset> positions_;
  std::deque<Answer> answers_;
  std::ptrdiff_t turn_ = 0;
  std::set<NodeId> reading_;  // a task reads from each of them
  MonotonicTime succeeded_{};
  std::optional<Error> failure_;
  io::WaitList answered_;
  io::WaitList room_;
  io::WaitList lost_;
  io::TaskScope scope_;
};

}  // namespace pyralog::client
