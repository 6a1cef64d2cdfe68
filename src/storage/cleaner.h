#pragma once

#include <deque>
#include <set>
#include <utility>

#include "core/result.h"
#include "io/sync.h"
#include "io/task_scope.h"
#include "storage/journal.h"
#include "storage/segment_files.h"
#include "storage/store_context.h"

namespace pyralog::storage {

/// Moves synced bytes from memory into the segments, a little at a time (storage.md §4), and keeps what was moved in memory
/// for a while, for readers.
class Cleaner {
 public:
  static constexpr std::size_t kPassesMax = 4;  ///< at once, when the journal is over half full

  Cleaner(StoreContext& context, SegmentFiles& segments, const Journal& journal)
      : context_(context), segments_(segments), journal_(journal) {}
  Cleaner(const Cleaner&) = delete;

  /// The loop; ends when `scope` closes or the store fails.
  io::Task<> run(io::TaskScope& scope);

  /// Looks at the partition again after its bookkeeping changed. Ends nothing that is under way.
  void update(PartitionFiles& partition);
  /// The partition goes away.
  void forget(PartitionFiles& partition);

  /// Keeps new passes away from the partition until `thaw`, and waits for the one under way.
  io::Task<> freeze(PartitionFiles& partition);
  void thaw(PartitionFiles& partition);
  /// Waits until nothing else works on the partition's files, and takes that place until `end_work`. Nothing: it is gone.
  io::Task<PartitionFiles*> begin_work(Incarnation incarnation);
  void end_work(PartitionFiles& partition);

  /// Cleans all that is synced of every partition (or one) as of now.
  io::Task<Result<>> clean_all();
  io::Task<Result<>> clean(PartitionFiles& partition);

  /// First round that any partition needs; none when everything is clean.
  std::optional<RoundSequence> redo() const noexcept;
  /// Bytes up to `end` are in their segment, and in memory: readers keep them for a while.
  void keep(const PartitionFiles& partition, LogPosition end);
  /// New work, or new pressure.
  void wake() { work_.notify_all(), pass_ended_.notify_all(); }

  /// Lets go of clean bytes in memory beyond the bound, or last used before `until`.
  void shrink_cache(MonotonicTime until);

 private:
  struct Kept {
    Incarnation incarnation;
    LogPosition end;
    MonotonicTime since;
  };

  bool pressed();
  PartitionFiles* pick();
  /// Makes the run durable in its segment; may shorten it.
  io::Task<Result<>> write(PartitionFiles& partition, PartitionLedger::DirtyRun& run);
  io::Task<> pass_in_scope(PartitionFiles* partition);
  io::Task<Result<>> pass(PartitionFiles& partition);

  StoreContext& context_;
  SegmentFiles& segments_;
  const Journal& journal_;
  std::set<std::pair<RoundSequence, Incarnation>> queue_;  // dirty partitions by the first round they need
  std::set<Incarnation> full_;                             // of these, those with a whole pass of dirty bytes
  std::deque<Kept> kept_;                                  // clean bytes in memory, oldest first
  io::WaitList work_;
  io::WaitList pass_ended_;
  std::size_t passes_ = 0;
  bool direct_refused_ = false;               // the file system has no writes past the page cache
  std::optional<MonotonicTime> dirty_since_;  // when the delay started to count
  RoundSequence sweep_to_;                    // the delay has passed for what needs this round or an older one
  std::optional<MonotonicTime> retry_at_;     // the disk is full
};

}  // namespace pyralog::storage
