#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/result.h"
#include "replication/replica_id.h"

namespace pyralog::replication {

/// Replicas of which `write_quorum` must have a record before it is committed (N and W of replication.md).
struct ReplicaSet {
  std::vector<ReplicaId> members;  ///< sorted, different, not empty
  std::size_t write_quorum = 0;    ///< from 1 to the number of members

  bool contains(const ReplicaId& id) const noexcept { return std::ranges::binary_search(members, id); }
  /// Members that meet every possible write quorum: so many sealed ones know of every committed record.
  std::size_t seal_quorum() const noexcept { return members.size() - write_quorum + 1; }

  friend bool operator==(const ReplicaSet&, const ReplicaSet&) = default;
};

/// Kafka's users expect a majority; never min.insync.replicas, which is a gate (replication.md §4).
constexpr std::size_t default_write_quorum(std::size_t replicas) noexcept { return replicas / 2 + 1; }

/// kInvalidArgument, saying why: no members, the same one twice, unsorted, a write quorum that cannot be.
Result<> check_replica_set(const ReplicaSet& set);

/// The replicas that records need now. While they change, those of both sets count (joint configuration).
struct DataConfiguration {
  ReplicaSet current;
  std::optional<ReplicaSet> next;

  bool is_joint() const noexcept { return next.has_value(); }
  bool contains(const ReplicaId& id) const noexcept {
    return current.contains(id) || (next.has_value() && next->contains(id));
  }
  /// Everyone in either set, sorted.
  std::vector<ReplicaId> everyone() const;

  friend bool operator==(const DataConfiguration&, const DataConfiguration&) = default;
};

/// Whether `has(ReplicaId)` holds for a seal quorum of every set.
template <class Has>
bool is_sealed(const DataConfiguration& configuration, Has has) {
  const auto enough = [&has](const ReplicaSet& set) {
    return static_cast<std::size_t>(std::ranges::count_if(set.members, has)) >= set.seal_quorum();
  };
  return enough(configuration.current) && (!configuration.next.has_value() || enough(*configuration.next));
}

/// The highest offset such that a write quorum of every set has everything below it. `end_of(ReplicaId)`: where the
/// replica's contiguous copy ends.
template <class EndOf>
Offset quorum_end(const DataConfiguration& configuration, EndOf end_of) {
  const auto end_in = [&end_of](const ReplicaSet& set) {
    std::vector<Offset> ends;
    for (const ReplicaId& member : set.members) ends.push_back(end_of(member));
    const auto nth = ends.begin() + static_cast<std::ptrdiff_t>(set.write_quorum - 1);
    std::ranges::nth_element(ends, nth, std::ranges::greater());
    return *nth;
  };
  const Offset end = end_in(configuration.current);
  return configuration.next.has_value() ? std::min(end, end_in(*configuration.next)) : end;
}

}  // namespace pyralog::replication
