#include <algorithm>
#include <utility>

#include "io/remote_call.h"
#include "io/when_all.h"
#include "record/batch_check.h"
#include "record/mutable_batch.h"
#include "server/group_service.h"
#include "server/handlers/handlers.h"
#include "server/handlers/partition_jobs.h"
#include "server/node.h"
#include "server/partition_use.h"
#include "server/shard.h"
#include "server/topic_names.h"

namespace pyralog::server {
namespace {

using namespace protocol;

/// One partition's part of a request, on its way to the partition's shard and back.
struct PartitionAppend {
  Incarnation incarnation;
  Slice batch;
  std::int16_t acks = 0;
  ApiVersion version;
  Duration timeout{};

  KafkaError error{};
  const char* reason = nullptr;  ///< static text
  std::int32_t bad_record = -1;
  Offset base_offset{-1};
  Offset log_start{-1};
  WallTime append_time{-1};

  void refuse(KafkaError code, const char* text = nullptr) {
    error = code;
    reason = text;
  }
};

KafkaError produce_error(ErrorCode code) {
  switch (code) {
    case ErrorCode::kCorrupt:
      return KafkaError::kCorruptMessage;
    case ErrorCode::kTooLarge:
      return KafkaError::kMessageTooLarge;
    case ErrorCode::kInvalidRecord:
      return KafkaError::kInvalidRecord;
    case ErrorCode::kInvalidTimestamp:
      return KafkaError::kInvalidTimestamp;
    case ErrorCode::kUnsupportedCodec:
      return KafkaError::kUnsupportedCompressionType;
    default:
      return to_kafka_error(code);
  }
}

/// Checks a client's batch and makes its timestamps what the log's settings say. False: refused in `append`.
bool prepare_batch(PartitionAppend& append, const storage::LogSettings& settings, WallTime now,
                   record::Decompressor& decompressor) {
  auto batch = record::BatchView::parse_only(append.batch.view(), settings.batch_bytes_max);
  if (!batch.ok()) {
    append.refuse(produce_error(batch.error().code()));
    return false;
  }
  if (!batch->verify_crc().ok()) {
    append.refuse(KafkaError::kCorruptMessage);
    return false;
  }
  if (batch->codec() == record::Codec::kZstd && append.version < ApiVersion(7)) {
    append.refuse(KafkaError::kUnsupportedCompressionType, "zstd needs Produce version 7 or later");
    return false;
  }
  if (batch->is_transactional()) {
    append.refuse(KafkaError::kInvalidTxnState, "transactions are not supported");
    return false;
  }
  const auto facts = record::check_structure(*batch, storage::check_options(settings, now), decompressor);
  if (!facts.has_value()) {
    append.refuse(produce_error(facts.error().code), facts.error().reason);
    append.bad_record = facts.error().record_index;
    return false;
  }
  auto stamped = record::MutableBatch::parse(append.batch.mutable_view());
  if (settings.timestamp_type == record::TimestampType::kLogAppendTime) {
    stamped->set_log_append_time(now);
  } else if (batch->timestamp_type() != record::TimestampType::kCreateTime ||
             (facts->records_walked && facts->max_timestamp != batch->max_timestamp())) {
    stamped->set_create_time(facts->max_timestamp);
  }
  return true;
}

/// With acks=all, whether there are as many copies in sync as the log demands. All copies that there are, are.
bool has_copies(const Shard& shard, const Partition& partition) {
  const std::int32_t wanted = partition.rules->settings.insync_replicas_min;
  if (wanted <= 1) return true;
  const auto* metadata = shard.image()->find_partition(partition.log, partition.index);
  return metadata != nullptr && std::cmp_greater_equal(metadata->replicas.size(), wanted);
}

/// On the partition's shard.
io::Task<> append_here(Shard& shard, PartitionAppend& append) {
  PartitionUse partition(shard, append.incarnation);
  if (!partition) {
    append.refuse(KafkaError::kUnknownTopicOrPartition);
    co_return;
  }
  ShardMetrics& metrics = shard.metrics();
  append.log_start = partition->data->start();
  if (append.acks == -1 && !has_copies(shard, *partition)) {
    append.refuse(KafkaError::kNotEnoughReplicas, "fewer copies than min.insync.replicas demands");
    ++metrics.produce_refused;
    co_return;
  }
  const std::size_t bytes = append.batch.size();
  if (!prepare_batch(append, *partition->rules->storage, shard.reactor().wall_now(), shard.decompressor())) {
    ++metrics.produce_refused;
    co_return;
  }
  auto appended = partition->data->append(append.batch);
  if (!appended.ok() && appended.error() == ErrorCode::kUnavailable) {
    // The log is being changed, or has to read up on its producers first.
    appended = co_await partition->data->append_in_turn(append.batch);
    if (partition->removed) co_return append.refuse(KafkaError::kUnknownTopicOrPartition);
  }
  append.batch = Slice();
  if (!appended.ok()) {
    append.refuse(produce_error(appended.error().code()));
    ++metrics.produce_refused;
    co_return;
  }
  ++metrics.produce_batches;
  metrics.produce_bytes += bytes;
  metrics.produce_records += static_cast<std::uint64_t>((appended->end - appended->base).value);
  append.base_offset = appended->base;
  append.append_time = appended->timestamp;
  if (append.acks == 0) co_return;
  const MonotonicTime deadline = shard.reactor().now() + append.timeout;
  // Appended is appended: whatever cuts the wait short, the outcome is not known to have failed.
  if (co_await partition->data->wait_high_watermark(appended->end, deadline, shard.store_failed()) !=
      io::WaitOutcome::kWoken) {
    append.refuse(KafkaError::kRequestTimedOut);
  }
}

ProduceResponse::Partition partition_answer(Request& request, PartitionIndex index, const PartitionAppend& append) {
  ProduceResponse::Partition answer;
  answer.index = index;
  answer.error_code = append.error;
  if (append.error == KafkaError::kNone) {
    answer.base_offset = append.base_offset;
    answer.log_append_time_ms = append.append_time.ms;
    answer.log_start_offset = append.log_start;
    return answer;
  }
  answer.base_offset = Offset(-1);
  if (append.reason != nullptr) answer.error_message = append.reason;
  if (append.bad_record >= 0) {
    auto errors = request.arena.make<ProduceResponse::RecordError>(1);
    errors[0].batch_index = append.bad_record;
    errors[0].batch_index_error_message = append.reason;
    answer.record_errors = errors;
  }
  return answer;
}

/// Where each partition of the request is. Those that cannot be found are refused at once.
void locate(Request& request, const ProduceRequest& message, std::span<PartitionAppend> appends) {
  const cluster::ImagePtr& image = request.shard.image();
  const bool by_id = request.version() >= ApiVersion(13);
  std::size_t next = 0;
  for (const auto& topic : message.topic_data) {
    const NamedLog named = find_named(*image, topic.name, topic.topic_id, by_id);
    for (const auto& data : topic.partition_data) {
      PartitionAppend& append = appends[next++];
      append.acks = message.acks;
      append.version = request.version();
      append.timeout = std::chrono::milliseconds(std::max(message.timeout_ms, 0));
      const auto* partition = named.log != nullptr ? named.log->find(data.index) : nullptr;
      if (named.log != nullptr && is_internal_log(named.log->name)) {
        append.refuse(KafkaError::kInvalidTopicException, "internal topics are written by the server only");
      } else if (partition == nullptr) {
        append.refuse(named.log != nullptr ? KafkaError::kUnknownTopicOrPartition : named.error);
      } else if (data.records.is_null() || data.records.bytes().empty()) {
        append.refuse(KafkaError::kInvalidRecord, "a produce request needs one record batch per partition");
      } else {
        append.incarnation = partition->incarnation;
        append.batch = slice_of(request.frame, data.records.bytes());
      }
    }
  }
}

io::Task<> append_on_owner(Shard& origin, PartitionAppend& append) {
  Shard& owner = origin.node().shard_of(append.incarnation);
  if (&owner == &origin) co_return co_await append_here(origin, append);
  auto here = [&owner, &append]() { return append_here(owner, append); };
  co_await io::call_on(owner.reactor(), std::move(here));
}

io::Task<> append_all(Request& request, std::span<PartitionAppend> appends) {
  if (appends.size() == 1) {
    if (appends[0].error == KafkaError::kNone) co_await append_on_owner(request.shard, appends[0]);
    co_return;
  }
  // In portions, since a running append takes far more memory than its place in the request.
  for (std::size_t begin = 0; begin < appends.size(); begin += kPartitionJobsAtOnce) {
    const auto now = appends.subspan(begin, std::min(appends.size() - begin, kPartitionJobsAtOnce));
    std::vector<io::Task<>> tasks;
    tasks.reserve(now.size());
    for (PartitionAppend& append : now) {
      if (append.error == KafkaError::kNone) tasks.push_back(append_on_owner(request.shard, append));
    }
    co_await io::when_all(std::move(tasks));
  }
}

ProduceResponse build_answer(Request& request, const ProduceRequest& message, std::span<const PartitionAppend> appends) {
  ProduceResponse response;
  auto topics = request.arena.make<ProduceResponse::Topic>(message.topic_data.size());
  std::size_t next = 0;
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& asked = message.topic_data[t];
    topics[t].name = asked.name;
    topics[t].topic_id = asked.topic_id;
    auto partitions = request.arena.make<ProduceResponse::Partition>(asked.partition_data.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      partitions[p] = partition_answer(request, asked.partition_data[p].index, appends[next++]);
    }
    topics[t].partition_responses = partitions;
  }
  response.responses = topics;
  return response;
}

}  // namespace

io::Task<Result<ProduceResponse>> handle_produce(Request& request, const ProduceRequest& message) {
  std::size_t count = 0;
  for (const auto& topic : message.topic_data) count += topic.partition_data.size();
  PartitionAppend single;
  std::vector<PartitionAppend> several(count == 1 ? 0 : count);
  const std::span<PartitionAppend> appends = count == 1 ? std::span(&single, 1) : std::span(several);
  request.silent = message.acks == 0;
  if (message.acks < -1 || message.acks > 1) {
    for (PartitionAppend& append : appends) append.refuse(KafkaError::kInvalidRequiredAcks);
    co_return build_answer(request, message, appends);
  }
  locate(request, message, appends);
  co_await append_all(request, appends);
  request.shard.metrics().produce_latency.record(request.shard.reactor().now() - request.received);
  if (request.silent) {
    // Nobody will read an answer, so the only way to report a failure is to end the connection.
    const auto failed = std::ranges::find_if(appends, [](const auto& a) { return a.error != KafkaError::kNone; });
    if (failed != appends.end()) co_return Error(ErrorCode::kInvalidRecord, std::string(kafka_error_name(failed->error)));
  }
  co_return build_answer(request, message, appends);
}

}  // namespace pyralog::server
