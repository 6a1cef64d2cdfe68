#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/scripted_broker.h"
#include "protocol/kafka/fetch.h"
#include "protocol/kafka/init_producer_id.h"
#include "protocol/kafka/metadata.h"
#include "protocol/kafka/produce.h"
#include "record/batch_builder.h"
#include "record/record_iterator.h"

namespace pyralog::client::testing {

/// One log as a server keeps it, as far as producers and readers can tell: sequence numbers are checked and duplicates are
/// recognised. Answers for the brokers that it is attached to; a test changes leaders and injects failures. For tests only.
class FakeLog {
 public:
  static constexpr std::string_view kName = "orders";
  static constexpr ProducerId kProducer{77};

  struct Partition {
    NodeId leader{1};
    std::vector<std::string> values;  ///< by offset
    std::int32_t next_sequence = 0;
    std::map<std::int32_t, std::int64_t> appended;  ///< base offset by base sequence
  };

  explicit FakeLog(std::size_t partitions_count) : partitions(partitions_count) {}

  void attach(ScriptedBroker& broker, NodeId node) {
    addresses_[node] = broker.endpoint();
    broker.on<protocol::MetadataRequest>([this](const protocol::MetadataRequest& request) { return metadata(request); });
    broker.on<protocol::InitProducerIdRequest>([this](const protocol::InitProducerIdRequest&) {
      protocol::InitProducerIdResponse answer;
      if (producer_ids_refused > 0) {
        --producer_ids_refused;
        answer.error_code = protocol::KafkaError::kCoordinatorLoadInProgress;
        return answer;
      }
      answer.producer_id = kProducer;
      return answer;
    });
    broker.on<protocol::ProduceRequest>(
        [this, node](const protocol::ProduceRequest& request) { return produce(node, request); });
    broker.on<protocol::FetchRequest>([this, node](const protocol::FetchRequest& request) { return fetch(node, request); });
  }

  std::vector<Partition> partitions;
  bool exists = true;
  int producer_ids_refused = 0;  ///< so many requests for one, because the server is not ready for that
  int produced = 0;  ///< requests
  int fetched = 0;
  /// Decides before the n-th produce request (from 1) is looked at: an error instead of appending.
  std::function<std::optional<protocol::KafkaError>(int n)> refuse = [](int) { return std::nullopt; };
  /// Whether its answer is sent; called after appending.
  std::function<bool(int n)> answers = [](int) { return true; };

 private:
  protocol::MetadataResponse metadata(const protocol::MetadataRequest& request) {
    using Response = protocol::MetadataResponse;
    Response response;
    brokers_.clear();
    for (const auto& [node, address] : addresses_) {
      brokers_.push_back({.node_id = node, .host = address.host, .port = address.port, .rack = std::nullopt});
    }
    response.brokers = brokers_;
    response.controller_id = NodeId(1);
    described_.clear();
    if (exists) {
      for (std::size_t i = 0; i < partitions.size(); ++i) {
        described_.push_back({.partition_index = PartitionIndex(static_cast<std::int32_t>(i)),
                              .leader_id = partitions[i].leader,
                              .leader_epoch = LeaderEpoch(0),
                              .replica_nodes = {},
                              .isr_nodes = {},
                              .offline_replicas = {}});
      }
    }
    using protocol::KafkaError;
    const KafkaError error = exists ? KafkaError::kNone : KafkaError::kUnknownTopicOrPartition;
    topics_.assign(1, {.error_code = error, .name = kName, .topic_id = {}, .partitions = described_});
    if (!request.topics.has_value() || !request.topics->empty()) response.topics = topics_;
    return response;
  }

  std::optional<protocol::ProduceResponse> produce(NodeId node, const protocol::ProduceRequest& request) {
    const int number = ++produced;
    const auto& sent = request.topic_data[0].partition_data[0];
    Partition& partition = partitions[static_cast<std::size_t>(sent.index.value)];
    protocol::ProduceResponse::Partition answer;
    answer.index = sent.index;
    if (const auto error = refuse(number)) {
      answer.error_code = *error;
    } else if (partition.leader != node) {
      answer.error_code = protocol::KafkaError::kNotLeaderOrFollower;
    } else {
      append(partition, sent.records.bytes(), answer);
    }
    if (request.acks == 0 || !answers(number)) return std::nullopt;
    answered_.assign(1, answer);
    answered_topics_.assign(1, {.name = kName, .topic_id = {}, .partition_responses = answered_});
    protocol::ProduceResponse response;
    response.responses = answered_topics_;
    return response;
  }

  static void append(Partition& partition, ByteView records, protocol::ProduceResponse::Partition& answer) {
    const auto batch = record::BatchView::parse_only(records, 16u << 20).value();
    PYRALOG_ASSERT(batch.verify_crc().ok(), "a sent batch is whole");
    const bool is_idempotent = batch.producer_id() == kProducer;
    const auto before = partition.appended.find(batch.base_sequence());
    if (is_idempotent && before != partition.appended.end()) {
      answer.base_offset = Offset(before->second);
      return;
    }
    if (is_idempotent && batch.base_sequence() != partition.next_sequence) {
      answer.error_code = protocol::KafkaError::kOutOfOrderSequenceNumber;
      return;
    }
    answer.base_offset = Offset(static_cast<std::int64_t>(partition.values.size()));
    if (is_idempotent) partition.appended[batch.base_sequence()] = answer.base_offset.value;
    partition.next_sequence = record::sequence_after(partition.next_sequence, batch.records_count());
    record::Decompressor decompressor;
    auto iterator = record::RecordIterator::open(batch, decompressor).value();
    for (record::RecordView record; iterator.next(record).value();) partition.values.emplace_back(as_text(*record.value));
  }

  protocol::FetchResponse fetch(NodeId node, const protocol::FetchRequest& request) {
    ++fetched;
    fetched_.clear();
    fetched_bytes_.clear();
    for (const auto& asked : request.topics[0].partitions) {
      const Partition& partition = partitions[static_cast<std::size_t>(asked.partition.value)];
      const auto end = static_cast<std::int64_t>(partition.values.size());
      protocol::FetchResponse::Partition answer;
      answer.partition_index = asked.partition;
      answer.high_watermark = Offset(end);
      answer.log_start_offset = Offset(0);
      answer.records = ByteView();
      if (partition.leader != node) {
        answer.error_code = protocol::KafkaError::kNotLeaderOrFollower;
      } else if (asked.fetch_offset > Offset(end)) {
        answer.error_code = protocol::KafkaError::kOffsetOutOfRange;
      } else if (asked.fetch_offset < Offset(end)) {
        answer.records = batch_at(partition, asked.fetch_offset).view();
      }
      fetched_.push_back(answer);
    }
    fetched_topics_.assign(1, {.topic = kName, .topic_id = {}, .partitions = fetched_});
    protocol::FetchResponse response;
    response.responses = fetched_topics_;
    return response;
  }

  /// Batches have three records, from offsets that are multiples of three, whatever was produced together; what follows the
  /// batch is cut off within the next one.
  const Slice& batch_at(const Partition& partition, Offset offset) {
    constexpr std::int64_t kRecords = 3;
    const std::int64_t first = offset.value - offset.value % kRecords;
    record::BatchBuilder builder(record::BatchBuilderOptions{.base_offset = Offset(first)});
    for (std::int64_t i = first; i < first + kRecords && i < std::ssize(partition.values); ++i) {
      const record::RecordInput record{.timestamp = WallTime{1}, .key = std::nullopt,
                                       .value = as_bytes(partition.values[static_cast<std::size_t>(i)]), .headers = {}};
      PYRALOG_ASSERT(builder.append(record).ok(), "small records fit");
    }
    const ByteView batch = builder.finish().value();
    std::string bytes(as_text(batch));
    bytes += std::string(as_text(batch.first(20)));
    fetched_bytes_.push_back(Slice::copy_of(as_bytes(bytes)));
    return fetched_bytes_.back();
  }

  std::map<NodeId, io::Endpoint> addresses_;
  // What the latest answer refers to.
  std::vector<protocol::MetadataResponse::Broker> brokers_;
  std::vector<protocol::MetadataResponse::Partition> described_;
  std::vector<protocol::MetadataResponse::Topic> topics_;
  std::vector<protocol::ProduceResponse::Partition> answered_;
  std::vector<protocol::ProduceResponse::Topic> answered_topics_;
  std::vector<protocol::FetchResponse::Partition> fetched_;
  std::vector<protocol::FetchResponse::Topic> fetched_topics_;
  std::vector<Slice> fetched_bytes_;
};

}  // namespace pyralog::client::testing
