#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "core/slice.h"
#include "io/network.h"
#include "io/sync.h"
#include "io/task_scope.h"
#include "protocol/kafka/codec.h"
#include "protocol/kafka/frame_reader.h"

namespace pyralog::client {

/// A decoded response and the memory that its views point into.
template <class Response>
struct Reply {
  Slice frame;
  std::unique_ptr<protocol::Arena> arena;
  Response message;
};

/// One connection to a Kafka-speaking server, on one shard. Requests are pipelined and answered in order. Versions are the
/// highest that both sides have. A failed connection fails every call from then on with kConnectionClosed; make a new one.
class BrokerConnection {
 public:
  struct Options {
    std::string client_id = "pyralog";
    Duration connect_timeout = std::chrono::seconds(10);
    Duration request_timeout = std::chrono::seconds(30);
  };

  /// Connects and learns which versions the server has. kUnavailable, kTimedOut, kUnsupportedVersion.
  static io::Task<Result<std::unique_ptr<BrokerConnection>>> connect(io::Endpoint server, Options options);
  ~BrokerConnection();

  /// Awaited before destruction.
  io::Task<> close();

  const io::Endpoint& server() const noexcept { return server_; }
  bool failed() const noexcept { return failure_.has_value(); }

  /// The version that requests of `api` go out in; kUnsupportedVersion if the server has none that we have.
  Result<protocol::ApiVersion> version_of(const protocol::Api& api) const;

  /// Sends `request` and waits for its response. kTimedOut closes the connection: later answers could not be matched.
  template <class Request, class Response>
  io::Task<Result<Reply<Response>>> call(Request request, std::optional<protocol::ApiVersion> version = std::nullopt);

  /// For load: sends an encoded request frame, whose correlation id is `next_correlation_id()`, without waiting; the result
  /// of `receive` is the frame of its answer. Calls to `receive` are answered in the order of `send`.
  std::int32_t next_correlation_id() const noexcept { return next_correlation_id_; }
  void send(protocol::OutgoingFrame frame);
  /// A request that gets no answer (acks=0).
  void send_unanswered(protocol::OutgoingFrame frame);
  io::Task<Result<Slice>> receive();
  /// Returns once everything sent is with the operating system.
  io::Task<> flushed();

  const Options& options() const noexcept { return options_; }

 private:
  BrokerConnection(io::Endpoint server, Options options, std::unique_ptr<io::Connection> socket);
  io::Task<Result<>> learn_versions();
  io::Task<> read_loop();
  io::Task<> write_loop();
  void fail(Error error);

  struct Awaited {
    std::optional<Result<Slice>> answer;
    io::WaitList waiting;
  };

  io::Endpoint server_;
  Options options_;
  std::unique_ptr<io::Connection> socket_;
  std::unordered_map<std::int16_t, protocol::VersionRange> versions_;
  protocol::FrameReader frames_;
  std::deque<std::shared_ptr<Awaited>> unanswered_;  // sent; oldest first
  std::deque<std::shared_ptr<Awaited>> unreceived_;  // sent, not yet asked for by receive()
  std::vector<Slice> outgoing_;
  bool writing_ = false;
  io::WaitList outgoing_ready_;
  io::WaitList flushed_;
  std::optional<Error> failure_;
  std::int32_t next_correlation_id_ = 1;
  io::TaskScope scope_;
};

template <class Request, class Response>
io::Task<Result<Reply<Response>>> BrokerConnection::call(Request request, std::optional<protocol::ApiVersion> version) {
  if (!version.has_value()) {
    PYRALOG_CO_ASSIGN(version, version_of(Request::kApi));
  }
  PYRALOG_CO_ASSIGN(protocol::OutgoingFrame frame,
                    protocol::encode_request(request, *version, next_correlation_id_, options_.client_id));
  send(std::move(frame));
  Reply<Response> reply;
  PYRALOG_CO_ASSIGN(reply.frame, co_await receive());
  PYRALOG_CO_ASSIGN(const auto response, protocol::parse_response(reply.frame.view(), Request::kApi, *version));
  reply.arena = std::make_unique<protocol::Arena>();
  PYRALOG_CO_ASSIGN(reply.message, protocol::decode<Response>(response.body, *version, *reply.arena));
  co_return std::move(reply);
}

}  // namespace pyralog::client
