#pragma once

#include <functional>
#include <memory>
#include <string>

#include "io/network.h"
#include "io/task_scope.h"

namespace pyralog::server {

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// Answers GET requests for a few fixed paths, one request per connection, on the shard that made it. Requests beyond
/// kRequestBytesMax, slower than kRequestTime or with another method are refused; at most kConnectionsMax at a time.
class HttpServer {
 public:
  static constexpr std::size_t kRequestBytesMax = 8u << 10;
  static constexpr std::size_t kConnectionsMax = 64;
  static constexpr Duration kRequestTime = std::chrono::seconds(10);

  /// Called with the path, query removed. Unknown paths give status 404.
  using Route = std::function<io::Task<HttpResponse>(std::string path)>;

  HttpServer(std::unique_ptr<io::Listener> listener, Route route);
  ~HttpServer();

  io::Endpoint local() const { return listener_->local(); }
  void start();
  io::Task<> stop();

 private:
  io::Task<> accept_loop();
  io::Task<> serve(std::unique_ptr<io::Connection> connection);
  io::Task<> exchange(io::Connection& connection);

  std::unique_ptr<io::Listener> listener_;
  Route route_;
  io::TaskScope scope_;
};

}  // namespace pyralog::server
