#include "io/virtual_network.h"

#include <algorithm>

#include "io/virtual_stream.h"
#include "io/virtual_world.h"

namespace pyralog::io {
namespace {

constexpr Duration kFirstConnectRetry = std::chrono::seconds(1);  // as TCP's first SYN timeout; doubles
constexpr std::uint16_t kEphemeralPortFirst = 49152;
constexpr std::uint64_t kTraceConnect = 32;

bool is_wildcard(const std::string& host) { return host == "0.0.0.0" || host == "::" || host == "*"; }

}  // namespace

VirtualNetwork::VirtualNetwork(VirtualWorld& world, std::uint64_t seed) : world_(world), random_(seed) {}

VirtualNetwork::~VirtualNetwork() = default;

std::unique_ptr<Network> VirtualNetwork::door(VirtualReactor& reactor) {
  nodes_.insert(reactor.node());
  dark_.erase(reactor.node());
  return std::make_unique<VirtualNetworkDoor>(*this, reactor);
}

VirtualLink& VirtualNetwork::link(NodeId from, NodeId to) {
  return links_.try_emplace({from, to}, from == to ? options_.loopback : options_.link).first->second;
}

std::string VirtualNetwork::address(NodeId node) const {
  const auto id = static_cast<std::uint32_t>(node.value);
  return "10." + std::to_string(id >> 16 & 0xFF) + "." + std::to_string(id >> 8 & 0xFF) + "." + std::to_string(id & 0xFF);
}

Duration VirtualNetwork::delay(NodeId from, NodeId to, std::size_t bytes) {
  const VirtualLink& way = link(from, to);
  Duration delay(static_cast<Duration::rep>(random_.between(static_cast<std::uint64_t>(way.latency.min.count()),
                                                            static_cast<std::uint64_t>(way.latency.max.count()))));
  if (way.bytes_per_second > 0) {
    MonotonicTime& busy_until = link_busy_until_[{from, to}];
    busy_until = std::max(busy_until, world_.now()) +
                 Duration(static_cast<Duration::rep>(bytes * 1'000'000'000 / way.bytes_per_second));
    delay += busy_until - world_.now();
  }
  if (way.lost_per_thousand > 0 && random_.chance(way.lost_per_thousand, 1000)) {
    ++counters_.segments_lost;
    delay += retransmission();
  }
  return delay;
}

std::size_t VirtualNetwork::part_of(std::size_t bytes) {
  if (bytes < 2 || !random_.chance(options_.split_per_thousand, 1000)) return bytes;
  ++counters_.splits;
  return random_.between(1, bytes - 1);
}

std::optional<NodeId> VirtualNetwork::resolve(const std::string& host, NodeId from) const {
  if (Endpoint{.host = host}.is_loopback() || is_wildcard(host)) return from;
  const auto named = names_.find(host);
  if (named != names_.end()) return named->second;
  for (NodeId node : nodes_) {
    if (host == address(node) || host == "node-" + std::to_string(node.value)) return node;
  }
  return std::nullopt;
}

std::uint16_t VirtualNetwork::ephemeral_port(NodeId node) {
  std::uint16_t& next = next_port_[node];
  do {
    next = next < kEphemeralPortFirst || next == UINT16_MAX ? kEphemeralPortFirst : static_cast<std::uint16_t>(next + 1);
  } while (occupied_.contains({node, next}) || listeners_.contains({node, next}));
  return next;
}

Result<Endpoint> VirtualNetwork::claim_port(VirtualReactor& reactor, const Endpoint& wanted) {
  const NodeId node = reactor.node();
  if (resolve(wanted.host, node) != node) {
    return Error(ErrorCode::kUnavailable, wanted.to_string() + ": not an address of this node");
  }
  Endpoint local = wanted;
  if (local.port == 0) local.port = ephemeral_port(node);
  if (occupied_.contains({node, local.port})) return Error(ErrorCode::kAddressInUse, local.to_string());
  return local;
}

VirtualListener* VirtualNetwork::pick_listener(NodeId node, const Endpoint& target) {
  const auto found = listeners_.find({node, target.port});
  if (found == listeners_.end()) return nullptr;
  std::vector<VirtualListener*> fitting;
  for (VirtualListener* listener : found->second) {
    const std::string& host = listener->local_.host;
    if (is_wildcard(host) || (Endpoint{.host = host}.is_loopback() == target.is_loopback())) fitting.push_back(listener);
  }
  return fitting.empty() ? nullptr : fitting[random_.below(fitting.size())];
}

VirtualListener::VirtualListener(VirtualNetwork& network, VirtualReactor& reactor, Endpoint local)
    : network_(network), reactor_(reactor), local_(std::move(local)) {
  network_.listeners_[{reactor_.node(), local_.port}].push_back(this);
}

VirtualListener::~VirtualListener() {
  PYRALOG_ASSERT(acceptor_ == nullptr, "a listener is destroyed while a coroutine accepts");
  close();
  leave();
}

void VirtualListener::leave() {
  const auto found = network_.listeners_.find({reactor_.node(), local_.port});
  if (found == network_.listeners_.end()) return;
  std::erase(found->second, this);
  if (found->second.empty()) network_.listeners_.erase(found);
}

void VirtualListener::close() {
  if (std::exchange(closed_, true) || !reactor_.alive()) return;
  leave();
  for (const auto& stream : std::exchange(waiting_, {})) network_.close(stream, 1);
  OutsideWait::wake(&reactor_, acceptor_);
}

Task<Result<std::unique_ptr<Connection>>> VirtualListener::accept() {
  while (!closed_ && reactor_.alive() && waiting_.empty()) {
    const OutsideWait wait{reactor_, acceptor_};
    co_await wait;
  }
  if (closed_ || !reactor_.alive()) co_return ErrorCode::kClosed;
  unsigned& failures = network_.accept_failures_[reactor_.node()];
  if (failures > 0) {
    --failures;
    co_return Error(ErrorCode::kLimitExceeded, "out of descriptors");
  }
  auto connection = std::make_unique<VirtualConnection>(network_, std::move(waiting_.front()), 1);
  waiting_.pop_front();
  ++reactor_.counters().network.accepted;
  co_return connection;
}

Task<Result<std::unique_ptr<Listener>>> VirtualNetworkDoor::listen(Endpoint endpoint) {
  if (!reactor_.alive()) co_return ErrorCode::kClosed;
  PYRALOG_CO_ASSIGN(Endpoint local, network_.claim_port(reactor_, endpoint));
  co_return std::make_unique<VirtualListener>(network_, reactor_, std::move(local));
}

Task<Result<std::unique_ptr<Connection>>> VirtualNetworkDoor::connect(Endpoint endpoint, std::chrono::nanoseconds timeout) {
  ConnectAttempt attempt(network_, reactor_, std::move(endpoint), timeout);
  PYRALOG_CO_ASSIGN(std::shared_ptr<VirtualStream> stream, co_await attempt);
  ++reactor_.counters().network.connected;
  co_return std::make_unique<VirtualConnection>(network_, std::move(stream), 0);
}

void ConnectAttempt::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  reactor_.wait_begins();
  const std::optional<NodeId> node = network_.resolve(target_.host, reactor_.node());
  if (!reactor_.alive() || !node.has_value()) {
    outcome_ = Error(reactor_.alive() ? ErrorCode::kUnavailable : ErrorCode::kClosed, target_.to_string());
    reactor_.complete(handle);
    return;
  }
  target_node_ = *node;
  id_ = network_.attempt_sequence_++;
  network_.attempts_.emplace(id_, this);
  network_.world_.schedule(timeout_, [network = &network_, id = id_] {
    network->finish_attempt(id, Error(ErrorCode::kTimedOut, "no answer"));
  });
  network_.attempt(id_, kFirstConnectRetry);
}

void VirtualNetwork::attempt(std::uint64_t id, Duration next_retry) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end() || found->second->is_answered_) return;
  ConnectAttempt& attempt_now = *found->second;
  const NodeId from = attempt_now.reactor_.node(), to = attempt_now.target_node_;
  world_.schedule(delay(from, to, 0), [this, id] { knock(id); });
  world_.schedule(next_retry, [this, id, next_retry] { attempt(id, next_retry * 2); });
}

void VirtualNetwork::knock(std::uint64_t id) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end() || found->second->is_answered_) return;
  ConnectAttempt& knocking = *found->second;
  const NodeId from = knocking.reactor_.node(), to = knocking.target_node_;
  if (is_cut(from, to) || is_cut(to, from) || !has_power(to)) return;
  VirtualListener* listener = pick_listener(to, knocking.target_);
  if (listener != nullptr && listener->waiting_.size() >= options_.backlog_max) return;
  knocking.is_answered_ = true;
  Result<Stream> outcome = Error(ErrorCode::kUnavailable, knocking.target_.to_string() + ": connection refused");
  if (listener != nullptr) {
    outcome = open_stream(knocking, *listener);
    world_.trace(kTraceConnect, (*outcome)->id);
  }
  world_.schedule(delay(to, from, 0), [this, id, from, to, outcome = std::move(outcome)] {
    if (!is_cut(to, from)) {
      finish_attempt(id, outcome);
    } else if (outcome.ok()) {
      close(*outcome, 0);  // the answer is swallowed: nobody will own that end
    }
  });
}

VirtualNetwork::Stream VirtualNetwork::open_stream(ConnectAttempt& attempt, VirtualListener& listener) {
  forget_finished_streams();
  auto stream = std::make_shared<VirtualStream>();
  stream->id = stream_sequence_++;
  const bool loopback = attempt.target_.is_loopback();
  const NodeId nodes[2] = {attempt.reactor_.node(), attempt.target_node_};
  VirtualReactor* reactors[2] = {&attempt.reactor_, &listener.reactor_};
  const std::uint16_t ports[2] = {ephemeral_port(nodes[0]), attempt.target_.port};
  for (unsigned side = 0; side < 2; ++side) {
    stream->sides[side].node = nodes[side];
    stream->sides[side].reactor = reactors[side];
    stream->sides[side].local = Endpoint{.host = loopback ? "127.0.0.1" : address(nodes[side]), .port = ports[side]};
  }
  streams_.emplace(stream->id, stream);
  listener.waiting_.push_back(stream);
  OutsideWait::wake(&listener.reactor_, listener.acceptor_);
  return stream;
}

void VirtualNetwork::finish_attempt(std::uint64_t id, Result<Stream> outcome) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end()) {
    // Given up meanwhile: the end that accepted learns it.
    if (outcome.ok()) close(*outcome, 0);
    return;
  }
  ConnectAttempt& attempt = *found->second;
  attempts_.erase(found);
  if (outcome.ok()) {
    ++counters_.connected;
  } else {
    ++(outcome.error() == ErrorCode::kTimedOut ? counters_.timed_out : counters_.refused);
  }
  attempt.outcome_ = std::move(outcome);
  attempt.reactor_.complete(attempt.handle_);
}

void VirtualNetwork::heal(NodeId from, NodeId to) {
  if (cuts_.erase({from, to}) == 0) return;
  for (const auto& [id, weak] : streams_) {
    if (Stream stream = weak.lock()) release_held(stream, from, to);
  }
}

void VirtualNetwork::heal_all() {
  while (!cuts_.empty()) {
    const auto [from, to] = *cuts_.begin();
    heal(from, to);
  }
}

void VirtualNetwork::stall(NodeId from, NodeId to, Duration span) {
  cut(from, to);
  world_.schedule(span, [this, from, to] { heal(from, to); });
}

void VirtualNetwork::reset_connections(NodeId a, NodeId b) {
  for (const auto& [id, weak] : streams_) {
    const Stream stream = weak.lock();
    if (stream == nullptr) continue;
    const NodeId first = stream->sides[0].node, second = stream->sides[1].node;
    if ((first != a || second != b) && (first != b || second != a)) continue;
    take_reset(*stream, 0);
    take_reset(*stream, 1);
  }
}

void VirtualNetwork::crash(NodeId node, CrashMode mode) {
  if (mode != CrashMode::kKill) dark_.insert(node);
  for (auto entry = listeners_.begin(); entry != listeners_.end();) {
    if (entry->first.first != node) {
      ++entry;
      continue;
    }
    for (VirtualListener* listener : entry->second) OutsideWait::wake(&listener->reactor_, listener->acceptor_);
    entry = listeners_.erase(entry);
  }
  std::vector<std::uint64_t> ended;
  for (const auto& [id, attempt] : attempts_) {
    if (attempt->reactor_.node() == node) ended.push_back(id);
  }
  for (std::uint64_t id : ended) finish_attempt(id, ErrorCode::kClosed);
  for (const auto& [id, weak] : streams_) {
    const Stream stream = weak.lock();
    for (unsigned side = 0; stream != nullptr && side < 2; ++side) {
      if (stream->sides[side].node == node) leave(stream, side, mode);
    }
  }
}

void VirtualNetwork::forget_finished_streams() {
  if (streams_.size() < streams_swept_at_) return;
  std::erase_if(streams_, [](const auto& entry) { return entry.second.expired(); });
  streams_swept_at_ = std::max<std::size_t>(64, 2 * streams_.size());
}

}  // namespace pyralog::io
