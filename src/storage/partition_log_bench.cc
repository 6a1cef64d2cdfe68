// What a log costs per batch and per read, without disk and network: on a simulated disk, whose work is not timed.
#include <benchmark/benchmark.h>

#include <chrono>

#include "io/virtual_world.h"
#include "storage/log_fixture.h"
#include "storage/partition_log.h"

namespace pyralog::storage {
namespace {

using fixture::BatchSpec;

/// One log on one shard.
struct BenchWorld {
  BenchWorld() {
    StoreOptions options;
    options.data_directory = "data";
    options.disk_uuid.bytes.fill(7);
    options.geometry.tail_cache_bytes_max = 8u << 20;
    (void)run(reactor.disk().make_directories("data"));
    store = run(ShardStore::open(options, files)).value();
    shard.emplace(LogShard{.store = *store, .files = files, .decompressor = decompressor, .counters = {}, .parts = {}});
    PartitionSpec spec;
    spec.incarnation = Incarnation(1);
    spec.directory = "log/0";
    log.emplace(*shard, *run(store->create(std::move(spec))).value(), std::make_shared<const LogSettings>());
    log->lead(LeaderEpoch(0));
  }
  ~BenchWorld() {
    (void)world.try_run(reactor, log->close());
    log.reset();
    (void)run(store->close());
  }

  template <class T>
  T run(io::Task<T> task) {
    return world.run(reactor, std::move(task));
  }
  void sync(RoundSequence round) { (void)run(store->wait_synced(round)); }

  io::VirtualWorld world{1};
  io::VirtualReactor& reactor = world.add_reactor(NodeId(1), ShardId(0));
  FileCache files{64};
  record::Decompressor decompressor;
  std::unique_ptr<ShardStore> store;
  std::optional<LogShard> shard;
  std::optional<PartitionLog> log;
};

Slice batch_of(const BatchSpec& spec) { return Slice::copy_of(fixture::make_batch(spec)); }

void append(benchmark::State& state) {
  BenchWorld world;
  const bool idempotent = state.range(1) != 0;
  constexpr int kAtOnce = 64;
  std::int32_t sequence = 0;
  for (auto _ : state) {
    std::vector<Slice> batches;
    for (int i = 0; i < kAtOnce; ++i) {
      const BatchSpec spec{.value_bytes = static_cast<std::size_t>(state.range(0)), .producer = idempotent ? 7 : -1,
                           .sequence = sequence++};
      batches.push_back(batch_of(spec));
    }
    RoundSequence round;
    Duration took{};
    world.reactor.enter([&] {
      const auto begin = std::chrono::steady_clock::now();
      for (Slice& batch : batches) round = world.log->append(std::move(batch)).value().round;
      took = std::chrono::steady_clock::now() - begin;
    });
    state.SetIterationTime(std::chrono::duration<double>(took).count() / kAtOnce);
    world.sync(round);
    world.world.run_for(std::chrono::milliseconds(1));
  }
}
BENCHMARK(append)
    ->ArgsProduct({{100, 1000, 16'000}, {0, 1}})
    ->ArgNames({"bytes", "idempotent"})
    ->UseManualTime()
    ->Iterations(200)
    ->Unit(benchmark::kNanosecond);

io::Task<> read_many(PartitionLog& log, const std::vector<ReadOptions>& reads, std::uint64_t& bytes) {
  for (const ReadOptions& options : reads) bytes += (co_await log.read(options)).value().bytes;
}

/// Reads of one batch each at the log's tail, in memory.
void read_tail(benchmark::State& state) {
  BenchWorld world;
  RoundSequence round;
  world.reactor.enter([&] {
    for (int i = 0; i < 1000; ++i) {
      round = world.log->append(batch_of({.value_bytes = static_cast<std::size_t>(state.range(0))})).value().round;
    }
  });
  world.sync(round);
  std::uint64_t bytes = 0;
  std::vector<ReadOptions> reads;
  for (int i = 900; i < 1000; ++i) reads.push_back({.offset = Offset(i), .bytes_max = 1});
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    (void)world.world.try_run(world.reactor, read_many(*world.log, reads, bytes));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    state.SetIterationTime(took.count() / static_cast<double>(reads.size()));
  }
  benchmark::DoNotOptimize(bytes);
}
BENCHMARK(read_tail)->Arg(100)->Arg(16'000)->ArgName("bytes")->UseManualTime()->Iterations(1000)->Unit(benchmark::kNanosecond);

}  // namespace
}  // namespace pyralog::storage
