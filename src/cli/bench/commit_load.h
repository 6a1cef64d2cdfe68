#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/bench/load_options.h"
#include "cli/bench/load_window.h"
#include "cli/bench/request_schedule.h"
#include "client/cluster_client.h"
#include "io/reactor.h"
#include "protocol/kafka/offset_commit.h"

namespace pyralog::cli {

/// Offset commits of many groups without members, as consumers that assign partitions themselves send them, with a bounded
/// number under way per connection, and measures. Groups take turns; each commit of a group names the same number of
/// partitions, in turn, and an offset higher than the group's commit before. Records counted are offsets committed.
class CommitLoad {
 public:
  static io::Task<Result<std::unique_ptr<CommitLoad>>> open(client::ClusterClient& cluster, client::LogInfo log,
                                                            CommitLoadOptions options);
  ~CommitLoad();

  void start(const LoadWindow& window);
  /// Returns when nothing is left to send and every answer came, every connection has failed, or at `deadline`.
  io::Task<> finished(MonotonicTime deadline);
  /// Awaited before destruction.
  io::Task<> close();

  const LoadCounts& counts() const noexcept { return counts_; }
  /// When the last answer came.
  MonotonicTime last_answer() const noexcept { return last_answer_; }
  /// Requests that were due and not answered.
  std::uint64_t unanswered() const noexcept { return unanswered_; }

 private:
  struct CommittingGroup {
    std::string id;
    Offset next{0};
    std::size_t partition_next = 0;
  };
  struct Link {
    std::unique_ptr<client::BrokerConnection> connection;
    protocol::ApiVersion version;
    std::vector<CommittingGroup> groups;
    std::size_t turn = 0;
    std::size_t free = 0;  ///< requests that may be sent now
  };

  CommitLoad(client::LogInfo log, CommitLoadOptions options) : log_(std::move(log)), options_(options) {}
  io::Task<Result<>> connect(client::ClusterClient& cluster);
  void pump();
  Link* link_with_room();
  Result<protocol::OutgoingFrame> encode_commit(Link& link);
  void send(Link& link, MonotonicTime due);
  void take_answer(Link& link, MonotonicTime due, Result<Slice> frame);
  /// Offsets that were taken; errors are counted.
  std::uint64_t count_taken(const Link& link, const Slice& frame);

  client::LogInfo log_;
  CommitLoadOptions options_;
  std::vector<std::unique_ptr<Link>> links_;
  std::size_t link_turn_ = 0;
  std::vector<protocol::OffsetCommitRequest::Partition> partitions_;  // of the request that is being made
  std::size_t under_way_ = 0;
  LoadWindow window_{};
  RequestSchedule schedule_{RequestSchedule::Options{}};
  std::unique_ptr<io::Timer> due_timer_;
  LoadCounts counts_;
  MonotonicTime last_answer_{};
  std::uint64_t unanswered_ = 0;
  bool stopped_ = false;
  io::WaitList idle_;
};

}  // namespace pyralog::cli
