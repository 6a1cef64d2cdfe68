#include "multiraft/node_liveness.h"

#include <algorithm>

namespace pyralog::multiraft {

void NodeLiveness::add(const raft::ReplicaId& peer, MonotonicTime now) {
  peers_.try_emplace(peer, Peer{.suspect_at = now + options_.suspicion});
}

void NodeLiveness::heard(const raft::ReplicaId& peer, const HeartbeatBatch& batch, MonotonicTime now) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  Peer& known = found->second;
  if (batch.boot == known.boot_before || (batch.boot == known.boot && batch.sequence <= known.sequence)) return;
  if (batch.boot != known.boot) {
    // Known before, if only by `add`: what it led, it leads no more.
    if (known.boot != BootId(0)) suspect(peer, known);
    known.boot_before = known.boot;
    known.boot = batch.boot;
    known.shards.clear();
  }
  known.sequence = batch.sequence;
  lives(peer, known, now);
  watch_shards(peer, known, batch, now);
}

void NodeLiveness::heard_frame(const raft::ReplicaId& peer, MonotonicTime now) {
  const auto found = peers_.find(peer);
  // Who is suspected may have restarted; its next heartbeat tells.
  if (found != peers_.end() && !found->second.is_suspected) found->second.suspect_at = now + options_.suspicion;
}

void NodeLiveness::connection_reset(const raft::ReplicaId& peer, MonotonicTime now) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  found->second.suspect_at = std::min(found->second.suspect_at, now + options_.reset_suspicion);
}

void NodeLiveness::tick(MonotonicTime now) {
  const Duration late = ticked_at_ ? now - *ticked_at_ - options_.interval : Duration{};
  // Allowed for until it has been on time for a while.
  lateness_ = std::min(std::max(late, lateness_ / 2), options_.lateness_max);
  ticked_at_ = now;
  for (auto& [id, peer] : peers_) {
    if (peer.suspect_at + lateness_ <= now) suspect(id, peer);
  }
}

bool NodeLiveness::is_suspected(const raft::ReplicaId& peer) const {
  const auto found = peers_.find(peer);
  return found == peers_.end() || found->second.is_suspected;
}

bool NodeLiveness::is_suspected(const raft::ReplicaId& peer, ShardId shard) const {
  const auto found = peers_.find(peer);
  if (found == peers_.end() || found->second.is_suspected) return true;
  const auto& shards = found->second.shards;
  return shard.value < shards.size() && shards[shard.value].is_suspected;
}

void NodeLiveness::fill(HeartbeatBatch& batch, const raft::ReplicaId& to) const {
  const auto found = peers_.find(to);
  if (found == peers_.end()) return;
  batch.heard_boot = found->second.boot;
  batch.heard_sequence = found->second.sequence;
  batch.suspicions = found->second.suspicions;
}

void NodeLiveness::suspect(const raft::ReplicaId& id, Peer& peer) {
  if (!peer.is_suspected) ++peer.suspicions;
  change(id, std::nullopt, peer.is_suspected, true);
}

void NodeLiveness::change(const raft::ReplicaId& id, std::optional<ShardId> shard, bool& is_suspected, bool suspect) {
  if (is_suspected == suspect) return;
  is_suspected = suspect;
  changes_.push_back({.peer = id, .shard = shard, .is_alive = !suspect});
}

void NodeLiveness::lives(const raft::ReplicaId& id, Peer& peer, MonotonicTime now) {
  peer.suspect_at = now + options_.suspicion;
  if (peer.is_suspected) {
    // Its shards did not stand still while nothing was heard, as far as anybody knows.
    for (Shard& shard : peer.shards) shard.moved_at = now;
  }
  change(id, std::nullopt, peer.is_suspected, false);
}

void NodeLiveness::watch_shards(const raft::ReplicaId& id, Peer& peer, const HeartbeatBatch& batch, MonotonicTime now) {
  const auto& counters = batch.shard_counters;
  if (peer.shards.size() != counters.size()) peer.shards.assign(counters.size(), Shard{.moved_at = now});
  for (std::size_t i = 0; i < counters.size(); ++i) {
    Shard& shard = peer.shards[i];
    const ShardId name(static_cast<std::uint32_t>(i));
    if (shard.counter != counters[i]) {
      shard.counter = counters[i];
      shard.moved_at = now;
      change(id, name, shard.is_suspected, false);
    } else if (now - shard.moved_at >= options_.shard_stall) {
      change(id, name, shard.is_suspected, true);
    }
  }
}

}  // namespace pyralog::multiraft
