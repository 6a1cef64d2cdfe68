#pragma once

#include <cstddef>

#include "io/sync.h"
#include "io/task.h"

namespace pyralog::io {

/// Owns the background work of one object on one shard. Work starts at once, is counted, and must have ended before the
/// scope is destroyed: the owner awaits `close()`. Tasks watch `abort()` and end soon after it fires.
class TaskScope {
 public:
  TaskScope() = default;
  TaskScope(const TaskScope&) = delete;
  ~TaskScope() { PYRALOG_ASSERT(running_ == 0, "a task outlives its scope; await close() first"); }

  /// Starts `task` now, inside the caller, up to its first suspension. After close() began, it is refused: the task is
  /// destroyed unstarted.
  void spawn(Task<> task);

  AbortSource& abort() noexcept { return abort_; }
  bool closing() const noexcept { return abort_.aborted(); }
  std::size_t running() const noexcept { return running_; }

  /// Fires abort() and waits until no task is left.
  Task<> close();

 private:
  detail::Detached run(Task<> task);

  AbortSource abort_;
  WaitList ended_;
  std::size_t running_ = 0;
};

}  // namespace pyralog::io
