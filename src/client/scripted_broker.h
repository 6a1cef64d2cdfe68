#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "io/task_scope.h"
#include "io/virtual_world.h"
#include "protocol/kafka/api_versions.h"
#include "protocol/kafka/codec.h"
#include "protocol/kafka/frame_reader.h"

namespace pyralog::client::testing {

/// A server on the virtual network that answers with what a test says, in the versions of this program (Metadata up to 12,
/// so that there is something to negotiate). For tests only.
class ScriptedBroker {
 public:
  static constexpr std::uint16_t kPort = 9092;

  ScriptedBroker(io::VirtualWorld& world, io::VirtualReactor& reactor, std::uint16_t port = kPort)
      : world_(world), reactor_(reactor) {
    const io::Endpoint any{.host = "0.0.0.0", .port = port};
    listener_ = world.run(reactor, reactor.network().listen(any)).value();
    reactor.enter([this] { scope_.spawn(accept_all()); });
  }

  io::Endpoint endpoint() const {
    return {.host = "node-" + std::to_string(reactor_.node().value), .port = listener_->local().port};
  }

  /// Answers requests of this kind from now on: `answer(request)` gives the response, or none to stay silent.
  template <class Request, class Answer>
  void on(Answer answer) {
    handlers_[Request::kApi.key] = [answer = std::move(answer)](const protocol::ReceivedRequest& received) mutable
        -> std::optional<Slice> {
      protocol::Arena arena;
      const auto request = protocol::decode<Request>(received.body, received.header.api_version, arena).value();
      const auto response = answer(request);
      if constexpr (requires { response.has_value(); }) {
        if (!response.has_value()) return std::nullopt;
        return encoded(*response, received);
      } else {
        return encoded(response, received);
      }
    };
  }

  void confuse_correlation_ids() { correlation_shift_ = 1; }
  /// Closes every connection; new ones are served.
  void hang_up() {
    for (const auto& connection : connections_) connection->close();
  }
  void stop() {
    listener_->close();
    hang_up();
    world_.run(reactor_, scope_.close());
    connections_.clear();
    listener_.reset();
  }

 private:
  template <class Response>
  static Slice encoded(const Response& response, const protocol::ReceivedRequest& received) {
    const auto frame =
        protocol::encode_response(response, received.header.api_version, received.header.correlation_id).value();
    return protocol::flatten(frame);
  }

  io::Task<> accept_all() {
    for (;;) {
      auto accepted = co_await listener_->accept();
      if (!accepted.ok()) co_return;
      connections_.push_back(std::move(*accepted));
      scope_.spawn(serve(*connections_.back()));
    }
  }

  io::Task<> serve(io::Connection& connection) {
    protocol::FrameReader frames;
    for (;;) {
      auto frame = frames.next();
      if (frame.ok() && frame->has_value()) {
        std::optional<Slice> answer = answer_to((*frame)->view());
        if (!answer.has_value()) continue;
        std::vector<ByteView> pieces{answer->view()};
        if (!(co_await io::write_all(connection, std::move(pieces))).ok()) co_return;
        continue;
      }
      auto got = connection.try_read(frames.prepare());
      if (!got.ok() || (got->has_value() && **got == 0)) co_return;
      if (got->has_value()) {
        frames.commit(**got);
      } else {
        co_await connection.readable();
      }
    }
  }

  std::optional<Slice> answer_to(ByteView frame) {
    const auto received = protocol::parse_request(frame).value();
    if (received.api->key == protocol::ApiKey::kApiVersions) return encoded(versions(), received);
    const auto handler = handlers_.find(received.api->key);
    if (handler == handlers_.end()) return std::nullopt;
    auto answer = handler->second(received);
    if (answer.has_value()) {
      auto* id = answer->mutable_data() + 4;
      store_big(id, load_big<std::int32_t>(id) + correlation_shift_);
    }
    return answer;
  }

  protocol::ApiVersionsResponse versions() {
    ranges_.clear();
    for (const protocol::Api* api : protocol::api_table()) {
      if (api->key == protocol::ApiKey::kFetch && handlers_.count(api->key) == 0) continue;
      auto last = api->accepted.last;
      if (api->key == protocol::ApiKey::kMetadata) last = protocol::ApiVersion(12);
      ranges_.push_back({.api_key = api->key, .min_version = api->accepted.first, .max_version = last});
    }
    protocol::ApiVersionsResponse response;
    response.api_keys = ranges_;
    return response;
  }

  io::VirtualWorld& world_;
  io::VirtualReactor& reactor_;
  std::unique_ptr<io::Listener> listener_;
  std::vector<std::unique_ptr<io::Connection>> connections_;
  std::map<protocol::ApiKey, std::function<std::optional<Slice>(const protocol::ReceivedRequest&)>> handlers_;
  std::vector<std::remove_cvref_t<decltype(protocol::ApiVersionsResponse().api_keys[0])>> ranges_;
  std::int32_t correlation_shift_ = 0;
  io::TaskScope scope_;
};

}  // namespace pyralog::client::testing
