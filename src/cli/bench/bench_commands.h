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
struct BenchCommit {
  LoadOptions load;
  CommitLoadOptions commit;
};
/// A stamped produce load and readers at the tail, in one process.
struct BenchEndToEnd {
  LoadOptions load;
  ProduceLoadOptions produce;
  FetchLoadOptions fetch;
};

/// Round trips to a thread of this process that sends back what it receives: the floor of any latency here.
struct BenchEcho {
  LoadOptions load;
  std::uint32_t message_bytes = 1024;
  double rate = 1000;  ///< messages per second
};

// `pyralog bench`. The exit code: 0 only if every request that was answered succeeded, and some were.
int bench_produce(const BenchProduce& command);
int bench_consume(const BenchConsume& command);
int bench_commit(const BenchCommit& command);
int bench_end_to_end(const BenchEndToEnd& command);
int bench_echo(const BenchEcho& command);

}  // namespace pyralog::cli
