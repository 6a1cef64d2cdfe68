#include "cli/bench/echo_load.h"

namespace pyralog::cli {
namespace {

constexpr std::size_t kReadBytes = 64u << 10;
constexpr Duration kConnectMax = std::chrono::seconds(10);
constexpr Duration kDrainMax = std::chrono::seconds(10);

}  // namespace

EchoServer::~EchoServer() = default;

io::Task<Result<std::unique_ptr<EchoServer>>> EchoServer::start() {
  const io::Endpoint loopback{.host = "127.0.0.1", .port = 0};
  PYRALOG_CO_ASSIGN(auto listener, co_await io::Reactor::current().network().listen(loopback));
  std::unique_ptr<EchoServer> server(new EchoServer(std::move(listener)));
  server->scope_.spawn(server->accept_all());
  co_return std::move(server);
}

io::Task<> EchoServer::accept_all() {
  for (;;) {
    auto accepted = co_await listener_->accept();
    if (!accepted.ok()) co_return;
    scope_.spawn(echo(*this, std::move(*accepted)));
  }
}

io::Task<> EchoServer::echo(EchoServer& server, std::unique_ptr<io::Connection> connection) {
  std::vector<std::byte> buffer(kReadBytes);
  server.connection_ = connection.get();
  for (;;) {
    auto got = connection->try_read(buffer);
    if (!got.ok() || (got->has_value() && **got == 0)) break;
    if (!got->has_value()) {
      co_await connection->readable();
      continue;
    }
    std::vector<ByteView> pieces{ByteView(buffer).first(**got)};
    if (!(co_await io::write_all(*connection, std::move(pieces))).ok()) break;
  }
  server.connection_ = nullptr;
}

io::Task<> EchoServer::stop(std::unique_ptr<EchoServer> server) {
  server->listener_->close();
  if (server->connection_ != nullptr) server->connection_->close();
  co_await server->scope_.close();
}

EchoLoad::~EchoLoad() = default;

io::Task<Result<std::unique_ptr<EchoLoad>>> EchoLoad::open(io::Endpoint server, Options options) {
  PYRALOG_CO_ASSIGN(auto connection, co_await io::Reactor::current().network().connect(std::move(server), kConnectMax));
  co_return std::unique_ptr<EchoLoad>(new EchoLoad(std::move(connection), options));
}

io::Task<Result<>> EchoLoad::run(LoadWindow window) {
  window_ = window;
  scope_.spawn(read_all());
  io::Reactor& reactor = io::Reactor::current();
  RequestSchedule schedule({.requests_per_second = options_.messages_per_second, .start = window.start, .end = window.end});
  for (;;) {
    const MonotonicTime now = reactor.now();
    const MonotonicTime due = schedule.next(now);
    if (due == MonotonicTime::max() || !failure_.ok()) break;
    if (due > now) {
      (void)co_await io::sleep_for(due - now, scope_.abort());
      continue;
    }
    schedule.take();
    under_way_.push_back({.due = due, .sent = now});
    std::vector<ByteView> pieces{ByteView(message_)};
    PYRALOG_CO_TRY(co_await io::write_all(*connection_, std::move(pieces)));
  }
  const MonotonicTime deadline = reactor.now() + kDrainMax;
  while (!under_way_.empty() && failure_.ok() && reactor.now() < deadline) (void)co_await progress_.wait_until(deadline);
  co_return failure_;
}

io::Task<> EchoLoad::read_all() {
  std::vector<std::byte> buffer(kReadBytes);
  for (;;) {
    auto got = connection_->try_read(buffer);
    if (!got.ok() || (got->has_value() && **got == 0)) {
      failure_ = got.ok() ? Error(ErrorCode::kConnectionClosed) : got.error();
      progress_.notify_all();
      co_return;
    }
    if (!got->has_value()) {
      co_await connection_->readable();
    } else {
      take_bytes(**got);
    }
  }
}

void EchoLoad::take_bytes(std::size_t bytes) {
  const MonotonicTime now = io::Reactor::current().now();
  received_bytes_ += bytes;
  for (; received_bytes_ >= message_.size() && !under_way_.empty(); under_way_.pop_front()) {
    received_bytes_ -= message_.size();
    const Times& times = under_way_.front();
    if (window_.holds(times.due)) {
      counts_.latency.record(now - times.sent);
      since_due_.record(now - times.due);
    }
    if (!window_.holds(now)) continue;
    ++counts_.requests;
    ++counts_.records;
    counts_.bytes += message_.size();
  }
  progress_.notify_all();
}

io::Task<> EchoLoad::close() {
  connection_->close();
  co_await scope_.close();
}

}  // namespace pyralog::cli
