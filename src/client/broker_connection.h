#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
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
/// highest that both sides have. A failed connection fails every call from then on with the first failure; make a new one.
class BrokerConnection {
 public:
  struct Options {
    std::string client_id = "pyralog";
    Duration connect_timeout = std::chrono::seconds(10);
    Duration request_timeout = std::chrono::seconds(60);  ///< longer than any wait that a request asks the server for
  };
  /// Takes the frame of an answer, or why there will be none. Called once, on the connection's shard; it may send, and
  /// must not destroy the connection.
  using OnAnswer = std::move_only_function<void(Result<Slice>)>;

  /// Connects and learns which versions the server has. kUnavailable, kTimedOut, kUnsupportedVersion.
  static io::Task<Result<std::unique_ptr<BrokerConnection>>> connect(io::Endpoint server, Options options);
  ~BrokerConnection();

  /// Awaited before destruction.
  io::Task<> close();

  const io::Endpoint& server() const noexcept { return server_; }
  const Options& options() const noexcept { return options_; }
  bool failed() const noexcept { return failure_.has_value(); }
  /// Requests sent and not answered.
  std::size_t unanswered() const noexcept { return unanswered_.size(); }

  /// The version that requests of `api` go out in; kUnsupportedVersion if the server has none that we have.
  Result<protocol::ApiVersion> version_of(const protocol::Api& api) const;

  /// Sends `request` and waits for its response. kTimedOut closes the connection: later answers could not be matched.
  template <class Request, class Response>
  io::Task<Result<Reply<Response>>> call(Request request, std::optional<protocol::ApiVersion> version = std::nullopt);

  /// Sends an encoded request with a correlation id of the connection's own; nobody else may refer to `frame.head`
  /// until it is answered. What is sent in one turn of the loop leaves in one write. On a failed connection `on_answer`
  /// is called at once.
  void send(protocol::OutgoingFrame frame, OnAnswer on_answer);
  /// A request that gets no answer (acks=0).
  void send_unanswered(protocol::OutgoingFrame frame);
  /// Returns once everything sent is with the operating system.
  io::Task<Result<>> flushed();

 private:
  struct Unanswered {
    std::int32_t correlation_id;
    MonotonicTime deadline;
    OnAnswer on_answer;
  };

  BrokerConnection(io::Endpoint server, Options options, std::unique_ptr<io::Connection> socket);
  io::Task<Result<>> learn_versions();
  io::Task<Result<Slice>> exchange(protocol::OutgoingFrame frame);
  io::Task<> read_loop();
  io::Task<> write_loop();
  io::Task<Result<>> write_batch();
  Result<> take_answer(Slice frame);
  void check_deadline();
  void fail(Error error);

  io::Endpoint server_;
  Options options_;
  std::unique_ptr<io::Connection> socket_;
  std::unordered_map<std::int16_t, protocol::VersionRange> versions_;
  protocol::FrameReader frames_;
  std::deque<Unanswered> unanswered_;  // oldest first
  std::vector<Slice> outgoing_;
  std::vector<Slice> writing_;
  std::vector<ByteView> writing_views_;
  io::WaitList outgoing_ready_;
  io::WaitList flushed_;
  io::Timer deadline_;  // of the oldest unanswered request, or earlier
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
                    protocol::encode_request(request, *version, 0, options_.client_id));
  Reply<Response> reply;
  PYRALOG_CO_ASSIGN(reply.frame, co_await exchange(std::move(frame)));
  PYRALOG_CO_ASSIGN(const auto response, protocol::parse_response(reply.frame.view(), Request::kApi, *version));
  reply.arena = std::make_unique<protocol::Arena>();
  PYRALOG_CO_ASSIGN(reply.message, protocol::decode<Response>(response.body, *version, *reply.arena));
  co_return std::move(reply);
}

}  // namespace pyralog::client
