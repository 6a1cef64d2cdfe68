#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/random.h"
#include "core/time.h"
#include "io/network.h"
#include "io/virtual_disk.h"

namespace pyralog::io {

class VirtualReactor;
class VirtualWorld;
class VirtualListener;
struct VirtualSegment;
struct VirtualStream;
class ConnectAttempt;

/// What one direction between two nodes is like. May be changed at any time.
struct VirtualLink {
  LatencyRange latency{std::chrono::microseconds(50), std::chrono::microseconds(500)};
  std::uint64_t bytes_per_second = 0;    ///< 0: no limit
  std::uint32_t lost_per_thousand = 0;   ///< of segments: they, and the stream behind them, arrive a retransmission later
};

struct VirtualNetworkOptions {
  VirtualLink link;  ///< what a link is like when it is first used
  VirtualLink loopback{.latency = {std::chrono::microseconds(5), std::chrono::microseconds(20)}};
  std::size_t window_bytes = 256u << 10;   ///< sent and not yet read, per direction of a connection
  std::uint32_t split_per_thousand = 250;  ///< reads and writes that take only a part of what they could
  std::size_t backlog_max = 128;           ///< connections that wait to be accepted; beyond, attempts get no answer
};

/// How often each thing really happened.
struct VirtualNetworkCounters {
  std::uint64_t connected = 0, refused = 0, timed_out = 0;
  std::uint64_t segments_delivered = 0, segments_held_by_cuts = 0, segments_lost = 0;
  std::uint64_t resets = 0, splits = 0;
};

/// The network between all nodes of a world: TCP as processes see it. Within a connection bytes neither vanish nor change
/// places, but arrive in pieces, late, or never; between connections any order is possible.
///
/// Node n has the address 10.a.b.c made of its id's bytes and the name "node-n"; loopback addresses are the node itself;
/// 0.0.0.0 and :: listen on all. A killed process ends its connections (with or without its last bytes) and refuses new
/// ones; a node without power is silent until it is started again, and then resets what its peers still hold open.
class VirtualNetwork {
 public:
  VirtualNetwork(VirtualWorld& world, std::uint64_t seed);
  VirtualNetwork(const VirtualNetwork&) = delete;
  ~VirtualNetwork();

  VirtualNetworkOptions& options() noexcept { return options_; }
  const VirtualNetworkCounters& counters() const noexcept { return counters_; }
  VirtualLink& link(NodeId from, NodeId to);
  std::string address(NodeId node) const;
  /// Another name of a node, for advertised addresses.
  void add_name(std::string name, NodeId node) { names_[std::move(name)] = node; }

  // Faults.
  /// From now on nothing gets through in this direction: streams and connection attempts wait, time out above, or go on
  /// after `heal` and a retransmission time.
  void cut(NodeId from, NodeId to) { cuts_.insert({from, to}); }
  void heal(NodeId from, NodeId to);
  void cut_both(NodeId a, NodeId b) { cut(a, b), cut(b, a); }
  void heal_both(NodeId a, NodeId b) { heal(a, b), heal(b, a); }
  void heal_all();
  void stall(NodeId from, NodeId to, Duration span);
  /// Resets every connection between the two nodes now; what was on its way is lost, mid-frame or not.
  void reset_connections(NodeId a, NodeId b);
  /// The node's next accepts fail with kLimitExceeded.
  void fail_next_accepts(NodeId node, unsigned count) { accept_failures_[node] += count; }
  /// Another process of the node has this port: listening there fails with kAddressInUse.
  void occupy_port(NodeId node, std::uint16_t port) { occupied_.insert({node, port}); }

  // For the other parts of the simulation.
  std::unique_ptr<Network> door(VirtualReactor& reactor);
  void crash(NodeId node, CrashMode mode);

 private:
  friend class VirtualNetworkDoor;
  friend class VirtualConnection;
  friend class VirtualListener;
  friend class ConnectAttempt;
  using Stream = std::shared_ptr<VirtualStream>;
  using Listeners = std::map<std::pair<NodeId, std::uint16_t>, std::vector<VirtualListener*>>;

  bool is_cut(NodeId from, NodeId to) const { return cuts_.contains({from, to}); }
  bool has_power(NodeId node) const { return !dark_.contains(node); }
  Duration delay(NodeId from, NodeId to, std::size_t bytes);
  Duration retransmission() { return Duration(static_cast<Duration::rep>(random_.between(200'000'000, 1'500'000'000))); }
  std::size_t part_of(std::size_t bytes);

  // virtual_network.cc: names, ports, connecting
  std::optional<NodeId> resolve(const std::string& host, NodeId from) const;
  Result<Endpoint> claim_port(VirtualReactor& reactor, const Endpoint& wanted);
  std::uint16_t ephemeral_port(NodeId node);
  VirtualListener* pick_listener(NodeId node, const Endpoint& target);
  void attempt(std::uint64_t id, Duration next_retry);
  void knock(std::uint64_t id);
  void finish_attempt(std::uint64_t id, Result<Stream> outcome);
  Stream open_stream(ConnectAttempt& attempt, VirtualListener& listener);

  // virtual_stream.cc: bytes
  void send(const Stream& stream, unsigned from, VirtualSegment segment);
  void arrive(const Stream& stream, unsigned from, VirtualSegment segment);
  void deliver(const Stream& stream, unsigned from, VirtualSegment segment);
  void give_credit(const Stream& stream, unsigned to, std::size_t bytes);
  void send_reset(const Stream& stream, unsigned to);
  void take_reset(VirtualStream& stream, unsigned at);
  void close(const Stream& stream, unsigned side);
  void release_held(const Stream& stream, NodeId from, NodeId to);
  void leave(const Stream& stream, unsigned side, CrashMode mode);
  void forget_finished_streams();

  VirtualWorld& world_;
  Random random_;
  VirtualNetworkOptions options_;
  VirtualNetworkCounters counters_;
  std::map<std::pair<NodeId, NodeId>, VirtualLink> links_;
  std::map<std::pair<NodeId, NodeId>, MonotonicTime> link_busy_until_;
  std::map<std::string, NodeId> names_;
  std::set<NodeId> nodes_;
  std::set<std::pair<NodeId, NodeId>> cuts_;
  std::set<NodeId> dark_;  // without power
  std::set<std::pair<NodeId, std::uint16_t>> occupied_;
  std::map<NodeId, unsigned> accept_failures_;
  std::map<NodeId, std::uint16_t> next_port_;
  Listeners listeners_;
  std::map<std::uint64_t, std::weak_ptr<VirtualStream>> streams_;
  std::map<std::uint64_t, ConnectAttempt*> attempts_;
  std::uint64_t stream_sequence_ = 0;
  std::uint64_t attempt_sequence_ = 0;
  std::size_t streams_swept_at_ = 64;
};

}  // namespace pyralog::io
