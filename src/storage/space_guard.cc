#include "storage/space_guard.h"

namespace pyralog::storage {
namespace {

constexpr Duration kLookDelay = std::chrono::seconds(1);

}  // namespace

io::Task<Result<>> SpaceGuard::look() {
  PYRALOG_CO_ASSIGN(const io::DiskSpace space, co_await context_.reactor.disk().space(context_.options.data_directory));
  looked_at_ = context_.reactor.now();
  appended_at_look_ = context_.counters.appended_bytes;
  // What is in memory has its place in a segment still to find.
  const std::uint64_t minimum = context_.options.free_bytes_min;
  const std::uint64_t needed = minimum + context_.counters.dirty_bytes + (refusing_ ? minimum / 16 : 0);
  allowance_ = space.free_bytes > needed ? space.free_bytes - needed : 0;
  refusing_ = allowance_ == 0;
  co_return Result<>();
}

bool SpaceGuard::admits(std::uint64_t bytes) noexcept {
  if (!refusing_ && taken() + bytes <= allowance_) return true;
  ++context_.counters.refused_for_space;
  if (!refusing_) {
    refusing_ = true;
    context_.progress.notify_all();
  }
  return false;
}

io::Task<> SpaceGuard::run(io::TaskScope& scope) {
  while (!scope.closing() && !context_.failure.has_value()) {
    if (refusing_) {
      (void)co_await io::sleep_for(kLookDelay, scope.abort());
    } else {
      (void)co_await context_.progress.wait(scope.abort());
    }
    const bool due = context_.reactor.now() - looked_at_ >= kLookDelay;
    if (scope.closing() || (!due && taken() < allowance_ / 4)) continue;
    // Several shards share the disk, and so do others: what was free a moment ago may be gone.
    const Result<> looked = co_await look();
    if (!looked.ok()) context_.fail(looked.error());
  }
}

}  // namespace pyralog::storage
