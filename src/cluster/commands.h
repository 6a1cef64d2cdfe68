#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cluster/settings.h"
#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"

/// The metadata log's commands: every change to what the cluster has agreed on. A command is a value; its bytes
/// (`format.md`) are what the metadata log stores and Raft carries. `MetadataImage::apply` gives them their meaning,
/// which depends on nothing but the image and the command, so every node that applies the same log has the same image.
namespace pyralog::cluster {

/// Counts a node's starts, from 1. Each start raises the leader epoch of every partition the node leads.
using StartEpoch = StrongId<struct StartEpochTag, std::int32_t>;

/// Position in the metadata log, from 1; 0 is the empty image.
using MetadataIndex = StrongId<struct MetadataIndexTag, std::uint64_t>;

/// Where one partition's copies live. The first node is the preferred leader; nodes are distinct.
struct PartitionPlacement {
  std::vector<NodeId> replicas;
  friend bool operator==(const PartitionPlacement&, const PartitionPlacement&) = default;
};

/// The first command of every metadata log.
struct FoundCluster {
  Uuid cluster_id;
  friend bool operator==(const FoundCluster&, const FoundCluster&) = default;
};

/// A node has started: registers it when it is new, and raises the leader epoch of everything it leads. One command,
/// however many partitions that is. `epoch` is one above the node's last one (a new node's is 1), so a repeated command
/// changes nothing.
struct NodeStarted {
  NodeId node;
  StartEpoch epoch;
  std::string rack;  ///< empty: none
  friend bool operator==(const NodeStarted&, const NodeStarted&) = default;
};

/// Creates a log. Its partitions get the next free incarnations, in order.
struct CreateLog {
  LogId id;
  std::string name;
  std::vector<PartitionPlacement> partitions;
  std::vector<Setting> settings;
  friend bool operator==(const CreateLog&, const CreateLog&) = default;
};

struct DeleteLog {
  LogId id;
  friend bool operator==(const DeleteLog&, const DeleteLog&) = default;
};

/// Appends partitions to a log that has exactly `partition_count` now, so a repeated command changes nothing.
struct AddPartitions {
  LogId id;
  std::uint32_t partition_count = 0;
  std::vector<PartitionPlacement> partitions;
  friend bool operator==(const AddPartitions&, const AddPartitions&) = default;
};

struct AlterLogSettings {
  LogId id;
  std::vector<SettingChange> changes;
  friend bool operator==(const AlterLogSettings&, const AlterLogSettings&) = default;
};

/// Dynamic settings of one node, or, without a node, the defaults of all.
struct AlterNodeSettings {
  std::optional<NodeId> node;
  std::vector<SettingChange> changes;
  friend bool operator==(const AlterNodeSettings&, const AlterNodeSettings&) = default;
};

/// Hands `count` producer ids to `node`: those from `next_producer_id()` of the image before to that of the image
/// after.
struct AllocateProducerIds {
  NodeId node;
  std::uint32_t count = 0;
  friend bool operator==(const AllocateProducerIds&, const AllocateProducerIds&) = default;
};

/// Sets what all voters support. Level 0 removes the feature.
struct SetFeatureLevel {
  std::string feature;
  std::int16_t level = 0;
  friend bool operator==(const SetFeatureLevel&, const SetFeatureLevel&) = default;
};

using Command = std::variant<FoundCluster, NodeStarted, CreateLog, DeleteLog, AddPartitions, AlterLogSettings,
                             AlterNodeSettings, AllocateProducerIds, SetFeatureLevel>;

/// The kind's name, for logs: "create-log".
std::string_view command_name(const Command& command);

std::vector<std::byte> encode_command(const Command& command);

/// Checks everything about the bytes (kCorrupt, kTruncated), refuses kinds and versions of later releases
/// (kUnsupportedVersion). Whether the command makes sense is for `MetadataImage::apply`.
Result<Command> decode_command(ByteView bytes);

}  // namespace pyralog::cluster
