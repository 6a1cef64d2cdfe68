#include "client/producer.h"

#include "client/kafka_failure.h"
#include "client/partition_sender.h"
#include "client/partitioner.h"
#include "protocol/kafka/init_producer_id.h"

namespace pyralog::client {

using namespace protocol;

namespace {

constexpr Duration kProducerIdWaitMax = std::chrono::seconds(15);
constexpr Duration kProducerIdPause = std::chrono::milliseconds(100);
constexpr std::int32_t kTransactionTimeoutMs = 60'000;  // without effect on a producer without transactions

}  // namespace

Producer::Producer(ClusterClient& cluster, LogInfo log, ProducerOptions options)
    : cluster_(cluster), log_(std::move(log)), options_(options) {}
Producer::~Producer() = default;

io::Task<Result<std::unique_ptr<Producer>>> Producer::open(ClusterClient& cluster, std::string log,
                                                           ProducerOptions options) {
  PYRALOG_CO_ASSIGN(LogInfo info, co_await cluster.describe_log(std::move(log), AutoCreation::kAllowed));
  std::unique_ptr<Producer> producer(new Producer(cluster, std::move(info), options));
  if (options.idempotent && options.acks == Acks::kAll) PYRALOG_CO_TRY(co_await producer->obtain_producer_id());
  for (const PartitionInfo& partition : producer->log_.partitions) {
    if (static_cast<std::size_t>(partition.index.value) != producer->senders_.size()) {
      co_return Error(ErrorCode::kCorrupt, "the server does not know all partitions of log " + producer->log_.name);
    }
    producer->senders_.push_back(std::make_unique<PartitionSender>(*producer, partition.index));
  }
  for (const auto& sender : producer->senders_) producer->scope_.spawn(sender->run());
  co_return std::move(producer);
}

io::Task<Result<>> Producer::obtain_producer_id() {
  const MonotonicTime deadline = io::Reactor::current().now() + kProducerIdWaitMax;
  for (;;) {
    Result<> asked = co_await ask_for_producer_id();
    const bool may_help = !asked.ok() && is_retriable(asked.error().code()) && io::Reactor::current().now() < deadline;
    if (!may_help) co_return asked;
    (void)co_await io::sleep_for(kProducerIdPause, scope_.abort());
  }
}

io::Task<Result<>> Producer::ask_for_producer_id() {
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster_.any_connection());
  const InitProducerIdRequest request{.transactional_id = std::nullopt, .transaction_timeout_ms = kTransactionTimeoutMs};
  PYRALOG_CO_ASSIGN(const auto reply,
                    (co_await connection->call<InitProducerIdRequest, InitProducerIdResponse>(request)));
  PYRALOG_CO_TRY(check_answer(reply.message.error_code, "producer id"));
  producer_id_ = reply.message.producer_id;
  producer_epoch_ = reply.message.producer_epoch;
  co_return Result<>();
}

Result<PartitionSender*> Producer::choose(const ProducerRecord& record) {
  const auto count = static_cast<std::int32_t>(senders_.size());
  if (record.partition.has_value()) {
    if (record.partition->value < 0 || record.partition->value >= count) {
      return Error(ErrorCode::kOutOfRange, "log " + log_.name + " has " + std::to_string(count) + " partitions, not " +
                                               std::to_string(record.partition->value));
    }
    return senders_[static_cast<std::size_t>(record.partition->value)].get();
  }
  if (record.key.has_value()) {
    return senders_[static_cast<std::size_t>(partition_of_key(as_bytes(*record.key), count).value)].get();
  }
  return senders_[keyless_next_].get();
}

io::Task<Result<>> Producer::append(ProducerRecord record) {
  while (buffered_bytes_ >= options_.buffered_bytes_max && !failure_.has_value()) co_await progress_.wait();
  if (failure_.has_value()) co_return *failure_;
  PYRALOG_CO_ASSIGN(PartitionSender * sender, choose(record));
  std::vector<record::HeaderInput> headers;
  headers.reserve(record.headers.size());
  for (const auto& [key, value] : record.headers) headers.push_back({.key = key, .value = as_bytes(value)});
  record::RecordInput input{.timestamp = record.timestamp.value_or(io::Reactor::current().wall_now()),
                            .key = std::nullopt, .value = std::nullopt, .headers = headers};
  if (record.key.has_value()) input.key = as_bytes(*record.key);
  if (record.value.has_value()) input.value = as_bytes(*record.value);
  if (!sender->has_room_for(input)) {
    PYRALOG_CO_TRY(sender->seal());
    PYRALOG_CO_ASSIGN(sender, choose(record));  // a keyless record goes to the next partition
    if (!sender->has_room_for(input)) PYRALOG_CO_TRY(sender->seal());
  }
  co_return sender->append(input);
}

io::Task<Result<>> Producer::flush() {
  for (const auto& sender : senders_) {
    if (sender->is_filling()) PYRALOG_CO_TRY(sender->seal());
  }
  for (const auto& sender : senders_) {
    while (!sender->idle() && !failure_.has_value()) co_await progress_.wait();
  }
  if (failure_.has_value()) co_return *failure_;
  if (options_.acks == Acks::kNone) {
    for (const PartitionInfo& partition : log_.partitions) {
      auto connection = co_await cluster_.connection_to(partition.leader);
      if (connection.ok()) PYRALOG_CO_TRY(co_await (*connection)->flushed());
    }
  }
  co_return Result<>();
}

io::Task<> Producer::close() {
  scope_.abort().abort();
  progress_.notify_all();
  co_await scope_.close();
}

void Producer::batch_sealed(const PartitionSender& sender) {
  if (senders_[keyless_next_].get() == &sender) keyless_next_ = (keyless_next_ + 1) % senders_.size();
}

void Producer::batch_done(std::size_t bytes, std::int32_t records) {
  buffered_bytes_ -= bytes;
  records_acknowledged_ += static_cast<std::uint64_t>(records);
  progress_.notify_all();
}

void Producer::fail(Error error) {
  if (!failure_.has_value()) failure_ = std::move(error);
  progress_.notify_all();
}

}  // namespace pyralog::client
