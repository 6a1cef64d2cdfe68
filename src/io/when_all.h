#pragma once

#include <vector>

#include "io/task_scope.h"

namespace pyralog::io {

/// Runs all tasks at the same time on the current shard; returns when the last one has ended.
inline Task<> when_all(std::vector<Task<>> tasks) {
  struct Count {
    std::size_t left;
    WaitList done;
  };
  Count count{.left = tasks.size(), .done = {}};
  struct Runner {
    static detail::Detached run(Task<> task, Count& count) {
      {
        Task<> owned = std::move(task);
        co_await std::move(owned);
      }
      if (--count.left == 0) count.done.notify_all();
    }
  };
  for (Task<>& task : tasks) Runner::run(std::move(task), count);
  if (count.left > 0) co_await count.done.wait();
}

}  // namespace pyralog::io
