#include <benchmark/benchmark.h>

#include <string>

#include "core/random.h"
#include "record/batch_builder.h"
#include "record/batch_check.h"
#include "record/batch_fixture.h"
#include "record/record_iterator.h"

/// What a produced batch costs before it is appended, by value size and codec: one iteration is one batch. `per_record`
/// is the time for each of its records.
namespace pyralog::record {
namespace {

using fixture::Bytes;

constexpr std::size_t kBatchBytes = 16u << 10;

Bytes make_batch(std::size_t value_bytes, Codec codec) {
  Random random(1);
  BatchBuilder builder({.codec = codec});
  // Letters from a small alphabet, so that codecs have something to do.
  std::string value(value_bytes, '\0');
  for (std::int64_t timestamp = 1'700'000'000'000;; ++timestamp) {
    for (char& c : value) c = static_cast<char>('a' + random.below(8));
    const RecordInput record{.timestamp = WallTime{timestamp}, .key = {}, .value = as_bytes(value), .headers = {}};
    if (builder.bytes_uncompressed() + BatchBuilder::record_bytes_max(record) > kBatchBytes) break;
    builder.append(record).value();
  }
  return fixture::bytes_of(builder.finish().value());
}

void report(benchmark::State& state, const Bytes& batch) {
  const auto records = BatchView::parse(batch)->records_count();
  state.SetBytesProcessed(static_cast<std::int64_t>(batch.size()) * state.iterations());
  state.counters["per_record"] =
      benchmark::Counter(static_cast<double>(records) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void VerifyCrc(benchmark::State& state) {
  const Bytes batch = make_batch(static_cast<std::size_t>(state.range(0)), Codec::kNone);
  for (auto _ : state) benchmark::DoNotOptimize(BatchView::parse(batch)->verify_crc().ok());
  report(state, batch);
}

void Walk(benchmark::State& state) {
  const Bytes batch = make_batch(static_cast<std::size_t>(state.range(0)), Codec::kNone);
  Decompressor decompressor;
  for (auto _ : state) benchmark::DoNotOptimize(check_structure(*BatchView::parse(batch), {}, decompressor).has_value());
  report(state, batch);
}

/// All that a produce request asks of this folder, on a batch that is not in the nearest cache: parse, CRC, walk, stamp.
void CheckAndStampCold(benchmark::State& state) {
  const Bytes batch = make_batch(static_cast<std::size_t>(state.range(0)), Codec::kNone);
  constexpr std::size_t kCopies = 512;
  std::vector<Bytes> copies(kCopies, batch);
  Decompressor decompressor;
  std::size_t turn = 0;
  for (auto _ : state) {
    Bytes& bytes = copies[turn++ % kCopies];
    MutableBatch parsed = *MutableBatch::parse(bytes);
    parsed.stamp(Offset(0), LeaderEpoch(1));
    benchmark::DoNotOptimize(parsed.view().verify_crc().ok());
    benchmark::DoNotOptimize(check_structure(parsed.view(), {}, decompressor).has_value());
  }
  report(state, batch);
}

void Iterate(benchmark::State& state) {
  const Bytes batch = make_batch(static_cast<std::size_t>(state.range(0)), static_cast<Codec>(state.range(1)));
  Decompressor decompressor;
  for (auto _ : state) {
    auto iterator = RecordIterator::open(*BatchView::parse(batch), decompressor);
    std::size_t bytes = 0;
    for (RecordView record; *iterator->next(record);) bytes += record.value->size();
    benchmark::DoNotOptimize(bytes);
  }
  report(state, batch);
}

void Build(benchmark::State& state) {
  const std::string value(static_cast<std::size_t>(state.range(0)), 'x');
  BatchBuilder builder({.codec = static_cast<Codec>(state.range(1))});
  Bytes batch;
  for (auto _ : state) {
    builder.clear();
    const RecordInput record{.timestamp = WallTime{5}, .key = {}, .value = as_bytes(value), .headers = {}};
    while (builder.bytes_uncompressed() + BatchBuilder::record_bytes_max(record) <= kBatchBytes)
      builder.append(record).value();
    benchmark::DoNotOptimize(builder.finish()->data());
  }
  report(state, fixture::bytes_of(*builder.finish()));
}

BENCHMARK(VerifyCrc)->Arg(100)->Arg(1024);
BENCHMARK(Walk)->Arg(100)->Arg(1024);
BENCHMARK(CheckAndStampCold)->Arg(100)->Arg(1024);
BENCHMARK(Iterate)->ArgsProduct({{100}, {0, 1, 2, 3, 4}})->ArgNames({"value", "codec"});
BENCHMARK(Build)->ArgsProduct({{100}, {0, 1, 2, 3, 4}})->ArgNames({"value", "codec"});

}  // namespace
}  // namespace pyralog::record
