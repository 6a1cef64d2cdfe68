#pragma once

#include "cli/bench/load_options.h"

namespace pyralog::cli {

struct BenchProduce {
  LoadOptions load;
  ProduceLoadOptions produce;
};
struct BenchConsume {
  LoadOptions load;
  FetchLoadOptions fetch;
};
/// A stamped produce load and readers at the tail, in one process.
struct BenchEndToEnd {
  LoadOptions load;
  ProduceLoadOptions produce;
  FetchLoadOptions fetch;
};

// `pyralog bench`. The exit code: 0 only if every request that was answered succeeded, and some were.
int bench_produce(const BenchProduce& command);
int bench_consume(const BenchConsume& command);
int bench_end_to_end(const BenchEndToEnd& command);

}  // namespace pyralog::cli
