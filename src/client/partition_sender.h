#pragma once

#include <deque>
#include <optional>

#include "client/producer.h"
#include "protocol/kafka/produce.h"
#include "record/batch_builder.h"

namespace pyralog::client {

/// One partition's part of a Producer: the batch that is being filled, and those sent and not acknowledged, in order. With
/// idempotence several are under way at once; after a failure it waits for all answers and sends what is left again, in
/// order, so the server sees every sequence number once and none out of turn.
class PartitionSender {
 public:
  static constexpr std::size_t kBatchesUnderWayMax = 5;  // what servers remember of an idempotent producer

  PartitionSender(Producer& producer, PartitionIndex partition);

  bool has_room_for(const record::RecordInput& record) const;
  Result<> append(const record::RecordInput& record);
  /// Ends the batch that is being filled.
  Result<> seal();
  bool is_filling() const noexcept { return !builder_.empty(); }
  bool idle() const noexcept { return builder_.empty() && batches_.empty(); }

  /// Sends until the producer closes or fails.
  io::Task<> run();

 private:
  enum class State : std::uint8_t { kQueued, kSent, kAcknowledged, kFailed };
  struct Batch {
    Slice bytes;
    std::int32_t records = 0;
    MonotonicTime deadline;
    State state = State::kQueued;
    std::optional<Error> failure;
  };

  io::Task<Result<>> connect();
  Result<> send(Batch& batch);
  Result<> read_answer(const Result<Slice>& frame, protocol::ApiVersion version) const;
  void take_answer(Batch& batch, Result<> outcome);
  void release_acknowledged();
  io::Task<Result<>> recover();
  Result<> decide_retry(const Batch& batch, bool is_first) const;

  Producer& producer_;
  const PartitionIndex partition_;
  record::BatchBuilder builder_;
  MonotonicTime linger_end_{};
  std::int32_t next_sequence_ = 0;
  std::deque<Batch> batches_;  // elements keep their place until they are popped from the front
  std::size_t under_way_ = 0;
  bool any_failed_ = false;
  std::shared_ptr<BrokerConnection> connection_;
  io::WaitList event_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // answers may come after this object's end
};

}  // namespace pyralog::client
