#pragma once

#include "cluster/commands.h"
#include "cluster/metadata_image.h"
#include "io/sync.h"
#include "server/metadata_log.h"

namespace pyralog::server {

class Node;

/// Changes the cluster's metadata, one command after the other. Lives on shard 0; `propose` may be called on any shard.
class Controller {
 public:
  Controller(Node& node, std::unique_ptr<MetadataLog> log, cluster::ImagePtr image);

  /// Judges `command` against the newest image, stores it, and returns the image after it once every shard acts on it.
  /// Errors of `MetadataImage::apply` change nothing; kIo stops the node.
  io::Task<Result<cluster::ImagePtr>> propose(cluster::Command command);

  /// Waits for the proposal under way, refuses later ones (kClosed) and closes the metadata log.
  io::Task<Result<>> close();

  const cluster::ImagePtr& image() const noexcept { return image_; }

 private:
  io::Task<Result<cluster::ImagePtr>> propose_here(cluster::Command command);
  io::Task<Result<cluster::ImagePtr>> propose_next(const cluster::Command& command);

  Node& node_;
  std::unique_ptr<MetadataLog> log_;
  cluster::ImagePtr image_;
  io::Semaphore one_at_a_time_{1};
  io::AbortSource closing_;
};

}  // namespace pyralog::server
