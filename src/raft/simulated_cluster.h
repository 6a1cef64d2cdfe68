#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "raft/planted.h"
#include "raft/simulated_replica.h"

namespace pyralog::raft {

/// Replicas of one group on a network, disks and a clock of their own, all from a seed. The network drops, doubles and
/// delays; a crash loses what was not synced, or part of it; who is not heard is suspected.
class SimulatedCluster : protected EventQueue {
 public:
  using Counts = std::array<std::uint64_t, static_cast<std::size_t>(Happened::kCount)>;

  SimulatedCluster(const SimulatedCluster&) = delete;
  const std::string& failure() const noexcept { return checks_.failure(); }
  const Counts& counts() const noexcept { return counts_; }
  std::uint64_t trace() const noexcept { return trace_; }  ///< a hash over what was delivered

 protected:
  static constexpr Duration kHeartbeat = std::chrono::milliseconds(40);
  static constexpr Duration kSuspicion = std::chrono::milliseconds(150);

  explicit SimulatedCluster(std::uint64_t seed) : random_(seed) {}

  void happened(Happened what) { ++counts_[static_cast<std::size_t>(what)]; }
  static Duration ms(std::uint64_t count) { return std::chrono::milliseconds(count); }

  /// Until `end`, or the first failure.
  void run_until(MonotonicTime end) {
    while (failure().empty() && run_next(end)) {
    }
  }

  void add(char name, ConfigurationPtr founding) {
    SimulatedReplica& replica = replicas_[name];
    replica.id = fresh_id(name);
    replica.durable = {.hard = {}, .snapshot = {.index = {}, .term = {}, .configuration = std::move(founding)}, .entries = {}};
    start(name);
    beat(name);
  }
  ReplicaId fresh_id(char name) {
    ReplicaId id{.node = NodeId(name)};
    id.disk.bytes[0] = ++disks_;
    identities_.push_back(id);
    return id;
  }
  void start(char name) {
    SimulatedReplica& replica = replicas_.at(name);
    ++replica.boot;
    replica.heard.clear(), replica.tick_at.reset();
    replica.state = {};
    if (replica.durable.snapshot.index > RaftIndex(0)) replica.state = checks_.state_at(replica.durable.snapshot);
    auto opened = Group::open(options_, replica.id, replica.durable, random_.fork(), now_);
    if (!opened.ok()) return checks_.fail("a replica cannot start: " + opened.error().to_string());
    replica.group = std::move(*opened);
    drain(name);
  }
  void crash(char name) {
    SimulatedReplica& replica = replicas_.at(name);
    const std::size_t kept = random_.below(replica.writing.size() + 1);
    if (kept > 0) happened(Happened::kKeptUnsynced);
    if (kept < replica.writing.size()) happened(Happened::kLostUnsynced);
    for (std::size_t i = 0; i < kept; ++i) write(replica, replica.writing[i].persist);
    replica.writing.clear();
    replica.group.reset();
    happened(Happened::kCrashed);
  }
  /// The replica comes back as somebody who knows nothing.
  void wipe(char name) {
    crash(name);
    SimulatedReplica& replica = replicas_.at(name);
    if (!planted(Bug::kWipedReplicaKeepsName)) {
      dead_.push_back(replica.id);
      replica.id = fresh_id(name);
    }
    replica.durable = {};
    replica.durable.snapshot.configuration = std::make_shared<const Configuration>();
    happened(Happened::kWiped);
    start(name);
  }
  bool is_dead(const ReplicaId& id) const { return std::ranges::find(dead_, id) != dead_.end(); }
  /// Carries out what came out of a group.
  void drain(char name) {
    SimulatedReplica& replica = replicas_.at(name);
    Group& group = *replica.group;
    for (;;) {
      Output out = group.take_output();
      if (out.persist) persist(name, std::move(*out.persist));
      for (Message& message : out.messages) send(std::move(message));
      if (out.restored) restore(replica, *out.restored);
      for (const Committed& committed : out.committed) checks_.applied(replica.id, replica.durable, replica.state, committed);
      for (const RoleChange& role : out.roles) note_role(replica, role);
      for (const ReadAnswer& answer : out.reads) {
        happened(answer.index ? Happened::kRead : Happened::kReadFailed);
        checks_.read_answered(answer);
      }
      if (out.transfer_failed) happened(Happened::kTransferFailed);
      if (!out.persist && out.messages.empty()) break;
    }
    checks_.saw_commit(group.commit());
    if (group.commit() > group.log().last_index()) checks_.fail("committed beyond the log");
    schedule_tick(name);
  }

  void send(Message message) {
    const std::pair link(Describe::name(message.from), Describe::name(message.to));
    if (std::holds_alternative<InstallSnapshot>(message.body)) end_snapshot(link.first, message.to);
    const auto* vote = std::get_if<VoteReply>(&message.body);
    if (vote != nullptr && vote->granted && !vote->is_pre) checks_.votes(message.from, vote->asked, message.to);
    if (cut_.contains(link)) return;
    if (random_.chance(drop_percent_, 100)) return happened(Happened::kDropped);
    std::uint64_t copies = 1;
    if (random_.chance(duplicate_percent_, 100)) ++copies, happened(Happened::kDuplicated);
    for (std::uint64_t i = 0; i < copies; ++i) {
      std::uint64_t delay_us = random_.between(100, 3'000);
      if (random_.chance(delay_percent_, 100)) delay_us += random_.below(400'000), happened(Happened::kDelayed);
      at(now_ + std::chrono::microseconds(delay_us), [this, message] { deliver(message); });
    }
  }

  Random random_;
  GroupOptions options_;
  ClusterChecks checks_;
  std::map<char, SimulatedReplica> replicas_;
  std::vector<ReplicaId> identities_;  // that ever were
  std::vector<ReplicaId> dead_;
  std::set<std::pair<char, char>> cut_;
  std::uint64_t drop_percent_ = 0, duplicate_percent_ = 0, delay_percent_ = 0, stall_percent_ = 0;

 private:
  void write(SimulatedReplica& replica, const Persist& persist) {
    if (persist.hard.vote) checks_.votes(replica.id, persist.hard.term, *persist.hard.vote);
    write_to(replica.durable, persist);
  }
  void persist(char name, Persist persist) {
    SimulatedReplica& replica = replicas_.at(name);
    if (persist.first <= replica.state.applied) checks_.fail("an applied entry is written again");
    if (persist.first <= replica.durable_last()) happened(Happened::kTruncated);
    checks_.configuration_is_newest(*replica.group);
    Duration wait = std::chrono::microseconds(random_.between(200, 4'000));
    if (random_.chance(stall_percent_, 100)) wait += ms(random_.below(200)), happened(Happened::kDiskStalled);
    MonotonicTime done_at = now_ + wait;
    if (!replica.writing.empty()) done_at = std::max(done_at, replica.writing.back().done_at);
    replica.writing.push_back({.persist = std::move(persist), .done_at = done_at});
    at(done_at, [this, name, boot = replica.boot] { synced(name, boot); });
  }
  void synced(char name, std::uint64_t boot) {
    SimulatedReplica& replica = replicas_.at(name);
    if (!replica.is_up() || replica.boot != boot) return;
    PersistId done{};
    while (!replica.writing.empty() && replica.writing.front().done_at <= now_) {
      done = replica.writing.front().persist.id;
      write(replica, replica.writing.front().persist);
      replica.writing.pop_front();
    }
    if (done == PersistId{}) return;
    replica.group->persisted(done, now_);
    drain(name);
  }
  void restore(SimulatedReplica& replica, const SnapshotMeta& snapshot) {
    happened(Happened::kInstalledSnapshot);
    if (snapshot.index < replica.state.applied) checks_.fail("a snapshot takes the state back");
    replica.state = checks_.state_at(snapshot);
  }
  void note_role(const SimulatedReplica& replica, const RoleChange& role) {
    if (role.role != Role::kLeader) return;
    happened(role.is_caretaker ? Happened::kCaretaker : Happened::kElected);
    checks_.leads(replica.id, replica.boot, role.term, replica.group->log());
  }
  /// The sender hears that the transfer is over, whatever became of it.
  void end_snapshot(char from, const ReplicaId& to) {
    at(now_ + ms(300), [this, from, to] {
      if (!replicas_.at(from).is_up()) return;
      replicas_.at(from).group->snapshot_ended(to, now_);
      drain(from);
    });
  }
  void schedule_tick(char name) {
    SimulatedReplica& replica = replicas_.at(name);
    const auto next = replica.group->next_deadline();
    if (!next || (replica.tick_at && *replica.tick_at <= *next)) return;
    replica.tick_at = std::max(*next, now_);
    at(*replica.tick_at, [this, name, boot = replica.boot] {
      SimulatedReplica& ticked = replicas_.at(name);
      if (!ticked.is_up() || ticked.boot != boot) return;
      ticked.tick_at.reset();
      ticked.group->tick(now_);
      drain(name);
    });
  }
  void deliver(const Message& message) {
    const char name = Describe::name(message.to);
    SimulatedReplica& replica = replicas_.at(name);
    const auto when = static_cast<std::uint64_t>(now_.time_since_epoch().count());
    trace_ = (trace_ ^ message.body.index() ^ when) * 0x9E3779B97F4A7C15ull;
    if (!replica.is_up() || replica.id != message.to) return;
    const bool is_shorter = std::holds_alternative<VoteRequest>(message.body) && random_.chance(1, 8);
    if (is_shorter) happened(Happened::kSoftDelayed);
    const auto taken =
        replica.group->step(message, now_, is_shorter ? CandidateTail::kShorter : CandidateTail::kNotShorter);
    if (!taken.ok()) checks_.fail(fmt::format("{} refuses '{}': {}", name, Describe::of(message), taken.error().to_string()));
    drain(name);
  }

  /// A heartbeat to every node, and a look at who has not been heard.
  void beat(char name) {
    at(now_ + kHeartbeat, [this, name] { beat(name); });
    SimulatedReplica& replica = replicas_.at(name);
    if (!replica.is_up()) return;
    for (const auto& [other, to] : replicas_) {
      if (other == name || cut_.contains({name, other}) || random_.chance(drop_percent_, 100)) continue;
      at(now_ + std::chrono::microseconds(random_.between(100, 3'000)),
         [this, other, from = replica.id, boot = replica.boot, heartbeat = replica.group->heartbeat()] {
           hear(other, from, boot, heartbeat);
         });
    }
    for (const ReplicaId& id : identities_) {
      auto [heard, is_new] = replica.heard.try_emplace(id, SimulatedReplica::Heard{.at = now_});
      if (id == replica.id || heard->second.is_suspected || now_ - heard->second.at < kSuspicion) continue;
      heard->second.is_suspected = true;
      replica.group->suspect(id, now_);
    }
    drain(name);
  }
  void hear(char name, const ReplicaId& from, std::uint64_t boot, const Heartbeat& heartbeat) {
    SimulatedReplica& replica = replicas_.at(name);
    if (!replica.is_up()) return;
    auto [heard, is_new] = replica.heard.try_emplace(from, SimulatedReplica::Heard{.at = now_, .boot = boot});
    if (heard->second.boot != 0 && heard->second.boot > boot) return;  // from an earlier life
    if (heard->second.boot != 0 && heard->second.boot != boot) replica.group->suspect(from, now_);
    heard->second = {.at = now_, .boot = boot};
    replica.group->trust(from, now_);
    deliver({.from = from, .to = replica.id, .body = heartbeat});
  }

  Counts counts_{};
  std::uint64_t trace_ = 0;
  std::uint8_t disks_ = 0;
};

}  // namespace pyralog::raft
