#include <benchmark/benchmark.h>

#include <string>

#include "cluster/metadata_image.h"
#include "cluster/placement.h"

namespace pyralog::cluster {
namespace {

LogId log_id(std::uint32_t n) {
  LogId id;
  store_little(reinterpret_cast<std::byte*>(id.uuid.bytes.data()), n * 2654435761u);
  id.uuid.bytes[15] = 1;
  return id;
}

ImagePtr founded() {
  const auto image = MetadataImage().apply(MetadataIndex(1), FoundCluster{log_id(77).uuid}).value();
  return image->apply(MetadataIndex(2), NodeStarted{NodeId(1), StartEpoch(1), ""}).value();
}

ImagePtr with_logs(std::uint32_t count, int partitions = 1) {
  ImagePtr image = founded();
  for (std::uint32_t n = 0; n < count; ++n) {
    const CreateLog command{log_id(n), "log-" + std::to_string(n), place_partitions(*image, partitions, 1).value(), {}};
    image = image->apply(MetadataIndex(n + 3), command).value();
  }
  return image;
}

/// Time per log must stay about the same from row to row: creation is not quadratic.
void create_one_by_one(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(with_logs(static_cast<std::uint32_t>(state.range(0))));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(create_one_by_one)->Arg(100)->Arg(1000)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

void find_by_name(benchmark::State& state) {
  const ImagePtr image = with_logs(10'000);
  std::uint32_t n = 0;
  for (auto _ : state) {
    n = (n + 7919) % 10'000;
    benchmark::DoNotOptimize(image->find_log("log-" + std::to_string(n)));
  }
}
BENCHMARK(find_by_name);

void find_by_id(benchmark::State& state) {
  const ImagePtr image = with_logs(10'000);
  std::uint32_t n = 0;
  for (auto _ : state) {
    n = (n + 7919) % 10'000;
    benchmark::DoNotOptimize(image->find_log(log_id(n)));
  }
}
BENCHMARK(find_by_id);

void start_node(benchmark::State& state) {
  const ImagePtr image = with_logs(10'000);
  const NodeStarted command{NodeId(1), StartEpoch(2), ""};
  for (auto _ : state) benchmark::DoNotOptimize(image->apply(MetadataIndex(20'000), command));
}
BENCHMARK(start_node);

void encode_snapshot(benchmark::State& state) {
  const ImagePtr image = with_logs(10'000);
  for (auto _ : state) benchmark::DoNotOptimize(image->encode_snapshot());
}
BENCHMARK(encode_snapshot)->Unit(benchmark::kMillisecond);

void decode_snapshot(benchmark::State& state) {
  const auto bytes = with_logs(10'000)->encode_snapshot();
  for (auto _ : state) benchmark::DoNotOptimize(MetadataImage::decode_snapshot(bytes));
  state.counters["bytes"] = static_cast<double>(bytes.size());
}
BENCHMARK(decode_snapshot)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace pyralog::cluster
