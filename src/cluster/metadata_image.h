#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/commands.h"
#include "cluster/hash_trie.h"
#include "cluster/settings.h"
#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"

namespace pyralog::cluster {

struct PartitionMetadata {
  Incarnation incarnation;  ///< storage identity, never reused
  std::int32_t epoch_offset =
      0;                         ///< leader epoch = start epoch of the leader + this; see `MetadataImage::leader_epoch`
  std::vector<NodeId> replicas;  ///< never empty

  NodeId leader() const noexcept { return replicas.front(); }
  friend bool operator==(const PartitionMetadata&, const PartitionMetadata&) = default;
};

/// One log. Immutable; shared by the images that have it unchanged.
struct LogMetadata {
  LogId id;
  std::string name;
  std::vector<PartitionMetadata> partitions;  ///< by PartitionIndex
  Settings settings;                          ///< what differs from the defaults

  /// The partition, or null if the log has none at `index`.
  const PartitionMetadata* find(PartitionIndex index) const noexcept {
    const bool exists = index.value >= 0 && static_cast<std::size_t>(index.value) < partitions.size();
    return exists ? &partitions[static_cast<std::size_t>(index.value)] : nullptr;
  }
};
using LogPtr = std::shared_ptr<const LogMetadata>;

struct NodeMetadata {
  NodeId id;
  StartEpoch start_epoch;
  std::string rack;   ///< empty: none
  Settings settings;  ///< dynamic settings of this node
  friend bool operator==(const NodeMetadata&, const NodeMetadata&) = default;
};

struct FeatureLevel {
  std::string name;
  std::int16_t level = 0;
  friend bool operator==(const FeatureLevel&, const FeatureLevel&) = default;
};

class MetadataImage;
using ImagePtr = std::shared_ptr<const MetadataImage>;

/// What the cluster has agreed on, at one position of the metadata log. Immutable and safe to read from every thread;
/// a change makes a new image that shares all but the changed parts with the old one, in time that grows with the
/// logarithm of the number of logs. Shards hold an `ImagePtr` and swap it; pointers into an image live as long as it.
class MetadataImage {
 public:
  MetadataImage() = default;

  /// The image after `command`, which stands at `index` of the metadata log; `index` is above `applied_index()`.
  /// Pure: the same image and command give the same result everywhere. A refused command changes nothing. Codes:
  ///   kInvalidArgument  illegal or colliding name, cluster founded twice, a setting's name or value has a bad form
  ///   kAlreadyExists    the log's name or id is taken
  ///   kNotFound         no such log or node
  ///   kOutOfRange       no partitions, or a log or placement with too many; partition count not as expected;
  ///                     start epoch not the next one; index not above the last one
  ///   kLimitExceeded    the cluster would have too many logs, partitions or settings
  Result<ImagePtr> apply(MetadataIndex index, const Command& command) const;

  const Uuid& cluster_id() const noexcept { return cluster_id_; }  ///< zero before FoundCluster
  MetadataIndex applied_index() const noexcept { return applied_index_; }

  /// Look-ups return null when there is none. Constant time.
  const LogMetadata* find_log(std::string_view name) const { return find_log_ptr(name).get(); }
  const LogMetadata* find_log(const LogId& id) const { return find_log_ptr(id).get(); }
  const LogPtr& find_log_ptr(std::string_view name) const;
  const LogPtr& find_log_ptr(const LogId& id) const;
  const PartitionMetadata* find_partition(const LogId& id, PartitionIndex index) const;
  /// The log whose name Kafka would confuse with `name` in metrics ("a.b" and "a_b"), or `name` itself.
  const LogMetadata* find_colliding(std::string_view name) const;

  std::size_t log_count() const noexcept { return by_id_.size(); }
  std::size_t partition_count() const noexcept { return partition_count_; }
  /// Calls `visit(const LogPtr&)` for each log, in an order that depends on the logs' ids only.
  template <class Visit>
  void for_each_log(Visit&& visit) const {
    by_id_.for_each(visit);
  }
  std::vector<LogPtr> logs_by_name() const;

  /// The epoch in which the partition's leader now leads. Rises with each NodeStarted of the leader; from 0 for a
  /// partition created while its leader runs.
  LeaderEpoch leader_epoch(const PartitionMetadata& partition) const;

  std::span<const NodeMetadata> nodes() const noexcept;  ///< by id
  const NodeMetadata* find_node(NodeId id) const;
  /// Dynamic defaults of all nodes, and of one node (empty if it has none).
  const Settings& default_node_settings() const noexcept;
  const Settings& node_settings(NodeId id) const;

  ProducerId next_producer_id() const noexcept { return next_producer_id_; }
  Incarnation next_incarnation() const noexcept { return next_incarnation_; }
  std::span<const FeatureLevel> features() const noexcept { return features_; }
  std::int16_t feature_level(std::string_view name) const;  ///< 0: not set

  /// Canonical bytes (`format.md`): equal images have equal bytes.
  std::vector<std::byte> encode_snapshot() const;
  /// Checks everything, as after a damaged disk (kCorrupt, kTruncated, kUnsupportedVersion).
  static Result<ImagePtr> decode_snapshot(ByteView bytes);

 private:
  friend class ImageChange;
  friend class SnapshotDecoder;

  struct NameKey {
    static std::string_view key(const LogPtr& log) { return log->name; }
    static std::uint64_t hash(std::string_view name);  ///< the same for names that collide
  };
  struct IdKey {
    static const LogId& key(const LogPtr& log) { return log->id; }
    static std::uint64_t hash(const LogId& id);
  };

  Uuid cluster_id_;
  MetadataIndex applied_index_;
  ProducerId next_producer_id_{0};
  Incarnation next_incarnation_{1};
  std::size_t partition_count_ = 0;
  HashTrie<LogPtr, NameKey> by_name_;
  HashTrie<LogPtr, IdKey> by_id_;
  std::shared_ptr<const std::vector<NodeMetadata>> nodes_;  // sorted by id; null: none
  std::shared_ptr<const Settings> default_node_settings_;   // null: none
  std::vector<FeatureLevel> features_;                      // sorted by name
};

}  // namespace pyralog::cluster
