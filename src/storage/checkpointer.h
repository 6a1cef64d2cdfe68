#pragma once

#include <optional>
#include <vector>

#include "core/result.h"
#include "io/sync.h"
#include "io/task_scope.h"
#include "storage/checkpoint.h"
#include "storage/committer.h"
#include "storage/journal.h"
#include "storage/store_context.h"

namespace pyralog::storage {

/// Writes checkpoints when the journal wants a file or some time has passed, and then lets the journal use its old files
/// again (storage.md §3, §4).
class Checkpointer {
 public:
  Checkpointer(StoreContext& context, Journal& journal, Committer& committer, Cleaner& cleaner, CheckpointFiles& files)
      : context_(context), journal_(journal), committer_(committer), cleaner_(cleaner), files_(files) {}
  Checkpointer(const Checkpointer&) = delete;

  /// The loop; ends when `scope` closes or the store fails.
  io::Task<> run(io::TaskScope& scope);

  void wake_all() { captured_.notify_all(); }

  /// Writes one now, of what has happened so far. Not beside `run`'s own: only before the loop starts or after it ended.
  io::Task<Result<>> store_now(bool clean_stop);

  /// `redo_from` of the newest durable checkpoint.
  RoundSequence durable_redo() const noexcept { return durable_redo_; }

 private:
  struct Capture {
    std::vector<std::byte> file;
    RoundSequence shown;
    RoundSequence redo_from;
  };

  Capture capture(RoundSequence shown, bool clean_stop) const;
  io::Task<Result<>> store_next();
  io::Task<Result<>> store(Capture capture);
  io::Task<Result<>> provide_file();
  bool wants_checkpoint() const;

  StoreContext& context_;
  Journal& journal_;
  Committer& committer_;
  Cleaner& cleaner_;
  CheckpointFiles& files_;
  io::WaitList captured_;
  std::optional<Capture> capture_;
  std::uint64_t appended_bytes_shown_ = 0;
  RoundSequence durable_redo_;
};

}  // namespace pyralog::storage
