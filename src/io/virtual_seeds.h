#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace pyralog::io {

struct SeedRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint64_t per_child = 100;              ///< seeds that share a child process, and so its memory
  std::chrono::seconds each{60};              ///< real time that one seed may take
};

/// Runs `body(seed)` for each seed, in child processes: what crashed nodes leave behind ends with the child, and a seed
/// that fails an assertion, crashes or hangs is one failing seed, not the end of the run. `body` returns whether all is
/// well; after the first "no" its child ends and the next seed starts in a new one. Failing seeds are printed and returned.
///
///     EXPECT_TRUE(failing_seeds({.first = 1, .count = 2000}, survives_power_loss).empty());
///
/// With PYRALOG_SEED=n in the environment only that seed runs, in this process, for a debugger.
std::vector<std::uint64_t> failing_seeds(SeedRange range, const std::function<bool(std::uint64_t)>& body);

/// Numbers that child processes add to and their parent reads. Zero at first.
class SharedCounts {
 public:
  explicit SharedCounts(std::size_t count);
  ~SharedCounts();
  SharedCounts(const SharedCounts&) = delete;
  std::span<std::atomic<std::uint64_t>> all() noexcept { return counts_; }

 private:
  std::span<std::atomic<std::uint64_t>> counts_;
};

}  // namespace pyralog::io
