#pragma once

#include <utility>

#include "server/shard.h"

namespace pyralog::server {

/// Keeps a partition from being removed while a request works on it. On the partition's shard; empty if the partition is
/// not (or no longer) there.
class PartitionUse {
 public:
  PartitionUse(Shard& shard, Incarnation incarnation) : partition_(shard.find(incarnation)) {
    if (partition_ != nullptr && partition_->removed) partition_ = nullptr;
    if (partition_ != nullptr) ++partition_->users;
  }
  PartitionUse(PartitionUse&& other) noexcept : partition_(std::exchange(other.partition_, nullptr)) {}
  PartitionUse& operator=(PartitionUse&&) = delete;
  ~PartitionUse() {
    if (partition_ != nullptr && --partition_->users == 0) partition_->unused.notify_all();
  }

  explicit operator bool() const noexcept { return partition_ != nullptr; }
  Partition* operator->() const noexcept { return partition_; }
  Partition& operator*() const noexcept { return *partition_; }

 private:
  Partition* partition_;
};

}  // namespace pyralog::server
