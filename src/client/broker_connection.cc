#include "client/broker_connection.h"

#include <algorithm>

#include "protocol/kafka/api_versions.h"

namespace pyralog::client {

using namespace protocol;

BrokerConnection::BrokerConnection(io::Endpoint server, Options options, std::unique_ptr<io::Connection> socket)
    : server_(std::move(server)), options_(std::move(options)), socket_(std::move(socket)) {}
BrokerConnection::~BrokerConnection() = default;

io::Task<Result<std::unique_ptr<BrokerConnection>>> BrokerConnection::connect(io::Endpoint server, Options options) {
  auto socket = co_await io::Reactor::current().network().connect(server, options.connect_timeout);
  if (!socket.ok()) co_return socket.error().with_context("cannot connect to " + server.to_string());
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
  ApiVersionsRequest request{.client_software_name = "pyralog", .client_software_version = "0.1.0"};
  // Version 3 is the newest that every server in use reads; one that does not answers in version 0 all the same.
  PYRALOG_CO_ASSIGN(OutgoingFrame frame, encode_request(request, ApiVersion(3), next_correlation_id_, options_.client_id));
  send(std::move(frame));
  PYRALOG_CO_ASSIGN(const Slice answer, co_await receive());
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

void BrokerConnection::send(OutgoingFrame frame) {
  auto awaited = std::make_shared<Awaited>();
  if (failure_.has_value()) awaited->answer.emplace(*failure_);
  unreceived_.push_back(awaited);
  if (failure_.has_value()) return;
  unanswered_.push_back(std::move(awaited));
  send_unanswered(std::move(frame));
}

void BrokerConnection::send_unanswered(OutgoingFrame frame) {
  ++next_correlation_id_;
  if (failure_.has_value()) return;
  outgoing_.push_back(std::move(frame.head));
  for (Piece& piece : frame.tail) {
    PYRALOG_ASSERT(std::holds_alternative<Slice>(piece), "clients send from memory only");
    outgoing_.push_back(std::move(std::get<Slice>(piece)));
  }
  outgoing_ready_.notify_one();
}

io::Task<Result<Slice>> BrokerConnection::receive() {
  PYRALOG_ASSERT(!unreceived_.empty(), "receive without send");
  const std::shared_ptr<Awaited> awaited = std::move(unreceived_.front());
  unreceived_.pop_front();
  if (!awaited->answer.has_value()) {
    const MonotonicTime deadline = io::Reactor::current().now() + options_.request_timeout;
    if (co_await awaited->waiting.wait_until(deadline) == io::WaitOutcome::kTimedOut) {
      fail(Error(ErrorCode::kTimedOut, "no answer from " + server_.to_string()));
    }
  }
  co_return std::move(*awaited->answer);
}

io::Task<> BrokerConnection::flushed() {
  while (!failure_.has_value() && (writing_ || !outgoing_.empty())) co_await flushed_.wait();
}

io::Task<> BrokerConnection::close() {
  fail(Error(ErrorCode::kClosed));
  co_await scope_.close();
}

void BrokerConnection::fail(Error error) {
  if (!failure_.has_value()) failure_ = std::move(error);
  socket_->close();
  for (const auto& awaited : unanswered_) {
    awaited->answer.emplace(*failure_);
    awaited->waiting.notify_all();
  }
  unanswered_.clear();
  outgoing_ready_.notify_all();
  flushed_.notify_all();
}

io::Task<> BrokerConnection::read_loop() {
  while (!failure_.has_value()) {
    auto frame = frames_.next();
    if (frame.ok() && frame->has_value()) {
      if (unanswered_.empty()) co_return fail(Error(ErrorCode::kCorrupt, "an answer to no request"));
      const std::shared_ptr<Awaited> awaited = std::move(unanswered_.front());
      unanswered_.pop_front();
      awaited->answer.emplace(std::move(**frame));
      awaited->waiting.notify_all();
      continue;
    }
    if (!frame.ok()) co_return fail(std::move(frame).error());
    auto got = socket_->try_read(frames_.prepare());
    if (!got.ok()) co_return fail(got.error().with_context(server_.to_string()));
    if (!got->has_value()) {
      frames_.release_if_empty();
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
    const std::vector<Slice> batch = std::exchange(outgoing_, {});
    std::vector<ByteView> views;
    views.reserve(batch.size());
    for (const Slice& slice : batch) views.push_back(slice.view());
    writing_ = true;
    auto written = co_await io::write_all(*socket_, std::move(views));
    writing_ = false;
    if (!written.ok()) co_return fail(written.error().with_context(server_.to_string()));
  }
}

}  // namespace pyralog::client
