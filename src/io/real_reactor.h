#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/result.h"
#include "io/descriptor.h"
#include "io/helper_pool.h"
#include "io/reactor.h"
#include "io/task.h"

namespace pyralog::io {

class IoRing;
class RealDisk;
class RealNetwork;

/// Something the operating system reports events on. `on_events` runs inside the loop's look at the system: it notes
/// what happened and posts coroutines; it runs none, so no source is destroyed under the loop's feet.
class EventSource {
 public:
  virtual void on_events(std::uint32_t events) noexcept = 0;

 protected:
  ~EventSource() = default;
};

/// How files are read, written and synced (`io.backend`). kAuto takes io_uring where the system allows it.
enum class DiskBackend : std::uint8_t { kAuto, kPosix };

struct ReactorOptions {
  ShardId shard;
  std::uint64_t seed = 0;
  DiskBackend backend = DiskBackend::kAuto;
  std::optional<unsigned> cpu;  ///< pins the running thread
  /// Of an accepted connection (`io.send_buffer_bytes`); 0: the kernel's. The kernel takes it twice, for its own bookkeeping,
  /// and no more than net.core.wmem_max. Left to itself it lets the buffer grow to megabytes, and a large answer to a reader on
  /// the same machine then leaves the processor's caches before it is read (docs/decisions/0006).
  int send_buffer_bytes = 0;
};

/// A shard's loop over epoll and io_uring. Made on any thread; `run` decides which one it belongs to. Connections, files,
/// timers and coroutines of a reactor end before it does.
class RealReactor final : public Reactor {
 public:
  /// kLimitExceeded when the process may open no more descriptors.
  static Result<std::unique_ptr<RealReactor>> create(ReactorOptions options, std::shared_ptr<HelperPools> helpers);
  ~RealReactor() override;

  MonotonicTime now() const noexcept override;
  WallTime wall_now() const noexcept override;
  Disk& disk() noexcept override;
  Network& network() noexcept override;
  void offload(RemoteWork* work, Lane lane) noexcept override { helpers_->submit(work, lane); }

  /// Runs the loop on the calling thread until stop().
  void run();
  /// Ends `run` after its current turn. Any thread; also before `run`, which then returns at once.
  void stop() noexcept;

  /// Runs the loop until `task` has ended and returns its value. For programs with one shard, and tests.
  template <class T>
  T run_until_done(Task<T> task);

  /// Reports edge-triggered `events` of `fd` to `source` until unwatch. kLimitExceeded.
  Result<> watch(int fd, EventSource& source, std::uint32_t events);
  void unwatch(int fd) noexcept;

  const ReactorOptions& options() const noexcept { return options_; }
  /// The ring that files use, or none; then `ring_refusal` says why ("" if it was not wanted).
  IoRing* ring() const noexcept { return ring_.get(); }
  const std::string& ring_refusal() const noexcept { return ring_refusal_; }

 private:
  RealReactor(ReactorOptions options, std::shared_ptr<HelperPools> helpers);
  Result<> open();
  void wake() noexcept override;
  void run_turns();
  void look_at_system();
  std::optional<Duration> sleep_limit(MonotonicTime now);
  int wait_for_events(epoll_event* events, std::optional<Duration> timeout);

  const ReactorOptions options_;
  const std::shared_ptr<HelperPools> helpers_;
  Descriptor epoll_;
  Descriptor wake_event_;
  std::unique_ptr<IoRing> ring_;
  std::string ring_refusal_;
  std::unique_ptr<RealDisk> disk_;
  std::unique_ptr<RealNetwork> network_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> sleeping_{false};  // a sender that finds it true takes it and wakes the loop
  bool precise_wait_ = true;           // the kernel knows epoll_pwait2
  bool submitted_all_ = true;
  MonotonicTime pass_start_{};
  MonotonicTime trim_time_{};
};

namespace detail {
template <class T>
Detached run_and_stop(RealReactor& reactor, Task<T> task, std::optional<T>& result) {
  result.emplace(co_await std::move(task));
  reactor.stop();
}
inline Detached run_and_stop(RealReactor& reactor, Task<> task) {
  co_await std::move(task);
  reactor.stop();
}
}  // namespace detail

template <class T>
T RealReactor::run_until_done(Task<T> task) {
  if constexpr (std::is_void_v<T>) {
    {
      const Enter enter(*this);
      detail::run_and_stop(*this, std::move(task));
    }
    run();
  } else {
    std::optional<T> result;
    {
      const Enter enter(*this);
      detail::run_and_stop(*this, std::move(task), result);
    }
    run();
    return std::move(*result);
  }
}

}  // namespace pyralog::io
