#include "client/broker_connection.h"

#include <algorithm>
#include <limits>

#include "protocol/kafka/api_versions.h"

namespace pyralog::client {

using namespace protocol;

namespace {

// In a request frame: after length, API key and API version. In an answer's frame: first.
constexpr std::size_t kRequestCorrelationIdAt = 8;
constexpr std::size_t kAnswerHeaderBytesMin = 4;

}  // namespace

BrokerConnection::BrokerConnection(io::Endpoint server, Options options, std::unique_ptr<io::Connection> socket)
    : server_(std::move(server)),
      options_(std::move(options)),
      socket_(std::move(socket)),
      deadline_(io::Reactor::current(), [this] { check_deadline(); }) {}
BrokerConnection::~BrokerConnection() = default;

io::Task<Result<std::unique_ptr<BrokerConnection>>> BrokerConnection::connect(io::Endpoint server, Options options) {
  auto socket = co_await io::Reactor::current().network().connect(server, options.connect_timeout);
  if (!socket.ok()) {
    const bool names_server = socket.error().detail().find(server.to_string()) != std::string::npos;
    co_return socket.error().with_context(names_server ? "cannot connect" : "cannot connect to " + server.to_string());
  }
  std::unique_ptr<BrokerConnection> connection(
      new BrokerConnection(std::move(server), std::move(options), std::move(*socket)));
  connection->scope_.spawn(connection->read_loop());
  connection->scope_.spawn(connection->write_loop());
  Result<> learnt = co_await connection->learn_versions();
  if (learnt.ok()) co_return std::move(connection);
  co_await connection->close();
  co_return std::move(learnt).error();
}

io::Task<Result<>> BrokerConnection::learn_versions() {
  ApiVersionsRequest request{.client_software_name = "pyralog", .client_software_version = PYRALOG_VERSION};
  // Version 3 is the newest that every server in use reads; one that does not answers in version 0 all the same.
  PYRALOG_CO_ASSIGN(OutgoingFrame frame, encode_request(request, ApiVersion(3), 0, options_.client_id));
  PYRALOG_CO_ASSIGN(const Slice answer, co_await exchange(std::move(frame)));
  ApiVersion version(3);
  PYRALOG_CO_ASSIGN(ReceivedResponse response, parse_response(answer.view(), kApiVersionsApi, version));
  if (response.body.size() >= 2 && load_big<std::int16_t>(response.body.data()) ==
                                       static_cast<std::int16_t>(KafkaError::kUnsupportedVersion)) {
    version = ApiVersion(0);
  }
  Arena arena;
  PYRALOG_CO_ASSIGN(const auto message, decode<ApiVersionsResponse>(response.body, version, arena));
  for (const auto& range : message.api_keys) {
    versions_.insert_or_assign(static_cast<std::int16_t>(range.api_key),
                               VersionRange(range.min_version.value, range.max_version.value));
  }
  co_return Result<>();
}

Result<ApiVersion> BrokerConnection::version_of(const Api& api) const {
  const auto found = versions_.find(static_cast<std::int16_t>(api.key));
  if (found == versions_.end()) {
    return Error(ErrorCode::kUnsupportedVersion, server_.to_string() + " does not serve " + std::string(api.name));
  }
  const ApiVersion version = std::min(api.accepted.last, found->second.last);
  if (version < api.accepted.first || version < found->second.first) {
    return Error(ErrorCode::kUnsupportedVersion, server_.to_string() + " has no version of " + std::string(api.name) +
                                                     " that this program has");
  }
  return version;
}

void BrokerConnection::send(OutgoingFrame frame, OnAnswer on_answer) {
  if (failure_.has_value()) return on_answer(*failure_);
  const MonotonicTime deadline = io::Reactor::current().now() + options_.request_timeout;
  unanswered_.push_back({next_correlation_id_, deadline, std::move(on_answer)});
  if (!deadline_.armed()) deadline_.arm(deadline);
  send_unanswered(std::move(frame));
}

void BrokerConnection::send_unanswered(OutgoingFrame frame) {
  if (failure_.has_value()) return;
  store_big(frame.head.mutable_data() + kRequestCorrelationIdAt, next_correlation_id_);
  next_correlation_id_ = next_correlation_id_ == std::numeric_limits<std::int32_t>::max() ? 1 : next_correlation_id_ + 1;
  outgoing_.push_back(std::move(frame.head));
  for (Piece& piece : frame.tail) {
    PYRALOG_ASSERT(std::holds_alternative<Slice>(piece), "clients send from memory only");
    outgoing_.push_back(std::move(std::get<Slice>(piece)));
  }
  outgoing_ready_.notify_one();
}

io::Task<Result<Slice>> BrokerConnection::exchange(OutgoingFrame frame) {
  io::OneShot<Result<Slice>> answer;
  send(std::move(frame), [&answer](Result<Slice> result) { answer.set(std::move(result)); });
  co_return co_await answer.take();
}

io::Task<Result<>> BrokerConnection::flushed() {
  while (!failure_.has_value() && (!writing_.empty() || !outgoing_.empty())) co_await flushed_.wait();
  if (failure_.has_value()) co_return *failure_;
  co_return Result<>();
}

io::Task<> BrokerConnection::close() {
  fail(ErrorCode::kClosed);
  co_await scope_.close();
}

void BrokerConnection::check_deadline() {
  if (unanswered_.empty()) return;
  const MonotonicTime oldest = unanswered_.front().deadline;
  if (io::Reactor::current().now() < oldest) return deadline_.arm(oldest);
  fail(Error(ErrorCode::kTimedOut, "no answer from " + server_.to_string()));
}

void BrokerConnection::fail(Error error) {
  if (!failure_.has_value()) failure_ = std::move(error);
  socket_->close();
  deadline_.cancel();
  outgoing_.clear();
  outgoing_ready_.notify_all();
  flushed_.notify_all();
  for (Unanswered& request : std::exchange(unanswered_, {})) request.on_answer(*failure_);
}

Result<> BrokerConnection::take_answer(Slice frame) {
  if (unanswered_.empty()) return Error(ErrorCode::kCorrupt, server_.to_string() + ": an answer to no request");
  if (frame.size() < kAnswerHeaderBytesMin ||
      load_big<std::int32_t>(frame.data()) != unanswered_.front().correlation_id) {
    return Error(ErrorCode::kCorrupt, server_.to_string() + ": an answer out of order");
  }
  OnAnswer on_answer = std::move(unanswered_.front().on_answer);
  unanswered_.pop_front();
  on_answer(std::move(frame));
  return {};
}

io::Task<> BrokerConnection::read_loop() {
  while (!failure_.has_value()) {
    auto frame = frames_.next();
    if (!frame.ok()) co_return fail(frame.error().with_context(server_.to_string()));
    if (frame->has_value()) {
      Result<> taken = take_answer(std::move(**frame));
      if (!taken.ok()) co_return fail(std::move(taken).error());
      continue;
    }
    auto got = socket_->try_read(frames_.prepare());
    if (!got.ok()) co_return fail(got.error().with_context(server_.to_string()));
    if (!got->has_value()) {
      co_await socket_->readable();
      continue;
    }
    if (**got == 0) co_return fail(Error(ErrorCode::kConnectionClosed, server_.to_string() + " closed the connection"));
    frames_.commit(**got);
  }
}

io::Task<> BrokerConnection::write_loop() {
  while (!failure_.has_value()) {
    if (outgoing_.empty()) {
      flushed_.notify_all();
      co_await outgoing_ready_.wait();
      continue;
    }
    Result<> written = co_await write_batch();
    writing_.clear();
    if (!written.ok()) co_return fail(written.error().with_context(server_.to_string()));
  }
}

io::Task<Result<>> BrokerConnection::write_batch() {
  std::swap(writing_, outgoing_);
  writing_views_.clear();
  for (const Slice& slice : writing_) writing_views_.push_back(slice.view());
  std::span<ByteView> left(writing_views_);
  while (!left.empty()) {
    PYRALOG_CO_ASSIGN(std::size_t taken, socket_->try_write(left));
    while (!left.empty() && taken >= left.front().size()) {
      taken -= left.front().size();
      left = left.subspan(1);
    }
    if (left.empty()) break;
    left.front() = left.front().subspan(taken);
    co_await socket_->writable();
  }
  co_return Result<>();
}

}  // namespace pyralog::client
