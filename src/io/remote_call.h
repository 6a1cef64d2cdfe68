#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "io/reactor.h"
#include "io/task.h"

namespace pyralog::io {

namespace detail {

template <class Function, class T>
struct RemoteCall : RemoteWork {
  struct Nothing {};
  using Stored = std::conditional_t<std::is_void_v<T>, Nothing, T>;

  Function function;
  std::optional<Stored> result;
  Reactor* origin = nullptr;
  std::coroutine_handle<> waiter;

  explicit RemoteCall(Function f) : function(std::move(f)) {}

  bool await_ready() const noexcept { return false; }
  T await_resume() {
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }

  void send(Reactor& target, std::coroutine_handle<> handle) noexcept {
    origin = &Reactor::current();
    waiter = handle;
    run = [](RemoteWork* work) noexcept { execute(static_cast<RemoteCall*>(work)); };
    target.post_remote(this);
  }

  static Detached execute(RemoteCall* call) {
    if constexpr (std::is_void_v<T>) {
      co_await call->function();
      call->result.emplace();
    } else {
      call->result.emplace(co_await call->function());
    }
    call->run = [](RemoteWork* work) noexcept { static_cast<RemoteCall*>(work)->waiter.resume(); };
    call->origin->post_remote(call);
  }
};

template <class T>
struct TaskValue;
template <class T>
struct TaskValue<Task<T>> {
  using type = T;
};

}  // namespace detail

/// Runs `function` (no arguments, returns a Task<T>) on `target`'s shard and brings its value back to the caller's. What
/// the function captures must be owned values: it runs on another thread. On the caller's own shard it runs in place.
template <class Function>
auto call_on(Reactor& target, Function function)
    -> Task<typename detail::TaskValue<std::invoke_result_t<Function&>>::type> {
  using T = typename detail::TaskValue<std::invoke_result_t<Function&>>::type;
  if (Reactor::is_current(target)) co_return co_await function();
  struct Call : detail::RemoteCall<Function, T> {
    Reactor& target;
    Call(Reactor& t, Function f) : detail::RemoteCall<Function, T>(std::move(f)), target(t) {}
    void await_suspend(std::coroutine_handle<> handle) noexcept { this->send(target, handle); }
  };
  Call call(target, std::move(function));
  co_return co_await call;
}

}  // namespace pyralog::io
