#pragma once

#include <expected>
#include <type_traits>
#include <utility>

#include "core/assert.h"
#include "core/errors.h"

namespace pyralog {

/// A value or an `Error`. Fallible functions return it; exceptions do not cross folder borders. `Result<>` carries no
/// value. Propagate with PYRALOG_TRY and PYRALOG_ASSIGN (PYRALOG_CO_TRY and PYRALOG_CO_ASSIGN in coroutines).
template <class T = void>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::move(value)) {}                           // NOLINT: values convert on purpose
  Result(Error error) : state_(std::unexpected(std::move(error))) {}      // NOLINT
  Result(ErrorCode code) : state_(std::unexpected(Error(code))) {}        // NOLINT
  template <class U>
    requires(std::is_convertible_v<U, T> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, T> && !std::is_convertible_v<U, Error>)
  Result(U&& value) : state_(T(std::forward<U>(value))) {}                // NOLINT

  bool ok() const noexcept { return state_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & { return check(), *state_; }
  const T& value() const& { return check(), *state_; }
  T&& value() && { return check(), std::move(*state_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return state_.error(); }
  Error&& error() && { return std::move(state_.error()); }

 private:
  void check() const { PYRALOG_ASSERT(state_.has_value(), "value of a failed result"); }
  std::expected<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : state_(std::unexpected(std::move(error))) {}      // NOLINT
  Result(ErrorCode code) : state_(std::unexpected(Error(code))) {}        // NOLINT

  bool ok() const noexcept { return state_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  void value() const { PYRALOG_ASSERT(ok(), "value of a failed result"); }

  const Error& error() const& { return state_.error(); }
  Error&& error() && { return std::move(state_.error()); }

 private:
  std::expected<void, Error> state_;
};

}  // namespace pyralog

#define PYRALOG_CONCAT_INNER(a, b) a##b
#define PYRALOG_CONCAT(a, b) PYRALOG_CONCAT_INNER(a, b)

/// Returns the error of `expression` (a Result) from the enclosing function, or goes on.
#define PYRALOG_TRY(expression)                                            \
  do {                                                                     \
    if (auto pyralog_try = (expression); !pyralog_try.ok()) [[unlikely]]   \
      return std::move(pyralog_try).error();                               \
  } while (false)

#define PYRALOG_ASSIGN_INNER(temporary, target, expression, keyword)       \
  auto temporary = (expression);                                           \
  if (!temporary.ok()) [[unlikely]]                                        \
    keyword std::move(temporary).error();                                  \
  target = std::move(temporary).value()

/// PYRALOG_ASSIGN(auto x, f()): declares or assigns `x` from a Result, or returns its error.
#define PYRALOG_ASSIGN(target, expression) \
  PYRALOG_ASSIGN_INNER(PYRALOG_CONCAT(pyralog_result_, __LINE__), target, expression, return)

/// The same for coroutines.
#define PYRALOG_CO_TRY(expression)                                         \
  do {                                                                     \
    if (auto pyralog_try = (expression); !pyralog_try.ok()) [[unlikely]]   \
      co_return std::move(pyralog_try).error();                            \
  } while (false)
#define PYRALOG_CO_ASSIGN(target, expression) \
  PYRALOG_ASSIGN_INNER(PYRALOG_CONCAT(pyralog_result_, __LINE__), target, expression, co_return)
