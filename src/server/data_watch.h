#pragma once

#include <vector>

#include "io/sync.h"

namespace pyralog::server {

class DataWaiter;

/// Who waits for one partition to have more to read. On the partition's shard.
class WatchList {
 public:
  WatchList() = default;
  WatchList(const WatchList&) = delete;
  ~WatchList() { PYRALOG_ASSERT(head_ == nullptr, "somebody watches a partition that is gone"); }

  /// Wakes every waiter; cheap when there is none.
  void notify() noexcept;

 private:
  friend class DataWaiter;
  struct Link {
    DataWaiter* waiter = nullptr;
    WatchList* list = nullptr;
    Link *previous = nullptr, *next = nullptr;
  };
  Link* head_ = nullptr;
};

/// Waits until any of several partitions has news. Made, used and destroyed by one coroutine on the partitions' shard.
class DataWaiter {
 public:
  explicit DataWaiter(std::size_t partitions_max) { links_.reserve(partitions_max); }
  DataWaiter(const DataWaiter&) = delete;
  ~DataWaiter();

  /// At most as many as were announced.
  void watch(WatchList& list);

  /// Returns kWoken once a watched partition has had news since it was watched.
  io::Task<io::WaitOutcome> wait_until(MonotonicTime deadline, io::AbortSource& abort);

 private:
  friend class WatchList;
  std::vector<WatchList::Link> links_;
  io::WaitList woken_;
  bool has_news_ = false;
};

}  // namespace pyralog::server
