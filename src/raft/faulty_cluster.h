#pragma once

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "raft/simulated_cluster.h"

namespace pyralog::raft {

/// What can go wrong with a simulated cluster, one thing at each call.
class FaultyCluster : public SimulatedCluster {
 protected:
  using SimulatedCluster::SimulatedCluster;

  char any() { return std::next(replicas_.begin(), static_cast<std::ptrdiff_t>(random_.below(replicas_.size())))->first; }
  std::optional<char> any_leader() {
    std::vector<char> leaders;
    for (const auto& [name, replica] : replicas_) {
      if (replica.is_up() && replica.group->role() == Role::kLeader) leaders.push_back(name);
    }
    if (leaders.empty()) return std::nullopt;
    return leaders[random_.below(leaders.size())];
  }

  /// Elections that nothing calls for, and restarts in the middle of writes.
  void storm() {
    const char name = any();
    SimulatedReplica& replica = replicas_.at(name);
    if (!replica.is_up()) return start(name);
    if (random_.chance(1, 4)) cut_.clear();
    if (!replica.writing.empty() && random_.chance(2, 3)) {
      happened(Happened::kRestartedAtOnce);
      crash(name);
      return start(name);
    }
    if (replica.group->stand(now_).ok()) happened(Happened::kStoodUnasked);
    drain(name);
  }

  void fault() {
    const char name = any();
    const char other = any();
    SimulatedReplica& replica = replicas_.at(name);
    switch (random_.below(8)) {
      case 0:
        return cut_off(name);
      case 1:
        if (name != other) cut_.insert({name, other}), happened(Happened::kOneWayCut);
        return;
      case 2:
      case 3:
        return cut_.clear();
      case 4:
        return replica.is_up() ? crash(name) : start(name);
      case 5:
        if (may_wipe(replica)) wipe(name);
        return;
      default:
        for (auto& [down, one] : replicas_) {
          if (!one.is_up()) return start(down);
        }
    }
  }
  void cut_off(char name) {
    happened(Happened::kCut);
    for (const auto& [other, replica] : replicas_) {
      if (other != name) cut_.insert({name, other}), cut_.insert({other, name});
    }
  }
  /// A disk may go when what a majority holds survives that: nobody else's is gone, and everybody agrees on the members.
  bool may_wipe(const SimulatedReplica& victim) const {
    std::optional<Configuration> agreed;
    for (const auto& [name, replica] : replicas_) {
      if (!replica.is_up()) return false;
      const Configuration& here = replica.group->configuration();
      if (here.members.empty()) continue;
      if (!agreed) agreed = here;
      const bool is_decided = replica.group->log().configuration_index() <= replica.group->commit();
      if (here != *agreed || here.is_joint || !is_decided) return false;
    }
    if (!agreed || std::ranges::any_of(agreed->members, [&](const Member& m) { return is_dead(m.id); })) return false;
    const auto data = std::ranges::count_if(agreed->members, [](const Member& m) { return m.is_voter && !m.is_witness; });
    return !agreed->has_voter(victim.id) || (data > 2 || (data > 1 && agreed->has_quorum([&](const ReplicaId& id) {
                                                                 return id != victim.id;
                                                               })));
  }
};

}  // namespace pyralog::raft
