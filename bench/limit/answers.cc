#include "answers.h"

#include "protocol/kafka/api_versions.h"
#include "protocol/kafka/create_topics.h"
#include "protocol/kafka/list_offsets.h"
#include "protocol/kafka/metadata.h"
#include "record/batch_check.h"
#include "record/mutable_batch.h"

namespace limit {

using namespace pyralog;
using namespace pyralog::protocol;

namespace {

constexpr std::size_t kBatchBytesMax = 8u << 20;
const NodeId kNode(1);

template <class Message>
Result<OutgoingFrame> encode(const ReceivedRequest& request, const Message& message) {
  return encode_response(message, request.header.api_version, request.header.correlation_id);
}

Result<OutgoingFrame> api_versions(const ReceivedRequest& request) {
  std::vector<ApiVersionsResponse::Range> ranges;
  for (const Api* api : {&kProduceApi, &kListOffsetsApi, &kMetadataApi, &kApiVersionsApi, &kCreateTopicsApi}) {
    // By name, so that there are no topic ids to keep.
    const ApiVersion last = api == &kProduceApi ? ApiVersion(12) : api->advertised.last;
    ranges.push_back({.api_key = api->key, .min_version = api->advertised.first, .max_version = last});
  }
  ApiVersionsResponse response;
  response.api_keys = ranges;
  return encode(request, response);
}

Result<OutgoingFrame> metadata(const ReceivedRequest& request, const Facts& facts) {
  Arena arena;
  PYRALOG_ASSIGN(const auto asked, decode<MetadataRequest>(request.body, request.header.api_version, arena));
  const MetadataResponse::Broker self{.node_id = kNode, .host = "127.0.0.1", .port = facts.port, .rack = std::nullopt};
  auto partitions = arena.make<MetadataResponse::Partition>(static_cast<std::size_t>(facts.partitions));
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    partitions[i].partition_index = PartitionIndex(static_cast<std::int32_t>(i));
    partitions[i].leader_id = kNode;
    partitions[i].leader_epoch = LeaderEpoch(0);
    partitions[i].replica_nodes = partitions[i].isr_nodes = std::span(&kNode, 1);
  }
  const auto names = asked.topics.value_or(ArrayView<MetadataRequest::Topic>());
  auto topics = arena.make<MetadataResponse::Topic>(names.size());
  for (std::size_t i = 0; i < topics.size(); ++i) {
    topics[i].name = names[i].name;
    topics[i].partitions = partitions;
  }
  MetadataResponse response;
  response.brokers = std::span(&self, 1);
  response.controller_id = kNode;
  response.topics = topics;
  return encode(request, response);
}

Result<OutgoingFrame> create_topics(const ReceivedRequest& request) {
  Arena arena;
  PYRALOG_ASSIGN(const auto asked, decode<CreateTopicsRequest>(request.body, request.header.api_version, arena));
  auto topics = arena.make<CreateTopicsResponse::Topic>(asked.topics.size());
  for (std::size_t i = 0; i < topics.size(); ++i) {
    topics[i].name = asked.topics[i].name;
    topics[i].error_message = std::nullopt;
  }
  CreateTopicsResponse response;
  response.topics = topics;
  return encode(request, response);
}

// Whatever is asked for, the answer is the end: a load looks where its log ends before and after.
Result<OutgoingFrame> list_offsets(const ReceivedRequest& request, std::span<const Offset> ends) {
  Arena arena;
  PYRALOG_ASSIGN(const auto asked, decode<ListOffsetsRequest>(request.body, request.header.api_version, arena));
  auto topics = arena.make<ListOffsetsResponse::Topic>(asked.topics.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    auto partitions = arena.make<ListOffsetsResponse::Partition>(asked.topics[t].partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      partitions[p].partition_index = asked.topics[t].partitions[p].partition_index;
      const auto index = static_cast<std::size_t>(partitions[p].partition_index.value);
      if (index < ends.size()) partitions[p].offset = ends[index];
    }
    topics[t].name = asked.topics[t].name;
    topics[t].partitions = partitions;
  }
  ListOffsetsResponse response;
  response.topics = topics;
  return encode(request, response);
}

}  // namespace

Result<OutgoingFrame> answer(const ReceivedRequest& request, const Facts& facts, std::span<const Offset> ends) {
  switch (request.header.api_key) {
    case ApiKey::kApiVersions: return api_versions(request);
    case ApiKey::kListOffsets: return list_offsets(request, ends);
    case ApiKey::kMetadata: return metadata(request, facts);
    case ApiKey::kCreateTopics: return create_topics(request);
    default: return ErrorCode::kUnsupportedVersion;
  }
}

Result<OutgoingFrame> accept_produce(const ReceivedRequest& request, const Slice& frame, std::vector<Offset>& ends,
                                     std::vector<Slice>& batches) {
  Arena arena;
  static record::Decompressor decompressor;
  PYRALOG_ASSIGN(const auto asked, decode<ProduceRequest>(request.body, request.header.api_version, arena));
  auto topics = arena.make<ProduceResponse::Topic>(asked.topic_data.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto& parts = asked.topic_data[t].partition_data;
    auto answers = arena.make<ProduceResponse::Partition>(parts.size());
    for (std::size_t p = 0; p < answers.size(); ++p) {
      Slice batch = slice_of(frame, parts[p].records.bytes());
      PYRALOG_ASSIGN(const auto view, record::BatchView::parse_only(batch.view(), kBatchBytesMax));
      PYRALOG_TRY(view.verify_crc());
      const auto facts = record::check_structure(view, {}, decompressor);
      if (!facts.has_value()) return facts.error().to_error();
      const auto index = static_cast<std::size_t>(parts[p].index.value);
      if (index >= ends.size()) return Error(ErrorCode::kInvalidArgument, "partition");
      PYRALOG_ASSIGN(auto stamped, record::MutableBatch::parse(batch.mutable_view()));
      stamped.stamp(ends[index], LeaderEpoch(0));
      answers[p].index = parts[p].index;
      answers[p].base_offset = ends[index];
      answers[p].log_start_offset = Offset(0);
      ends[index] = view.end_offset();
      batches.push_back(std::move(batch));
    }
    topics[t].name = asked.topic_data[t].name;
    topics[t].topic_id = asked.topic_data[t].topic_id;
    topics[t].partition_responses = answers;
  }
  ProduceResponse response;
  response.responses = topics;
  return encode(request, response);
}

}  // namespace limit
