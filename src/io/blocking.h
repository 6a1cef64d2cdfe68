#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "io/reactor.h"
#include "io/task.h"

namespace pyralog::io {

namespace detail {

template <class Function>
struct BlockingCall : RemoteWork {
  using R = std::invoke_result_t<Function&>;
  struct Nothing {};
  using Stored = std::conditional_t<std::is_void_v<R>, Nothing, R>;

  Function function;
  Lane lane;
  std::optional<Stored> result;
  Reactor* origin = nullptr;
  std::coroutine_handle<> waiter;

  BlockingCall(Function f, Lane l) : function(std::move(f)), lane(l) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept {
    origin = &Reactor::current();
    waiter = handle;
    run = [](RemoteWork* work) noexcept { static_cast<BlockingCall*>(work)->execute(); };
    origin->offload(this, lane);
  }
  R await_resume() {
    if constexpr (!std::is_void_v<R>) return std::move(*result);
  }

 private:
  void execute() noexcept {
    if constexpr (std::is_void_v<R>) {
      function();
      result.emplace();
    } else {
      result.emplace(function());
    }
    run = [](RemoteWork* work) noexcept { static_cast<BlockingCall*>(work)->waiter.resume(); };
    origin->post_remote(this);
  }
};

}  // namespace detail

/// Runs `function` (no arguments, does not throw) on a helper thread and brings its value back to the calling shard,
/// which goes on meanwhile: for calls that block and for work that takes long (a millisecond is long). It runs on another
/// thread: it owns what it captures, or its caller keeps it and awaits at once. On a virtual reactor it runs in place, in
/// no time.
template <class Function>
auto run_blocking(Function function, Lane lane = Lane::kCompute) -> Task<std::invoke_result_t<Function&>> {
  detail::BlockingCall<Function> call(std::move(function), lane);
  co_return co_await call;
}

}  // namespace pyralog::io
