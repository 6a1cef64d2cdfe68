#pragma once

#include <cstdint>

#include "core/result.h"
#include "io/task_scope.h"
#include "storage/store_context.h"

namespace pyralog::storage {

/// Refuses appends before the disk is full, so that what was accepted still fits into the segments, and metadata and
/// removals still work (reliability.md §2).
class SpaceGuard {
 public:
  explicit SpaceGuard(StoreContext& context) : context_(context) {}
  SpaceGuard(const SpaceGuard&) = delete;

  /// Asks the disk. Before the first append.
  io::Task<Result<>> look();
  /// Asks again as space goes, and while there is none; ends when `scope` closes or the store fails.
  io::Task<> run(io::TaskScope& scope);

  /// Whether `bytes` more may be accepted.
  bool admits(std::uint64_t bytes) noexcept;
  /// Whether there is room for work that can wait; asking changes nothing for appends.
  bool has_room(std::uint64_t bytes) const noexcept { return !refusing_ && taken() + bytes <= allowance_; }

 private:
  std::uint64_t taken() const noexcept { return context_.counters.appended_bytes - appended_at_look_; }

  StoreContext& context_;
  std::uint64_t allowance_ = 0;  ///< bytes that may be appended after the newest look
  std::uint64_t appended_at_look_ = 0;
  MonotonicTime looked_at_{};
  bool refusing_ = false;
};

}  // namespace pyralog::storage
