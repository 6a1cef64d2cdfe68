#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>

#include "coordinator/group_coordinator.h"
#include "core/result.h"
#include "io/sync.h"
#include "io/task_scope.h"
#include "record/batch_builder.h"
#include "record/batch_view.h"

namespace pyralog::server {

class Shard;

/// A coordinator at work: the groups of one partition of the internal log, on the partition's shard. Loads the log, stores
/// what the coordinator wants stored, and answers only then; keeps its time.
class GroupHost {
 public:
  enum class State : std::uint8_t { kLoading, kActive, kFailed, kClosed };

  GroupHost(Shard& shard, Incarnation incarnation, PartitionIndex index, coordinator::GroupOptions options,
            coordinator::GroupRoom& room);
  GroupHost(const GroupHost&) = delete;

  /// Begins to load; what cannot be read is tried again after a while.
  void start() { scope_.spawn(run()); }
  /// Tells all who wait that the coordinator is gone, and ends.
  io::Task<> close();

  PartitionIndex index() const noexcept { return index_; }
  /// What a client is told that asks now; kNone: ask.
  protocol::KafkaError refusal() const noexcept;
  /// Only what may be asked without changing anything, unless `pump` follows.
  coordinator::GroupCoordinator& coordinator() noexcept { return *coordinator_; }
  coordinator::Now now() const;
  /// A log was deleted, and with it what groups had committed for it: at once, or when all is loaded.
  void forget_topic(std::string_view name);

  /// Asks something that is answered by a T: `ask(coordinator, waiter, now)`. Requires refusal() == kNone.
  template <class T, class Ask>
  io::Task<T> ask(Ask ask) {
    const coordinator::WaiterId waiter = next_waiter_;
    next_waiter_.value += 1;
    io::OneShot<coordinator::Answer> answered;
    waiters_.emplace(waiter, &answered);
    ask(*coordinator_, waiter, now());
    pump();
    coordinator::Answer answer = co_await answered.take();
    co_return std::get<T>(std::move(answer));
  }

  /// Carries out what the coordinator wants done. After every change.
  void pump();

 private:
  io::Task<> run();
  io::Task<bool> load_until_it_succeeds();
  void begin();
  io::Task<Result<>> load();
  void load_batches(ByteView bytes);
  Result<> load_batch(const record::BatchView& batch);
  io::Task<> append_loop();
  io::Task<> append_next();
  std::size_t fill_batch(Result<>& outcome);
  io::Task<Result<>> append_batch(Slice batch);
  protocol::KafkaError told(const Error& error) const;

  Shard& shard_;
  const Incarnation incarnation_;
  const PartitionIndex index_;
  const coordinator::GroupOptions options_;
  coordinator::GroupRoom& room_;
  std::unique_ptr<coordinator::GroupCoordinator> coordinator_;
  State state_ = State::kLoading;
  std::set<std::string> deleted_meanwhile_;  // logs, while it loads; no more than clients delete in that time
  // Requests that wait for their answers: no more than there are connections.
  std::unordered_map<coordinator::WaiterId, io::OneShot<coordinator::Answer>*> waiters_;
  coordinator::WaiterId next_waiter_{1};
  std::deque<coordinator::Append> queue_;  // as many as waiters, and one for each group whose time has come
  std::uint64_t segment_bytes_ = 0;        // appended since a segment was begun, as far as this life knows
  std::size_t records_taken_ = 0;          // of the first of queue_, that earlier batches have
  record::BatchBuilder builder_;
  io::WaitList queued_;
  io::Timer timer_;
  io::TaskScope scope_;
};

}  // namespace pyralog::server
