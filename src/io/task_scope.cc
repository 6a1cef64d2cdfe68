#include "io/task_scope.h"

namespace pyralog::io {

void TaskScope::spawn(Task<> task) {
  if (closing()) return;
  run(std::move(task));
}

detail::Detached TaskScope::run(Task<> task) {
  ++running_;
  {
    Task<> owned = std::move(task);
    co_await std::move(owned);
  }
  // The last task may be what the scope's owner waits for: nothing of the scope is touched after the notification,
  // and the notified coroutine runs in a later turn.
  if (--running_ == 0) ended_.notify_all();
}

Task<> TaskScope::close() {
  abort_.abort();
  while (running_ > 0) co_await ended_.wait();
}

}  // namespace pyralog::io
