#include <benchmark/benchmark.h>

#include <vector>

#include "protocol/kafka/codec.h"
#include "protocol/kafka/every_message.h"

namespace pyralog::protocol {
namespace {

const std::vector<std::byte> kBatch(16u << 10, std::byte{1});

/// A produce request of one 16 KiB batch to each of `partitions_count` partitions.
Slice produce_frame(std::size_t partitions_count, ApiVersion version) {
  std::vector<ProduceRequest::Partition> partitions(partitions_count);
  for (std::size_t i = 0; i < partitions_count; ++i) {
    partitions[i] = {.index = PartitionIndex(static_cast<std::int32_t>(i)), .records = ByteView(kBatch)};
  }
  const ProduceRequest::Topic topic{.name = "a-topic-name", .partition_data = partitions};
  const ProduceRequest request{.acks = -1, .timeout_ms = 30000, .topic_data = std::span(&topic, 1)};
  const Slice flat = flatten(encode_request(request, version, 1, "producer-1").value());
  return flat.part(4, flat.size() - 4);
}

void decode_produce(benchmark::State& state) {
  const Slice frame = produce_frame(static_cast<std::size_t>(state.range(0)), ApiVersion(9));
  Arena arena;
  for (auto _ : state) {
    const ReceivedRequest received = parse_request(frame.view()).value();
    const auto request = decode<ProduceRequest>(received.body, received.header.api_version, arena);
    benchmark::DoNotOptimize(request);
    arena.reset();
  }
}
BENCHMARK(decode_produce)->Arg(1)->Arg(16)->Arg(1000);

void encode_produce_answer(benchmark::State& state) {
  std::vector<ProduceResponse::Partition> partitions(static_cast<std::size_t>(state.range(0)));
  const ProduceResponse::Topic topic{.name = "a-topic-name", .partition_responses = partitions};
  const ProduceResponse response{.responses = std::span(&topic, 1)};
  for (auto _ : state) benchmark::DoNotOptimize(encode_response(response, ApiVersion(9), 1));
}
BENCHMARK(encode_produce_answer)->Arg(1)->Arg(16)->Arg(1000);

void decode_fetch(benchmark::State& state) {
  const std::vector<FetchRequest::Partition> partitions(static_cast<std::size_t>(state.range(0)));
  const FetchRequest::Topic topic{.topic = "a-topic-name", .partitions = partitions};
  const FetchRequest request{.max_wait_ms = 500, .topics = std::span(&topic, 1)};
  const Slice flat = flatten(encode_request(request, ApiVersion(12), 1, "consumer-1").value());
  Arena arena;
  for (auto _ : state) {
    const ReceivedRequest received = parse_request(flat.view().subspan(4)).value();
    benchmark::DoNotOptimize(decode<FetchRequest>(received.body, received.header.api_version, arena));
    arena.reset();
  }
}
BENCHMARK(decode_fetch)->Arg(1)->Arg(16)->Arg(1000);

void encode_fetch_answer(benchmark::State& state) {
  const std::vector<Piece> pieces{Slice::copy_of(kBatch)};
  std::vector<FetchResponse::Partition> partitions(static_cast<std::size_t>(state.range(0)));
  for (auto& partition : partitions) partition.records = Records::of(pieces);
  const FetchResponse::Topic topic{.topic = "a-topic-name", .partitions = partitions};
  const FetchResponse response{.responses = std::span(&topic, 1)};
  for (auto _ : state) benchmark::DoNotOptimize(encode_response(response, ApiVersion(12), 1));
}
BENCHMARK(encode_fetch_answer)->Arg(1)->Arg(16)->Arg(1000);

}  // namespace
}  // namespace pyralog::protocol
