#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "core/result.h"
#include "io/sync.h"
#include "io/task_scope.h"
#include "storage/bypass.h"
#include "storage/cleaner.h"
#include "storage/journal.h"
#include "storage/round.h"
#include "storage/segment_files.h"
#include "storage/store_context.h"

namespace pyralog::storage {

/// Collects what is appended into rounds and writes them, one at a time (storage.md §1): while one is under way, the next
/// fills up; when idle, a round is sealed after everything else that was ready has run.
class Committer {
 public:
  Committer(StoreContext& context, Journal& journal, Cleaner& cleaner, SegmentFiles& segments, Bypass& bypass)
      : context_(context), journal_(journal), cleaner_(cleaner), segments_(segments), bypass_(bypass),
        arena_(context.reactor.chunks(), context.options.geometry.sector_bytes, context.options.geometry.round_bytes_max) {}
  Committer(const Committer&) = delete;

  /// The next round takes `next`; all before it are durable.
  void begin(RoundSequence next);
  /// The loop; ends when `scope` closes and nothing is left to write, or the store fails.
  io::Task<> run(io::TaskScope& scope);

  /// Largest batch that fits into a round.
  std::uint64_t batch_bytes_max() const noexcept;

  /// Puts a batch, after which the log ends at `log_end`, at the partition's end into the open round.
  RoundSequence append(PartitionFiles& partition, Slice batch, Offset log_end);
  /// Puts a change of a partition, or of a state, into the open round. The caller then changes memory accordingly, before it
  /// suspends; not earlier, as that may be the moment at which a capture shows the rounds before.
  RoundSequence add(Descriptor descriptor, ByteView payload, PartitionFiles* partition);
  /// After `add`: what the round leaves of the partition.
  void note_end(PartitionFiles& partition);

  RoundSequence synced() const noexcept { return synced_; }
  /// The newest round that holds anything.
  RoundSequence newest() const noexcept {
    return RoundSequence(open_.back()->sequence().value - (open_.back()->empty() ? 1 : 0));
  }
  io::Task<Result<>> wait_synced(RoundSequence round);
  /// Wakes everybody who waits here; the store has failed or closes.
  void wake_all();

  /// Nothing is collected and nothing is under way.
  bool idle() const noexcept { return in_flight_ == nullptr && open_.size() == 1 && open_.front()->empty(); }
  /// Adds an EMPTY round if the newest round is not proven yet.
  void prove();
  /// After the loop has ended: writes that round.
  io::Task<Result<>> prove_now();

  /// Calls `capture` with the round up to which memory then shows all effects, and no later ones: when the open round is
  /// full or sealed, or now if idle.
  void capture_when_sealed(std::move_only_function<void(RoundSequence)> capture);

 private:
  Round& round_for(std::uint64_t more);
  void start_round();
  void add_image(Round& round, PartitionFiles& partition, LogPosition begin);
  io::Task<Result<>> load_images(Round& round);
  io::Task<Result<>> load_image(Round::Entry& entry);
  io::Task<Result<>> commit();
  io::Task<Result<>> make_room(const Round& round);
  io::Task<Result<>> write(Round& round, const std::vector<Bypass::Body>& bodies);
  io::Task<Result<>> write_body(const Bypass::Body& body);
  void complete(Round& round, const std::vector<Bypass::Body>& bodies);
  Round* find(RoundSequence round) noexcept;

  StoreContext& context_;
  Journal& journal_;
  Cleaner& cleaner_;
  SegmentFiles& segments_;
  Bypass& bypass_;
  CopyArena arena_;
  std::deque<std::unique_ptr<Round>> open_;  // never empty after begin(); the last one collects
  std::unique_ptr<Round> in_flight_;
  RoundSequence synced_;
  bool proven_ = true;  // the newest round was EMPTY, or there is none
  io::WaitList work_;
  io::AbortSource* stopping_ = nullptr;  // since the loop has started
  std::move_only_function<void(RoundSequence)> capture_;
};

}  // namespace pyralog::storage
