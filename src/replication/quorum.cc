#include "replication/quorum.h"

#include <fmt/format.h>

namespace pyralog::replication {

Result<> check_replica_set(const ReplicaSet& set) {
  if (set.members.empty()) return Error(ErrorCode::kInvalidArgument, "a replica set has no members");
  if (std::ranges::adjacent_find(set.members, std::ranges::greater_equal()) != set.members.end()) {
    return Error(ErrorCode::kInvalidArgument, "a replica set names a replica twice, or is not sorted");
  }
  if (set.write_quorum < 1 || set.write_quorum > set.members.size()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a write quorum of {} among {} replicas", set.write_quorum, set.members.size()));
  }
  return {};
}

std::vector<ReplicaId> DataConfiguration::everyone() const {
  std::vector<ReplicaId> all = current.members;
  if (next.has_value()) std::ranges::set_union(current.members, next->members, (all.clear(), std::back_inserter(all)));
  return all;
}

}  // namespace pyralog::replication
