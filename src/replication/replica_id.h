#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "core/ids.h"
#include "raft/ids.h"

namespace pyralog::replication {

using raft::ReplicaId;  // who holds a copy

/// Differs at each start of a process. Not ordered: only equality says something.
using BootId = StrongId<struct BootIdTag, std::uint64_t>;

/// In whose name records are stored: one leader per epoch.
struct Ballot {
  LeaderEpoch epoch = kNoLeaderEpoch;
  ReplicaId leader;
  friend constexpr bool operator==(const Ballot&, const Ballot&) = default;
};

/// What a replica has sworn: nothing of an older epoch is accepted any more, and in this epoch only from this leader. A vote
/// or a seal promises the epoch and leaves the leader open. Durable before anything is answered on its word.
struct Promise {
  LeaderEpoch epoch = kNoLeaderEpoch;
  std::optional<ReplicaId> leader;
  friend constexpr bool operator==(const Promise&, const Promise&) = default;
};

enum class Fencing : std::uint8_t {
  kPass,        ///< as promised before
  kRaise,       ///< once `raised` is durable
  kFenced,      ///< of an older epoch
  kTwoLeaders,  ///< another leader in the same epoch: cannot be; raise an alarm and refuse
};

/// Whether something of `ballot` may be accepted under `promise` (replication.md §6). The target's identity was checked.
constexpr Fencing check_fence(const Promise& promise, const Ballot& ballot) noexcept {
  if (ballot.epoch < promise.epoch) return Fencing::kFenced;
  if (ballot.epoch > promise.epoch || !promise.leader.has_value()) return Fencing::kRaise;
  return *promise.leader == ballot.leader ? Fencing::kPass : Fencing::kTwoLeaders;
}

/// The promise that accepting something of `ballot` needs.
constexpr Promise raised(const Ballot& ballot) noexcept { return {.epoch = ballot.epoch, .leader = ballot.leader}; }

}  // namespace pyralog::replication
