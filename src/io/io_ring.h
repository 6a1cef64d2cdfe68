#pragma once

#include <liburing.h>
#include <sys/uio.h>

#include <coroutine>
#include <cstdint>
#include <memory>

#include "core/result.h"
#include "io/reactor.h"
#include "io/sync.h"
#include "io/task.h"

namespace pyralog::io {

/// One shard's io_uring: file reads, writes and syncs whose results resume coroutines in a later turn. Requests are
/// collected during a turn and handed to the kernel in one call by `submit`.
class IoRing {
 public:
  /// Requests under way at once; more wait for a place.
  static constexpr unsigned kRequestsMax = 256;

  /// kUnavailable, with the system's text, where io_uring is missing or forbidden.
  static Result<std::unique_ptr<IoRing>> create(Reactor& reactor);
  ~IoRing();
  IoRing(const IoRing&) = delete;

  /// Results as the kernel gives them: bytes, or a negative errno.
  Task<int> read(int fd, std::uint64_t position, iovec into);
  Task<int> sync(int fd);
  /// The sync starts after the write has succeeded in full; `sync` is -ECANCELED otherwise.
  struct WriteAndSync {
    int write = 0;
    int sync = 0;
  };
  Task<WriteAndSync> write_and_sync(int fd, std::uint64_t position, const iovec* pieces, unsigned count);
  /// kDurable: what it wrote is durable when it returns (RWF_DSYNC); nothing else is.
  enum class Durability : std::uint8_t { kLater, kDurable };
  Task<int> write(int fd, std::uint64_t position, const iovec* pieces, unsigned count, Durability durability);

  /// Becomes readable when results are there.
  int descriptor() const noexcept { return ring_.ring_fd; }
  /// Hands collected requests to the kernel; false if it took only some for now (come again after `reap`).
  bool submit();
  /// Posts the coroutines whose requests are complete. True if there were any.
  bool reap();

 private:
  struct Wait;
  /// One entry of the ring; in its waiter's frame until the result is there.
  struct Request {
    Wait* wait = nullptr;
    int result = 0;
  };
  /// Awaits one or two requests.
  struct Wait {
    Request requests[2];
    unsigned left = 0;
    std::coroutine_handle<> handle;

    bool await_ready() const noexcept { return left == 0; }
    void await_suspend(std::coroutine_handle<> waiting) noexcept { handle = waiting; }
    void await_resume() const noexcept {}
  };

  explicit IoRing(Reactor& reactor) : reactor_(reactor) {}
  Task<> reserve(unsigned count);
  template <class Prepare>
  void collect(Wait& wait, Prepare prepare);

  Reactor& reactor_;
  io_uring ring_{};
  unsigned under_way_ = 0;
  unsigned collected_ = 0;
  WaitList places_;
};

}  // namespace pyralog::io
