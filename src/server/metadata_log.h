#pragma once

#include <memory>
#include <string>

#include "cluster/commands.h"
#include "cluster/metadata_image.h"
#include "io/disk.h"
#include "storage/partition_log.h"

namespace pyralog::server {

class Shard;

/// The metadata commands of this node, durably: a partition log whose record at offset o holds the command with index
/// o + 1, and image snapshots (`meta/<index, 20 digits>.image`: the image's bytes, then their CRC-32C, little-endian) that
/// let older commands be deleted. On shard 0.
class MetadataLog {
 public:
  /// Commands between two snapshots.
  static constexpr std::uint64_t kCommandsPerSnapshot = 10'000;

  explicit MetadataLog(Shard& home);
  ~MetadataLog();

  /// Reads the newest snapshot and the commands after it. kCorrupt names the file or the command; so does metadata that is
  /// not there although the directory `belongs_to_cluster`.
  io::Task<Result<cluster::ImagePtr>> open(bool belongs_to_cluster);

  /// Appends `command`; durable on return. One at a time.
  io::Task<Result<>> append(const cluster::Command& command);

  /// Stores `image` (that of all commands appended) and deletes the commands before, if enough have come since the last.
  io::Task<Result<>> maybe_snapshot(const cluster::MetadataImage& image);

  io::Task<Result<>> close();

 private:
  io::Task<Result<>> open_log(bool belongs_to_cluster);
  io::Task<Result<cluster::ImagePtr>> load_snapshot();
  io::Task<Result<cluster::ImagePtr>> replay(cluster::ImagePtr image);
  Result<> apply_batches(ByteView bytes, cluster::ImagePtr& image, Offset& next);
  io::Task<Result<>> write_snapshot(const cluster::MetadataImage& image);
  std::string path(const std::string& name) const;

  Shard& home_;
  std::string directory_;
  std::unique_ptr<storage::PartitionLog> log_;
  cluster::MetadataIndex snapshot_index_;
};

}  // namespace pyralog::server
