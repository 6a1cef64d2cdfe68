#pragma once

#include <map>
#include <memory>
#include <vector>

#include "cli/bench/load_options.h"
#include "cli/bench/load_window.h"
#include "client/cluster_client.h"
#include "protocol/kafka/fetch.h"

namespace pyralog::cli {

/// Reads a log with one fetch under way per connection, and measures. Partitions are dealt to the connections of their
/// leader in turn. At the tail, it measures the age of stamped records as well. Batches are looked at as far as their
/// headers unless they are to be verified.
class FetchLoad {
 public:
  static io::Task<Result<std::unique_ptr<FetchLoad>>> open(client::ClusterClient& cluster, client::LogInfo log,
                                                           FetchLoadOptions options);
  ~FetchLoad();

  void start(const LoadWindow& window);

  /// Returns when every partition was read to its end (unless the load repeats or follows the tail), every connection has
  /// failed, or at `deadline`.
  io::Task<> finished(MonotonicTime deadline);
  /// At the tail: returns when so many records were read since the start, or at `deadline`. How many are missing.
  io::Task<std::uint64_t> caught_up(std::uint64_t records, MonotonicTime deadline);
  /// Awaited before destruction.
  io::Task<> close();

  /// Latency is that of fetches; at the tail, from when stamped records were sent until they were here.
  const LoadCounts& counts() const noexcept { return counts_; }
  /// At the tail: from when the stamped records were due.
  const LatencyRecorder& since_due() const noexcept { return since_due_; }
  MonotonicTime last_answer() const noexcept { return last_answer_; }

 private:
  struct Position {
    Offset start;
    Offset next;
    Offset end;
    bool finished = false;
  };
  /// One connection and what it reads.
  struct Link {
    std::unique_ptr<client::BrokerConnection> connection;
    protocol::ApiVersion version;
    std::map<PartitionIndex, Position> positions;
    std::ptrdiff_t turn = 0;
    MonotonicTime sent;
  };

  FetchLoad(client::LogInfo log, FetchLoadOptions options) : log_(std::move(log)), options_(options) {}
  io::Task<Result<>> connect(client::ClusterClient& cluster);
  void fetch(Link& link);
  void take_answer(Link& link, Result<Slice> frame);
  Result<> read_answer(Link& link, const Slice& frame, MonotonicTime now);
  Result<> read_batches(Position& position, ByteView records, MonotonicTime now);
  void end_link(std::string error);

  client::LogInfo log_;
  FetchLoadOptions options_;
  std::vector<std::unique_ptr<Link>> links_;
  std::size_t links_reading_ = 0;
  LoadWindow window_{};
  LoadCounts counts_;
  LatencyRecorder since_due_;
  std::uint64_t records_read_ = 0;
  MonotonicTime last_answer_{};
  bool stopped_ = false;
  io::WaitList progress_;
};

}  // namespace pyralog::cli
