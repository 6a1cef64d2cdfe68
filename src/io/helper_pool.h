#pragma once

#include <sched.h>

#include <array>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "io/reactor.h"

namespace pyralog::io {

/// A few threads that run work in the order of its arrival. Threads start when work finds none free, up to the limit.
/// The queue takes no memory of its own: work lives with whoever awaits it, so it is bounded by the awaiting.
/// Thread-safe.
class HelperPool {
 public:
  HelperPool(std::string name, std::size_t threads_max);
  HelperPool(const HelperPool&) = delete;
  /// Runs what is queued, then ends the threads.
  ~HelperPool();

  void submit(RemoteWork* work) noexcept;

 private:
  void serve();
  bool start_thread() noexcept;

  const std::string name_;
  const std::size_t threads_max_;
  cpu_set_t processors_;  // of the pool's maker: a shard that starts a helper may itself be pinned to one
  std::mutex mutex_;
  std::condition_variable wanted_;
  RemoteWork* first_ = nullptr;
  RemoteWork* last_ = nullptr;
  std::size_t queued_ = 0;
  std::size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

/// One pool for each lane; shared by the shards of a process.
class HelperPools {
 public:
  static constexpr std::size_t kThreadsPerLane = 2;

  HelperPools();
  void submit(RemoteWork* work, Lane lane) noexcept { pools_[static_cast<std::size_t>(lane)]->submit(work); }
  /// Runs what is queued and ends all threads. Nothing is submitted from here on.
  void finish() noexcept {
    for (auto& pool : pools_) pool.reset();
  }

 private:
  std::array<std::unique_ptr<HelperPool>, kLanes> pools_;
};

}  // namespace pyralog::io
