#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cluster_client.h"

/// What administrators ask about consumer groups. Each function finds the group's coordinator and waits a bounded time for
/// one that is just moving or loading; `cluster` outlives the call. Groups of the classic protocol.
namespace pyralog::client {

/// The node that coordinates `group`. Waits for a coordinator like all functions here.
io::Task<Result<NodeId>> coordinator_of(ClusterClient& cluster, std::string group);

struct GroupSummary {
  std::string id;
  std::string state;          ///< as Kafka names it: Empty, PreparingRebalance, CompletingRebalance, Stable, Dead
  std::string protocol_type;  ///< "consumer" for consumers
  NodeId coordinator;
};
/// By id. kUnavailable if a node cannot be asked: its groups would be missing.
io::Task<Result<std::vector<GroupSummary>>> list_groups(ClusterClient& cluster);

using LogPartition = std::pair<std::string, PartitionIndex>;

struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id;  ///< of a static member
  std::string client_id;
  std::string host;
  /// Sorted. kCorrupt where the group says "consumer" and its bytes are not what consumers agree on.
  Result<std::vector<LogPartition>> partitions;
};
struct GroupInfo {
  std::string id;
  std::string state;
  std::string protocol_type;
  std::string protocol;  ///< the balancer of a stable group, else empty
  NodeId coordinator;
  std::vector<GroupMember> members;
};
/// kNotFound.
io::Task<Result<GroupInfo>> describe_group(ClusterClient& cluster, std::string group);

using GroupOffsets = std::map<LogPartition, Offset>;

/// All that is committed; empty for a group that there is not.
io::Task<Result<GroupOffsets>> committed_offsets(ClusterClient& cluster, std::string group);
/// Sets offsets of a group without members, and makes the group where there is none. Refused while it has members.
io::Task<Result<>> commit_offsets(ClusterClient& cluster, std::string group, GroupOffsets offsets);
/// Takes these members out, as if they had left; one that is gone already is no failure.
io::Task<Result<>> remove_members(ClusterClient& cluster, std::string group, std::vector<GroupMember> members);
/// The group and its offsets. Refused while it has members. kNotFound.
io::Task<Result<>> delete_group(ClusterClient& cluster, std::string group);

/// The partitions in an assignment as consumers write it for each other (Kafka's ConsumerProtocolAssignment, any version),
/// sorted; none in no bytes at all. kCorrupt.
Result<std::vector<LogPartition>> parse_assignment(ByteView bytes);

}  // namespace pyralog::client
