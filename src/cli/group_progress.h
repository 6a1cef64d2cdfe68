#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/groups.h"

namespace pyralog::cli {

/// How far a group is in one partition. What could not be learned is absent; `unknown` says why.
struct GroupProgress {
  client::LogPartition place;
  std::optional<Offset> committed;
  std::optional<Offset> start;
  std::optional<Offset> end;
  std::optional<std::int64_t> first_waiting_ms;  ///< when the oldest record that is not consumed was written
  const client::GroupMember* owner = nullptr;
  std::optional<Error> unknown;

  /// Records that wait: from the committed offset, or the start where nothing is committed, to the end.
  std::optional<std::int64_t> lag() const;
  /// How long the oldest record that was not consumed has waited; 0 where none waits.
  std::optional<std::int64_t> lag_seconds(WallTime now) const;
};

/// Of all partitions of the logs that `group` committed to or owns a part of, in order. `group` outlives the result.
io::Task<Result<std::vector<GroupProgress>>> group_progress(client::ClusterClient& cluster, const client::GroupInfo& group);

/// What keeps a group from reading everything, a sentence each; empty where nothing does.
std::vector<std::string> group_problems(const client::GroupInfo& group, const std::vector<GroupProgress>& progress);

}  // namespace pyralog::cli
