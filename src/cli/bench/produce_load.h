#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "cli/bench/batch_pool.h"
#include "cli/bench/load_options.h"
#include "cli/bench/load_window.h"
#include "cli/bench/request_schedule.h"
#include "client/cluster_client.h"

namespace pyralog::cli {

/// Sends produce requests and measures their answers, on one shard. Request frames are made once: sending one costs a few
/// stores and its share of a system call.
class ProduceLoad {
 public:
  /// Connections are dealt to the leaders of `log`'s partitions in turn; each sends to the partitions of its leader.
  static io::Task<Result<std::unique_ptr<ProduceLoad>>> open(client::ClusterClient& cluster, client::LogInfo log,
                                                             ProduceLoadOptions options);
  ~ProduceLoad();

  void start(const LoadWindow& window);

  /// Returns when everything that was to be sent is answered, or at `deadline`.
  io::Task<> finished(MonotonicTime deadline);
  /// Awaited before destruction.
  io::Task<> close();

  const LoadCounts& counts() const noexcept { return counts_; }
  /// When the last answer came.
  MonotonicTime last_answer() const noexcept { return last_answer_; }
  /// In the window or not.
  std::uint64_t records_acknowledged() const noexcept { return records_acknowledged_; }
  /// Requests that were due and not answered.
  std::uint64_t unanswered() const noexcept { return unanswered_; }
  std::uint32_t records_per_request() const noexcept { return records_per_request_; }
  std::size_t batch_bytes() const noexcept { return pool_.batch_bytes_max(); }
  std::uint32_t records_per_batch() const noexcept { return pool_.records_per_batch; }

 private:
  /// A request without its first bytes (length, API, version, correlation id), which each slot has of its own.
  struct Template {
    Slice prefix;
    std::vector<protocol::Piece> rest;
    std::size_t batch_bytes = 0;
    std::size_t stamped_piece = 0;  ///< which piece of `rest` is the batch, for stamped loads
  };
  struct Link {
    std::unique_ptr<client::BrokerConnection> connection;
    protocol::ApiVersion version;
    std::shared_ptr<const std::vector<Template>> templates;  ///< shared by the connections to one leader
    std::size_t next_template = 0;
  };
  /// A place for one request under way.
  struct Slot {
    Link* link = nullptr;
    Slice prefix;
    Slice stamped_batch;
    MonotonicTime due;
    std::size_t batch_bytes = 0;
  };

  ProduceLoad(client::LogInfo log, ProduceLoadOptions options);
  io::Task<Result<>> connect(client::ClusterClient& cluster);
  Result<std::vector<Template>> make_templates(const std::vector<PartitionIndex>& partitions, protocol::ApiVersion version);
  Result<Template> make_template(std::span<const PartitionIndex> partitions, protocol::ApiVersion version);
  void make_slots();
  void pump();
  void send(Slot& slot, MonotonicTime due, MonotonicTime now);
  void stamp(Slot& slot, const Template& made, std::vector<protocol::Piece>& rest, MonotonicTime now);
  void take_answer(Slot& slot, Result<Slice> frame);
  void count_answer(const Slot& slot, MonotonicTime now);
  void free_slot(Slot& slot);
  /// Whether every batch was taken; errors are counted.
  bool check_answer(const Slice& frame, protocol::ApiVersion version);
  io::Task<> send_unanswered(Slot& slot);

  client::LogInfo log_;
  ProduceLoadOptions options_;
  BatchPool pool_;
  std::size_t next_batch_ = 0;
  std::size_t stamp_position_ = 0;
  std::uint32_t records_per_request_ = 0;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<Slot> slots_;
  std::deque<Slot*> free_;
  std::size_t under_way_ = 0;
  LoadWindow window_{};
  RequestSchedule schedule_{RequestSchedule::Options{}};
  std::unique_ptr<io::Timer> due_timer_;
  LoadCounts counts_;
  std::uint64_t records_acknowledged_ = 0;
  MonotonicTime last_answer_{};
  std::uint64_t unanswered_ = 0;
  bool stopped_ = false;
  io::WaitList idle_;
  io::TaskScope scope_;
};

}  // namespace pyralog::cli
