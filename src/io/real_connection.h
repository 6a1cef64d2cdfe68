#pragma once

#include <memory>

#include "io/descriptor.h"
#include "io/network.h"
#include "io/real_reactor.h"
#include "io/real_socket.h"
#include "io/sync.h"

namespace pyralog::io {

/// A TCP connection. Edge-triggered: readiness is a flag that events set and that a call which found nothing left (or
/// less than it asked for) clears, so an idle or a busy connection costs no system call beyond its reads and writes.
class RealConnection final : public Connection, private EventSource {
 public:
  /// Takes over a connected socket. kLimitExceeded.
  static Result<std::unique_ptr<RealConnection>> adopt(RealReactor& reactor, Descriptor socket, SocketAddress peer);
  /// Starts to connect; `writable` returns when it is decided, `connect_result` tells how. kUnavailable, kLimitExceeded.
  static Result<std::unique_ptr<RealConnection>> start_connect(RealReactor& reactor, SocketAddress peer);
  ~RealConnection();

  Result<std::optional<std::size_t>> try_read(MutableBytes into) override;
  Result<std::size_t> try_write(std::span<const ByteView> pieces) override;
  Result<std::size_t> try_send_file(File& file, std::uint64_t position, std::size_t bytes) override;
  Task<> readable() override;
  Task<> writable() override;
  AbortSource& ended() noexcept override { return ended_; }
  void shutdown_write() override;
  void close() override;
  Endpoint peer() const override { return peer_.to_endpoint(); }
  Endpoint local() const override { return SocketAddress::local_of(socket_.get()).to_endpoint(); }

  /// How a started connect went: a system error number, 0 for success.
  int connect_result() noexcept;
  /// The socket's descriptor; -1 after close().
  int descriptor() const noexcept { return socket_.get(); }

 private:
  RealConnection(RealReactor& reactor, Descriptor socket, SocketAddress peer, bool connected);
  Result<> watch();
  void on_events(std::uint32_t events) noexcept override;
  Result<std::size_t> copy_file(File& file, std::uint64_t position, std::size_t bytes);

  RealReactor& reactor_;
  Descriptor socket_;
  SocketAddress peer_;
  Readiness read_;
  Readiness write_;
  AbortSource ended_;
  bool ending_ = false;  // an end or an error was reported: no further edge may come, so read_ stays set
};

}  // namespace pyralog::io
