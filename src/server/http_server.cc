#include "server/http_server.h"

#include <fmt/format.h>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace pyralog::server {
namespace {

namespace http = boost::beast::http;

HttpResponse refusal(int status, std::string text) { return {.status = status, .body = std::move(text) + "\n"}; }

std::string render(const HttpResponse& response) {
  const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
  return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                     response.status, std::string_view(reason.data(), reason.size()), response.content_type,
                     response.body.size(), response.body);
}

}  // namespace

HttpServer::HttpServer(std::unique_ptr<io::Listener> listener, Route route)
    : listener_(std::move(listener)), route_(std::move(route)) {}
HttpServer::~HttpServer() = default;

void HttpServer::start() { scope_.spawn(accept_loop()); }

io::Task<> HttpServer::stop() {
  listener_->close();
  co_await scope_.close();
}

io::Task<> HttpServer::accept_loop() {
  while (!scope_.closing()) {
    auto connection = co_await listener_->accept();
    if (!connection.ok()) {
      if (!is_retriable(connection.error().code()) || connection.error() == ErrorCode::kClosed) co_return;
      co_await io::sleep_for(std::chrono::milliseconds(50), scope_.abort());
      continue;
    }
    // One task is this loop.
    if (scope_.running() > kConnectionsMax) continue;
    scope_.spawn(serve(std::move(*connection)));
  }
}

io::Task<> HttpServer::serve(std::unique_ptr<io::Connection> connection) {
  io::Connection& socket = *connection;
  // Closing wakes whatever the exchange waits for.
  io::Timer deadline(io::Reactor::current(), [&socket] { socket.close(); });
  deadline.arm_after(kRequestTime);
  co_await exchange(socket);
  socket.shutdown_write();
  socket.close();
}

io::Task<> HttpServer::exchange(io::Connection& connection) {
  std::string received;
  received.resize(kRequestBytesMax);
  std::size_t bytes = 0;
  HttpResponse response;
  for (;;) {
    auto got = connection.try_read(std::as_writable_bytes(std::span(received)).subspan(bytes));
    if (!got.ok() || *got == std::optional<std::size_t>(0)) co_return;
    if (!got->has_value()) {
      co_await connection.readable();
      continue;
    }
    bytes += **got;
    boost::beast::error_code error;
    http::request_parser<http::empty_body> attempt;
    attempt.header_limit(kRequestBytesMax);
    attempt.put(boost::asio::const_buffer(received.data(), bytes), error);
    if (error == http::error::need_more && bytes < kRequestBytesMax) continue;
    if (error && error != http::error::body_limit) {
      response = refusal(bytes >= kRequestBytesMax ? 431 : 400, "bad request");
    } else if (!attempt.is_header_done()) {
      continue;
    } else if (attempt.get().method() != http::verb::get && attempt.get().method() != http::verb::head) {
      response = refusal(405, "only GET is served here");
    } else {
      const auto target = attempt.get().target();
      std::string path(target.data(), target.size());
      path.resize(std::min(path.find('?'), path.size()));
      response = co_await route_(std::move(path));
      if (attempt.get().method() == http::verb::head) response.body.clear();
    }
    break;
  }
  const std::string text = render(response);
  std::vector<ByteView> pieces{as_bytes(text)};
  // Nobody is left to tell if the asker has gone.
  (void)co_await io::write_all(connection, std::move(pieces));
}

}  // namespace pyralog::server
