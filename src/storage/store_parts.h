#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "storage/cached_recovery.h"
#include "storage/checkpointer.h"
#include "storage/cleaner.h"
#include "storage/committer.h"
#include "storage/flusher.h"
#include "storage/journal.h"
#include "storage/recovery.h"
#include "storage/scrubber.h"
#include "storage/segment_files.h"
#include "storage/shard_store.h"
#include "storage/space_guard.h"
#include "storage/store_context.h"

namespace pyralog::storage {

/// What a store is made of, lowest first.
struct ShardStore::Parts {
  Parts(io::Reactor& reactor, StoreOptions options, FileCache& files)
      : context(reactor, std::move(options), files),
        journal(reactor, context.options),
        segments(context),
        cleaner(context, segments, journal),
        flusher(context, segments, cleaner),
        bypass(context, segments, cleaner, background),
        committer(context, journal, cleaner, segments, bypass),
        checkpoint_files(reactor, context.options, journal.names()),
        checkpointer(context, journal, committer, cleaner, checkpoint_files),
        space(context),
        scrubber(context) {
    context.on_failed = [this] {
      committer.wake_all();
      cleaner.wake();
      flusher.wake();
      checkpointer.wake_all();
    };
  }

  StoreContext context;
  Journal journal;
  SegmentFiles segments;
  Cleaner cleaner;
  Flusher flusher;
  Bypass bypass;
  Committer committer;
  CheckpointFiles checkpoint_files;
  Checkpointer checkpointer;
  SpaceGuard space;
  Scrubber scrubber;
  io::TaskScope committing;   ///< closed first, so that everything collected is written
  io::TaskScope background;
  bool closing = false;
  std::vector<std::unique_ptr<PartitionFiles>> removed_in_failure;

  /// kClosed, or why the store failed.
  Result<> serving() const;
  void start_loops();

  /// Sets or, without a value, removes a state; the round to wait for.
  RoundSequence set_state(StateKey key, Slice value);
  /// The directory of a partition whose deletion is durable goes, durably, and with it the state that says it has to.
  io::Task<Result<>> finish_removal(StateKey removal, std::string directory);
  io::Task<Result<>> finish_removals();

  /// A change of a cached partition, as its whole new entry: durable on return. `apply` makes memory say the same.
  io::Task<Result<>> put_entry(PartitionFiles& partition, PartitionEntry entry, std::move_only_function<void()> apply);
  io::Task<Result<>> put_class(PartitionFiles& partition, DurabilityClass durability);
  io::Task<Result<>> forget_emptied(PartitionFiles& partition);
  io::Task<Result<>> truncate_cached(PartitionFiles& partition, Offset end, LogPosition at);
  io::Task<Result<>> set_cached_start(PartitionFiles& partition, Offset start, Offset first_segment);
  io::Task<Result<>> replace_cached(PartitionFiles& partition, Offset first, Offset end, std::vector<Segment> replacements);
};

/// The half of a start that fills a store: journal, segments, memory (storage.md §3).
class StoreLoader {
 public:
  explicit StoreLoader(ShardStore::Parts& parts)
      : parts_(parts),
        recovery_(parts.context.reactor, parts.context.options, parts.journal.names()),
        cached_recovery_(parts.context, parts.segments) {}
  io::Task<Result<>> load();

 private:
  /// One run of bytes that memory gets from a journal round.
  struct Piece {
    std::size_t round;
    std::size_t partition;  // index into loading_
    std::size_t range;
  };
  /// A partition while its bytes come in, in log order.
  struct Loading {
    PartitionFiles* partition = nullptr;
    ReplayedPartition replayed;
    std::size_t next_range = 0;
    LogPosition header_at;  // where the next batch that the state lacks begins
    std::vector<std::byte> header;
  };

  io::Task<Result<>> begin_empty();
  io::Task<Result<>> recover(Checkpoint checkpoint);
  void make_partition(ReplayedPartition replayed);
  io::Task<Result<>> check_segments(Loading& loading);
  io::Task<Result<>> load_bytes(const std::vector<RoundPlace>& rounds);
  io::Task<Result<>> load_piece(const Piece& piece, const Slice& round);
  io::Task<Result<>> pass_bodies(Loading& loading, std::size_t end_range);
  io::Task<Result<>> feed(Loading& loading, const ReplayRange& range, const Slice& bytes);
  Result<> apply_header(Loading& loading);
  io::Task<Result<>> finish_partitions();
  io::Task<Result<>> recover_cached(bool clean_stop);

  ShardStore::Parts& parts_;
  JournalRecovery recovery_;
  CachedRecovery cached_recovery_;
  std::vector<Loading> loading_;
  std::vector<PartitionFiles*> cached_;
  std::map<Incarnation, CachedMark> marks_;  // of those that must be scanned
};

}  // namespace pyralog::storage
