#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "core/slice.h"
#include "io/disk.h"
#include "io/real_test_support.h"
#include "io/task_scope.h"

/// A journal's round: a write over zeroed, recycled space, and its sync. Run it where data would live: TMPDIR chooses.
namespace pyralog::io {
namespace {

using testing::OneShard;
using testing::TemporaryDirectory;

constexpr std::uint64_t kFileBytes = 64u << 20;

Task<std::unique_ptr<File>> open_zeroed(std::string path, Caching caching) {
  const OpenOptions options{.existence = Existence::kMustCreate, .caching = caching};
  auto file = std::move(*co_await Reactor::current().disk().open(path, options));
  (void)co_await file->fill_with_zeros(kFileBytes);
  co_return file;
}

Task<bool> one_round(File& file, std::uint64_t position, ByteView data) {
  std::vector<ByteView> pieces{data};
  co_return (co_await file.write_and_sync(position, std::move(pieces))).ok();
}

void journal_round(benchmark::State& state) {
  TemporaryDirectory directory;
  OneShard shard(state.range(0) == 0 ? DiskBackend::kAuto : DiskBackend::kPosix);
  const Caching caching = state.range(1) == 0 ? Caching::kDirect : Caching::kCached;
  std::unique_ptr<File> file = shard.run(open_zeroed(directory.file("journal"), caching));
  const Slice data = Slice::allocate(static_cast<std::size_t>(state.range(2)));
  std::uint64_t position = 0;
  for (auto _ : state) {
    if (!shard.run(one_round(*file, position, data.view()))) state.SkipWithError("write failed");
    position = (position + data.size()) % kFileBytes;
  }
  state.SetBytesProcessed(state.iterations() * state.range(2));
}
BENCHMARK(journal_round)
    ->ArgNames({"posix", "cached", "bytes"})
    ->ArgsProduct({{0, 1}, {0, 1}, {4 << 10, 64 << 10, 1 << 20}})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

}  // namespace
}  // namespace pyralog::io
