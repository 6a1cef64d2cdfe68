#pragma once

#include <cstdint>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "core/result.h"
#include "io/helper_pool.h"
#include "io/real_reactor.h"
#include "io/remote_call.h"

namespace pyralog::io {

struct RuntimeOptions {
  unsigned shards = 1;
  std::uint64_t seed = 0;  ///< of the shards' random numbers
  DiskBackend backend = DiskBackend::kAuto;
  bool pin_threads = false;  ///< shard i to the process's i-th processor
  int send_buffer_bytes = 0;  ///< as in ReactorOptions
};

/// The shards of a process: one loop and one thread each. Either `run` (shard 0 on the calling thread, for programs) or
/// `start` and `stop` (all on their own threads, for callers that are not coroutines).
class RealRuntime {
 public:
  static Result<std::unique_ptr<RealRuntime>> create(RuntimeOptions options);
  ~RealRuntime();
  RealRuntime(const RealRuntime&) = delete;

  /// Processors that this process may use.
  static unsigned usable_processors() noexcept;
  /// File descriptors that this process may have, after raising its own limit to what it is allowed.
  static std::uint64_t raise_descriptor_limit() noexcept;

  unsigned shard_count() const noexcept { return static_cast<unsigned>(reactors_.size()); }
  RealReactor& shard(ShardId id) noexcept { return *reactors_[id.value]; }

  /// "io_uring", or "posix" with the reason, for the log at start.
  std::string disk_backend() const;

  /// Runs `main` on shard 0 on the calling thread, the other shards on threads of their own, until `main` has ended; by
  /// then it has ended all it started on them. Returns its value.
  template <class T>
  T run(Task<T> main) {
    start_threads(1);
    if constexpr (std::is_void_v<T>) {
      reactors_[0]->run_until_done(std::move(main));
      stop();
    } else {
      T result = reactors_[0]->run_until_done(std::move(main));
      stop();
      return result;
    }
  }

  void start() { start_threads(0); }
  /// Stops the shards, highest first, and joins their threads.
  void stop();

  /// Runs `function` (returns a Task<T>) on a started shard and waits for its value. Not from a shard.
  template <class Function>
  auto run_on(ShardId id, Function function) {
    using T = typename detail::TaskValue<std::invoke_result_t<Function&>>::type;
    struct Call : RemoteWork {
      Function function;
      std::promise<T> promise;
      explicit Call(Function f) : function(std::move(f)) {}
      static detail::Detached execute(Call* call) {
        if constexpr (std::is_void_v<T>) {
          co_await call->function();
          call->promise.set_value();
        } else {
          call->promise.set_value(co_await call->function());
        }
      }
    };
    Call call(std::move(function));
    call.run = [](RemoteWork* work) noexcept { Call::execute(static_cast<Call*>(work)); };
    auto future = call.promise.get_future();
    shard(id).post_remote(&call);
    return future.get();
  }

 private:
  RealRuntime() = default;
  void start_threads(unsigned first);

  std::shared_ptr<HelperPools> helpers_ = std::make_shared<HelperPools>();
  std::vector<std::unique_ptr<RealReactor>> reactors_;
  std::vector<std::pair<RealReactor*, std::thread>> threads_;
};

}  // namespace pyralog::io
