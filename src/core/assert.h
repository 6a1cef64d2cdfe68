#pragma once

namespace pyralog {

/// Prints `condition`, place and message to stderr and aborts. Never returns.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line, const char* message) noexcept;

}  // namespace pyralog

/// Checks an invariant; stays on in release builds. A failure is a bug in this program, so the process ends. Bytes that
/// come from a disk, a peer or a client are validated and reported through `Result`, never asserted.
#define PYRALOG_ASSERT(condition, message)                                        \
  do {                                                                            \
    if (!(condition)) [[unlikely]]                                                \
      ::pyralog::assertion_failed(#condition, __FILE__, __LINE__, message);       \
  } while (false)
