#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/ids.h"
#include "core/random.h"
#include "core/result.h"
#include "io/disk.h"
#include "storage/division.h"

namespace pyralog::server {

/// Who a data directory belongs to: its `node.toml` (format.md).
struct NodeIdentity {
  /// 1: the first generation. Later ones are 2, so that a release that knows nothing of generations does not take the
  /// directory for an empty one.
  static constexpr std::int64_t kFormatVersion = 2;

  NodeId node;
  Uuid disk_uuid;              ///< of this directory: a new one is a new identity (replication.md §1)
  Uuid cluster_id;             ///< zero until the node has founded or joined a cluster
  storage::Division division;  ///< what the directory's journals are divided among
};

/// A node's data directory while this process owns it.
class NodeDirectory {
 public:
  /// Locks `path` (made if absent) and reads its identity; a directory without one gets one, divided among `shards`, if it
  /// holds nothing else of ours. Errors, each one clear line: kLocked (another process), kForeign (`node` is given and the
  /// directory is another node's; or data without node.toml), kUnsupportedVersion (written by a later release), kCorrupt,
  /// kIo.
  static io::Task<Result<std::unique_ptr<NodeDirectory>>> open(io::Disk& disk, std::string path, std::optional<NodeId> node,
                                                               std::uint32_t shards, Random& random);

  const std::string& path() const noexcept { return path_; }
  const NodeIdentity& identity() const noexcept { return identity_; }

  /// Goes over to a division among `shards`, if it is another one than the directory has: see storage::DivisionChange. For
  /// before any shard's store is open. `options` without shard and generation. A crash at any moment is repaired by the
  /// next call; with the division as it was, no call is needed.
  io::Task<Result<>> divide(std::uint32_t shards, storage::StoreOptions options, storage::FileCache& files);

  /// Stores the cluster this node belongs to, durably. kForeign if it belongs to another one.
  io::Task<Result<>> join_cluster(const Uuid& cluster_id);

 private:
  NodeDirectory(io::Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  io::Task<Result<>> read();
  io::Task<Result<>> found(std::optional<NodeId> node, std::uint32_t shards, Random& random);
  io::Task<Result<>> write(NodeIdentity identity);
  std::string file() const { return path_ + "/node.toml"; }

  io::Disk& disk_;
  std::string path_;
  std::unique_ptr<io::DirectoryLock> lock_;
  NodeIdentity identity_;
};

/// The number of shards that the directory's identity names; nothing if there is none yet or it cannot be read (opening
/// the directory then says why). Blocks: for the process's start.
std::optional<std::uint32_t> recorded_shards(const std::string& directory);

}  // namespace pyralog::server
