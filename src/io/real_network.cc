#include "io/real_network.h"

#include "io/blocking.h"
#include "io/real_connection.h"
#include "io/system_error.h"

namespace pyralog::io {

Task<Result<std::vector<SocketAddress>>> RealNetwork::addresses(Endpoint endpoint) {
  if (const auto literal = SocketAddress::from_literal(endpoint)) co_return std::vector<SocketAddress>{*literal};
  auto resolve = [endpoint = std::move(endpoint)] { return SocketAddress::resolve(endpoint); };
  co_return co_await run_blocking(std::move(resolve), Lane::kNames);
}

Task<Result<std::unique_ptr<Listener>>> RealNetwork::listen(Endpoint endpoint) {
  PYRALOG_CO_ASSIGN(const std::vector<SocketAddress> candidates, co_await addresses(endpoint));
  // A name may have an address that this machine cannot use (IPv6 switched off): the first usable one is taken.
  std::optional<Error> first_error;
  for (const SocketAddress& address : candidates) {
    auto listener = RealListener::create(reactor_, address);
    if (listener.ok()) co_return std::unique_ptr<Listener>(std::move(*listener));
    if (!first_error.has_value()) first_error = listener.error();
  }
  co_return *first_error;
}

Task<Result<std::unique_ptr<Connection>>> RealNetwork::connect(Endpoint endpoint, std::chrono::nanoseconds timeout) {
  const MonotonicTime deadline = reactor_.now() + timeout;
  PYRALOG_CO_ASSIGN(const std::vector<SocketAddress> candidates, co_await addresses(endpoint));
  std::optional<Error> last_error;
  for (const SocketAddress& address : candidates) {
    if (reactor_.now() >= deadline) break;
    auto connection = co_await connect_to(address, deadline);
    if (connection.ok()) co_return std::move(connection);
    last_error = connection.error();
  }
  if (last_error.has_value()) co_return *last_error;
  co_return Error(ErrorCode::kTimedOut, "connecting to " + endpoint.to_string());
}

Task<Result<std::unique_ptr<Connection>>> RealNetwork::connect_to(SocketAddress address, MonotonicTime deadline) {
  PYRALOG_CO_ASSIGN(std::unique_ptr<RealConnection> connection, RealConnection::start_connect(reactor_, address));
  bool timed_out = false;
  Timer timer(reactor_, [&] {
    timed_out = true;
    connection->close();
  });
  timer.arm(deadline);
  co_await connection->writable();
  timer.cancel();
  const std::string name = address.to_endpoint().to_string();
  if (timed_out) co_return Error(ErrorCode::kTimedOut, "connecting to " + name);
  if (const int error = connection->connect_result(); error != 0) {
    co_return Error(ErrorCode::kUnavailable, name + ": " + system_text(error));
  }
  ++reactor_.counters().network.connected;
  co_return std::unique_ptr<Connection>(std::move(connection));
}

}  // namespace pyralog::io
