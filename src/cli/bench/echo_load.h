#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "cli/bench/load_window.h"
#include "cli/bench/request_schedule.h"
#include "io/network.h"
#include "io/task_scope.h"

namespace pyralog::cli {

/// Sends back what it receives, on the shard that made it. What a round trip costs where the server does nothing.
class EchoServer {
 public:
  static io::Task<Result<std::unique_ptr<EchoServer>>> start();
  ~EchoServer();

  io::Endpoint address() const { return listener_->local(); }
  /// Ends and destroys `server`, on its shard.
  static io::Task<> stop(std::unique_ptr<EchoServer> server);

 private:
  explicit EchoServer(std::unique_ptr<io::Listener> listener) : listener_(std::move(listener)) {}
  io::Task<> accept_all();
  static io::Task<> echo(EchoServer& server, std::unique_ptr<io::Connection> connection);

  std::unique_ptr<io::Listener> listener_;
  io::Connection* connection_ = nullptr;  // the one client's
  io::TaskScope scope_;
};

/// Messages of one size to an echo server, in an open loop; latency is from sending to the whole message's return, and from
/// when it was due.
class EchoLoad {
 public:
  struct Options {
    std::size_t message_bytes = 0;
    double messages_per_second = 0;
  };

  static io::Task<Result<std::unique_ptr<EchoLoad>>> open(io::Endpoint server, Options options);
  ~EchoLoad();

  /// Runs the whole window, and waits for what is under way.
  io::Task<Result<>> run(LoadWindow window);
  /// Awaited before destruction.
  io::Task<> close();

  const LoadCounts& counts() const noexcept { return counts_; }
  const LatencyRecorder& since_due() const noexcept { return since_due_; }

 private:
  struct Times {
    MonotonicTime due;
    MonotonicTime sent;
  };

  EchoLoad(std::unique_ptr<io::Connection> connection, Options options)
      : connection_(std::move(connection)), options_(options), message_(options.message_bytes) {}
  io::Task<> read_all();
  void take_bytes(std::size_t bytes);

  std::unique_ptr<io::Connection> connection_;
  Options options_;
  std::vector<std::byte> message_;
  LoadWindow window_{};
  std::deque<Times> under_way_;
  std::size_t received_bytes_ = 0;  // of the oldest message under way
  LoadCounts counts_;
  LatencyRecorder since_due_;
  Result<> failure_;
  io::WaitList progress_;
  io::TaskScope scope_;
};

}  // namespace pyralog::cli
