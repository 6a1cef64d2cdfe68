#pragma once

#include <cstdint>
#include <vector>

#include "cli/bench/load_options.h"
#include "core/result.h"
#include "core/slice.h"

namespace pyralog::cli {

/// Batches made once and sent again and again, so that a load costs its sender little: valid, alike in size and different
/// in content.
struct BatchPool {
  std::vector<Slice> batches;
  std::uint32_t records_per_batch = 0;

  /// With keys, there are enough batches for all of them. Values come from a fixed seed: two runs send the same. `now`
  /// becomes the records' time.
  static Result<BatchPool> build(const ProduceLoadOptions& options, WallTime now);

  /// Of the largest batch.
  std::size_t batch_bytes_max() const noexcept;
};

}  // namespace pyralog::cli
