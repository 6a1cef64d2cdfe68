#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "io/task.h"

namespace pyralog::io {

class AbortSource;
class File;
class Reactor;

/// A host (name, IPv4 or IPv6 literal) and a TCP port.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;

  /// "host:port", IPv6 literals in brackets.
  static Result<Endpoint> parse(std::string_view text);
  std::string to_string() const;
  /// True for 127.0.0.0/8, ::1 and "localhost".
  bool is_loopback() const noexcept;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// One byte stream, used by one shard. Readiness-driven: nothing is read or buffered for a connection that is idle. One
/// reader and one writer coroutine at a time.
class Connection {
 public:
  virtual ~Connection() = default;

  /// Reads what is there: > 0 bytes, 0 = the peer has finished sending, nullopt = nothing yet (await readable()).
  virtual Result<std::optional<std::size_t>> try_read(MutableBytes into) = 0;

  /// Writes what fits of the pieces, in order: bytes taken, which may end inside a piece; 0 = nothing fits (await
  /// writable()).
  virtual Result<std::size_t> try_write(std::span<const ByteView> pieces) = 0;

  /// Sends up to `bytes` of `file` from `position` without a copy in user space where possible: bytes taken, 0 = await
  /// writable(). kTruncated if the file ends before `position` + 1.
  virtual Result<std::size_t> try_send_file(File& file, std::uint64_t position, std::size_t bytes) = 0;

  /// Returns when a try_ call of that kind may make progress, also on failure or close(): the next try_ call says which.
  virtual Task<> readable() = 0;
  virtual Task<> writable() = 0;

  /// Fires once the peer will send nothing more: it has finished, the connection failed, or close() was called. What it sent
  /// before may still be unread. For waits that are only worth while somebody is there.
  virtual AbortSource& ended() noexcept = 0;

  /// Sends what was written, then an end mark; reading goes on.
  virtual void shutdown_write() = 0;

  /// Ends both directions at once and wakes whoever waits; try_ calls then fail with kClosed.
  virtual void close() = 0;

  virtual Endpoint peer() const = 0;
  virtual Endpoint local() const = 0;
};

/// Writes all pieces; kConnectionClosed, kClosed.
Task<Result<>> write_all(Connection& connection, std::vector<ByteView> pieces);

class Listener {
 public:
  virtual ~Listener() = default;
  /// The next connection, on the listener's own shard. kClosed after close(); kLimitExceeded when descriptors ran out
  /// (wait a little and try again).
  virtual Task<Result<std::unique_ptr<Connection>>> accept() = 0;
  /// Where it really listens (port 0 has become a number).
  virtual Endpoint local() const = 0;
  virtual void close() = 0;
};

/// A shard's door to the network.
class Network {
 public:
  virtual ~Network() = default;

  /// Several shards of a process may listen on the same endpoint; the system spreads connections over them (the first
  /// one resolves port 0). kAddressInUse if another process has it.
  virtual Task<Result<std::unique_ptr<Listener>>> listen(Endpoint endpoint) = 0;

  /// Connects within `timeout`. kUnavailable (refused, unreachable, unknown host), kTimedOut.
  virtual Task<Result<std::unique_ptr<Connection>>> connect(Endpoint endpoint, std::chrono::nanoseconds timeout) = 0;
};

}  // namespace pyralog::io
