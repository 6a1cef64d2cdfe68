#include "client/partition_sender.h"

#include <algorithm>

#include "client/kafka_failure.h"
#include "record/batch_view.h"

namespace pyralog::client {

using namespace protocol;

namespace {

constexpr Duration kRetryPause = std::chrono::milliseconds(100);
constexpr std::int32_t kRequestTimeoutMs = 30'000;

}  // namespace

PartitionSender::PartitionSender(Producer& producer, PartitionIndex partition)
    : producer_(producer), partition_(partition) {}

bool PartitionSender::has_room_for(const record::RecordInput& record) const {
  return builder_.empty() || builder_.bytes_uncompressed() + record::BatchBuilder::record_bytes_max(record) <=
                                 producer_.options_.batch_bytes_max;
}

Result<> PartitionSender::append(const record::RecordInput& record) {
  if (builder_.empty()) {
    builder_.clear({.codec = producer_.options_.codec,
                    .producer_id = producer_.producer_id_,
                    .producer_epoch = producer_.producer_epoch_,
                    .base_sequence = producer_.producer_id_ == kNoProducerId ? record::kNoSequence : next_sequence_});
    linger_end_ = io::Reactor::current().now() + producer_.options_.linger;
    event_.notify_one();
  }
  const std::size_t before = builder_.bytes_uncompressed();
  PYRALOG_TRY(builder_.append(record));
  producer_.buffered_bytes_ += builder_.bytes_uncompressed() - before;
  return {};
}

Result<> PartitionSender::seal() {
  const std::size_t plain_bytes = builder_.bytes_uncompressed() - record::format::kHeaderBytes;
  PYRALOG_ASSIGN(const ByteView bytes, builder_.finish());
  Batch batch{.bytes = Slice::copy_of(bytes), .records = builder_.records_count(),
              .deadline = io::Reactor::current().now() + producer_.options_.delivery_timeout};
  next_sequence_ = record::sequence_after(next_sequence_, batch.records);
  builder_.clear();
  producer_.buffered_bytes_ = producer_.buffered_bytes_ - plain_bytes + batch.bytes.size();
  batches_.push_back(std::move(batch));
  producer_.batch_sealed(*this);
  event_.notify_one();
  return {};
}

io::Task<> PartitionSender::run() {
  const std::size_t under_way_max = producer_.producer_id_ == kNoProducerId ? 1 : kBatchesUnderWayMax;
  while (!producer_.scope_.closing() && !producer_.failure_.has_value()) {
    if (any_failed_) {
      Result<> recovered = co_await recover();
      if (!recovered.ok()) co_return producer_.fail(std::move(recovered).error());
      continue;
    }
    if (is_filling() && io::Reactor::current().now() >= linger_end_) {
      Result<> sealed = seal();
      if (!sealed.ok()) co_return producer_.fail(std::move(sealed).error());
    }
    const auto next = std::ranges::find(batches_, State::kQueued, &Batch::state);
    if (next != batches_.end() && under_way_ < under_way_max) {
      Result<> connected = co_await connect();  // batches may have joined meanwhile, so `next` is looked up again
      const auto place = std::ranges::find(batches_, State::kQueued, &Batch::state);
      Result<> sent = connected.ok() && place != batches_.end() ? send(*place) : std::move(connected);
      if (!sent.ok()) take_answer(*place, std::move(sent));
      continue;
    }
    if (is_filling()) {
      (void)co_await event_.wait_until(linger_end_, producer_.scope_.abort());
    } else {
      (void)co_await event_.wait(producer_.scope_.abort());
    }
  }
}

io::Task<Result<>> PartitionSender::connect() {
  if (connection_ != nullptr && !connection_->failed()) co_return Result<>();
  const PartitionInfo& info = producer_.log_.partitions[static_cast<std::size_t>(partition_.value)];
  if (info.leader == NodeId(-1)) co_return Error(ErrorCode::kUnavailable, "no leader");
  PYRALOG_CO_ASSIGN(connection_, co_await producer_.cluster_.connection_to(info.leader));
  co_return Result<>();
}

Result<> PartitionSender::send(Batch& batch) {
  PYRALOG_ASSIGN(const ApiVersion version, connection_->version_of(kProduceApi));
  const std::vector<Piece> pieces{batch.bytes};
  const std::vector<ProduceRequest::Partition> partitions{{.index = partition_, .records = Records::of(pieces)}};
  const std::vector<ProduceRequest::Topic> topics{
      {.name = producer_.log_.name, .topic_id = producer_.log_.id, .partition_data = partitions}};
  const ProduceRequest request{.transactional_id = std::nullopt,
                               .acks = static_cast<std::int16_t>(producer_.options_.acks),
                               .timeout_ms = kRequestTimeoutMs,
                               .topic_data = topics};
  PYRALOG_ASSIGN(OutgoingFrame frame, encode_request(request, version, 0, connection_->options().client_id));
  batch.state = State::kSent;
  ++under_way_;
  if (producer_.options_.acks == Acks::kNone) {
    connection_->send_unanswered(std::move(frame));
    --under_way_;
    take_answer(batch, {});
  } else {
    connection_->send(std::move(frame), [this, &batch, version, alive = std::weak_ptr(alive_)](Result<Slice> answer) {
      if (alive.expired()) return;
      --under_way_;
      take_answer(batch, read_answer(answer, version));
    });
  }
  return {};
}

Result<> PartitionSender::read_answer(const Result<Slice>& frame, ApiVersion version) const {
  if (!frame.ok()) return frame.error();
  PYRALOG_ASSIGN(const auto response, parse_response(frame->view(), kProduceApi, version));
  Arena arena;
  PYRALOG_ASSIGN(const auto message, decode<ProduceResponse>(response.body, version, arena));
  if (message.responses.size() != 1 || message.responses[0].partition_responses.size() != 1) {
    return Error(ErrorCode::kCorrupt, "the answer is not about the batch that was sent");
  }
  const auto& answer = message.responses[0].partition_responses[0];
  // The batch is in the log, but so long ago that the server no longer knows its offset.
  if (answer.error_code == KafkaError::kDuplicateSequenceNumber) return {};
  const std::string subject = producer_.log_.name + "/" + std::to_string(partition_.value);
  return check_answer(answer.error_code, subject, answer.error_message);
}

void PartitionSender::take_answer(Batch& batch, Result<> outcome) {
  if (outcome.ok()) {
    batch.state = State::kAcknowledged;
    release_acknowledged();
  } else {
    batch.state = State::kFailed;
    batch.failure = std::move(outcome).error();
    any_failed_ = true;
  }
  event_.notify_one();
}

void PartitionSender::release_acknowledged() {
  while (!batches_.empty() && batches_.front().state == State::kAcknowledged) {
    producer_.batch_done(batches_.front().bytes.size(), batches_.front().records);
    batches_.pop_front();
  }
}

Result<> PartitionSender::decide_retry(const Batch& batch, bool is_first) const {
  const Error& failure = *batch.failure;
  // Behind a batch that failed, the server misses sequence numbers; that heals by sending both again.
  if (failure == ErrorCode::kOutOfOrderSequence && !is_first) return {};
  const bool unclear = failure == ErrorCode::kConnectionClosed || failure == ErrorCode::kClosed ||
                       failure == ErrorCode::kTimedOut || failure == ErrorCode::kOutcomeUnknown;
  if (unclear && producer_.producer_id_ == kNoProducerId) {
    return Error(ErrorCode::kOutcomeUnknown, failure.to_string());
  }
  const bool moved = failure == ErrorCode::kNotFound;  // metadata says whether it moved or is gone
  if (!is_retriable(failure.code()) && !moved) return failure;
  if (io::Reactor::current().now() >= batch.deadline) return failure.with_context("gave up");
  return {};
}

io::Task<Result<>> PartitionSender::recover() {
  while (under_way_ > 0) {
    if (co_await event_.wait(producer_.scope_.abort()) == io::WaitOutcome::kAborted) co_return Result<>();
  }
  bool is_first = true;
  for (Batch& batch : batches_) {
    if (batch.state == State::kFailed) {
      PYRALOG_CO_TRY(decide_retry(batch, is_first));
      batch.state = State::kQueued;
    }
    is_first = false;
  }
  any_failed_ = false;
  if (co_await io::sleep_for(kRetryPause, producer_.scope_.abort()) == io::WaitOutcome::kAborted) co_return Result<>();
  connection_.reset();
  auto log = co_await producer_.cluster_.describe_log(producer_.log_.name);
  if (!log.ok()) {
    // Without metadata the old leader is tried again; what it says decides.
    co_return is_retriable(log.error().code()) ? Result<>() : Result<>(std::move(log).error());
  }
  if (log->partitions.size() >= producer_.log_.partitions.size()) producer_.log_ = std::move(*log);
  co_return Result<>();
}

}  // namespace pyralog::client
