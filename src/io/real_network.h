#pragma once

#include <memory>

#include "io/descriptor.h"
#include "io/network.h"
#include "io/real_reactor.h"
#include "io/real_socket.h"

namespace pyralog::io {

/// TCP. Each shard that listens on an endpoint has a socket of its own, and the kernel deals connections out to them.
class RealNetwork final : public Network {
 public:
  explicit RealNetwork(RealReactor& reactor) : reactor_(reactor) {}

  Task<Result<std::unique_ptr<Listener>>> listen(Endpoint endpoint) override;
  Task<Result<std::unique_ptr<Connection>>> connect(Endpoint endpoint, std::chrono::nanoseconds timeout) override;

 private:
  Task<Result<std::vector<SocketAddress>>> addresses(Endpoint endpoint);
  Task<Result<std::unique_ptr<Connection>>> connect_to(SocketAddress address, MonotonicTime deadline);

  RealReactor& reactor_;
};

class RealListener final : public Listener, private EventSource {
 public:
  /// Descriptors that connections may not take, so that files can still be opened when clients use up the rest.
  static constexpr unsigned kDescriptorsReserved = 64;
  /// Connections that wait to be accepted.
  static constexpr int kBacklog = 4096;

  static Result<std::unique_ptr<RealListener>> create(RealReactor& reactor, SocketAddress address);
  ~RealListener();

  Task<Result<std::unique_ptr<Connection>>> accept() override;
  Endpoint local() const override { return address_.to_endpoint(); }
  void close() override;

 private:
  RealListener(RealReactor& reactor, Descriptor socket, SocketAddress address);
  void on_events(std::uint32_t events) noexcept override;
  bool may_keep(int fd) const noexcept;
  Error refuse_for_descriptors(Descriptor accepted);
  void drop_one() noexcept;

  RealReactor& reactor_;
  Descriptor socket_;
  Descriptor spare_;  // given up for a moment to refuse a connection when there is no descriptor left at all
  SocketAddress address_;
  Readiness ready_{false};
  unsigned accepted_in_a_row_ = 0;
};

}  // namespace pyralog::io
