#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <coroutine>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/assert.h"
#include "core/result.h"
#include "io/network.h"
#include "io/reactor.h"

/// What listeners and connections share: addresses and readiness.
namespace pyralog::io {

/// An IPv4 or IPv6 address with its port.
class SocketAddress {
 public:
  SocketAddress() = default;
  /// From an address literal; nullopt if `endpoint.host` is a name.
  static std::optional<SocketAddress> from_literal(const Endpoint& endpoint);
  /// All addresses of a host name, IPv4 first. Blocks. kUnavailable.
  static Result<std::vector<SocketAddress>> resolve(const Endpoint& endpoint);
  static SocketAddress local_of(int fd) noexcept;

  /// IPv4 addresses in IPv6 form come out as IPv4.
  Endpoint to_endpoint() const;
  const sockaddr* get() const noexcept { return &any_; }
  sockaddr* get() noexcept { return &any_; }
  socklen_t size() const noexcept { return any_.sa_family == AF_INET6 ? sizeof v6_ : sizeof v4_; }
  int family() const noexcept { return any_.sa_family; }
  static constexpr socklen_t kSizeMax = sizeof(sockaddr_in6);

 private:
  union {
    sockaddr any_;
    sockaddr_in v4_;
    sockaddr_in6 v6_{};
  };
};

/// One direction of a descriptor: whether a call may make progress, and the coroutine that waits for it.
class Readiness {
 public:
  explicit Readiness(bool ready) noexcept : ready_(ready) {}
  Readiness(const Readiness&) = delete;
  ~Readiness() { PYRALOG_ASSERT(waiter_ == nullptr, "a coroutine waits on a destroyed descriptor"); }

  bool ready() const noexcept { return ready_; }
  void clear() noexcept { ready_ = false; }
  /// Wakes the waiter in a later turn.
  void set(Reactor& reactor) noexcept {
    ready_ = true;
    if (waiter_ != nullptr) reactor.post(std::exchange(waiter_, nullptr));
  }

  bool await_ready() const noexcept { return ready_; }
  void await_suspend(std::coroutine_handle<> handle) noexcept {
    PYRALOG_ASSERT(waiter_ == nullptr, "two coroutines wait for the same direction of a descriptor");
    waiter_ = handle;
  }
  void await_resume() const noexcept {}

 private:
  std::coroutine_handle<> waiter_;
  bool ready_;
};

}  // namespace pyralog::io
