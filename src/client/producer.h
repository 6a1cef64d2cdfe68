#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cluster_client.h"
#include "record/format.h"

namespace pyralog::client {

enum class Acks : std::int16_t { kNone = 0, kLeader = 1, kAll = -1 };

struct ProducerOptions {
  Acks acks = Acks::kAll;
  record::Codec codec = record::Codec::kNone;
  /// The server drops what a retry sends twice, so retries neither lose, double nor reorder. Needs Acks::kAll.
  bool idempotent = true;
  std::size_t batch_bytes_max = 256u << 10;  ///< of records before compression; one larger record is a batch of its own
  Duration linger = std::chrono::milliseconds(5);
  std::size_t buffered_bytes_max = 32u << 20;
  Duration delivery_timeout = std::chrono::seconds(120);
};

struct ProducerRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<WallTime> timestamp;        ///< none: now
  std::optional<PartitionIndex> partition;  ///< none: by key as Kafka's clients do, keyless ones batch by batch in turn
};

class PartitionSender;

/// Sends records to one log, batched and in order per partition. Lives on one shard; `cluster` outlives it.
class Producer {
 public:
  /// kNotFound unless the log is there or may be created by being named.
  static io::Task<Result<std::unique_ptr<Producer>>> open(ClusterClient& cluster, std::string log, ProducerOptions options);
  ~Producer();

  /// Takes a record over, and waits while the buffer is full. kOutOfRange (no such partition), kTooLarge; after any batch
  /// has failed for good, its error.
  io::Task<Result<>> append(ProducerRecord record);

  /// Sends what is buffered and waits for all of it. The first failure of any batch.
  io::Task<Result<>> flush();

  /// Drops what is not acknowledged. Awaited before destruction.
  io::Task<> close();

  std::uint64_t records_acknowledged() const noexcept { return records_acknowledged_; }

 private:
  friend class PartitionSender;
  Producer(ClusterClient& cluster, LogInfo log, ProducerOptions options);
  io::Task<Result<>> obtain_producer_id();
  io::Task<Result<>> ask_for_producer_id();
  Result<PartitionSender*> choose(const ProducerRecord& record);
  /// Keyless records fill one batch after another, partition by partition: large batches, and even in the end.
  void batch_sealed(const PartitionSender& sender);
  void batch_done(std::size_t bytes, std::int32_t records);
  void fail(Error error);

  ClusterClient& cluster_;
  LogInfo log_;
  ProducerOptions options_;
  ProducerId producer_id_ = kNoProducerId;
  ProducerEpoch producer_epoch_ = kNoProducerEpoch;
  std::vector<std::unique_ptr<PartitionSender>> senders_;  // by partition
  std::size_t keyless_next_ = 0;
  std::size_t buffered_bytes_ = 0;
  std::uint64_t records_acknowledged_ = 0;
  std::optional<Error> failure_;
  io::WaitList progress_;
  io::TaskScope scope_;
};

}  // namespace pyralog::client
