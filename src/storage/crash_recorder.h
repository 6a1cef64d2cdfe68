#pragma once

#include "core/random.h"
#include "io/task_scope.h"
#include "storage/crash_model.h"

namespace pyralog::storage::crash {

/// Records changes that take several steps in a history.
class Recorder {
 public:
  Recorder(Random& random, History& history) : random_(random), history_(history) {}

  /// Runs `task` in the background and records `model` as soon as `done` says that the store has taken the operation; the
  /// rounds it may lie in are found by states put before and after.
  template <class Done>
  io::Task<> record(ShardStore& store, io::Task<> task, Model model, Done done) {
    io::TaskScope scope;
    scope.spawn(std::move(task));
    RoundSequence low = history_.newest_round();
    while (!done() && scope.running() > 0 && !store.failure().has_value()) {
      low = std::max(low, store.synced());
      co_await io::Reactor::current().yield();
    }
    if (done()) {
      const StateKey marker{Incarnation(1), 0};
      const Bytes value(8, static_cast<std::byte>(random_.next()));
      const auto round = store.put_state(marker, Slice::copy_of(value));
      if (round.ok()) {
        history_.push(low, *round, model);
        model.states[marker] = value;
        history_.push(*round, *round, std::move(model));
      }
    }
    co_await scope.close();
  }

 private:
  Random& random_;
  History& history_;
};

template <class T>
io::Task<> ignore(io::Task<T> task) {
  (void)co_await std::move(task);
}

}  // namespace pyralog::storage::crash
