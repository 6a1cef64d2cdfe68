#include "io/virtual_reactor.h"

#include <algorithm>

#include "io/disk.h"
#include "io/network.h"
#include "io/sync.h"
#include "io/virtual_world.h"

namespace pyralog::io {
namespace {

// 2024-01-01 00:00 UTC: virtual wall clocks start here, so that timestamps look real and are the same in every run.
constexpr std::int64_t kWallStartMs = 1'704'067'200'000;

}  // namespace

VirtualReactor::VirtualReactor(VirtualWorld& world, NodeId node, ShardId shard, std::uint32_t index, std::uint64_t seed)
    : Reactor(shard, seed), world_(world), node_(node), index_(index) {}

VirtualReactor::~VirtualReactor() = default;

MonotonicTime VirtualReactor::now() const noexcept { return state_ == State::kDead ? dead_time_ : world_.now(); }

WallTime VirtualReactor::wall_now() const noexcept {
  const auto since_start = std::chrono::floor<std::chrono::milliseconds>(now().time_since_epoch());
  return WallTime{kWallStartMs + (since_start + wall_offset_).count()};
}

Disk& VirtualReactor::disk() noexcept { return *disk_; }

Network& VirtualReactor::network() noexcept { return *network_; }

void VirtualReactor::wake() noexcept {
  if (state_ == State::kRunning) world_.schedule_turn(*this);
}

void VirtualReactor::complete(std::coroutine_handle<> handle) {
  --waits_;
  post(handle);
  wake();
}

void VirtualReactor::end_waits(AbortSource& source) {
  if (state_ == State::kDead) return;
  source.abort();
  if (!idle()) wake();
}

std::suspend_never VirtualReactor::Root::promise_type::final_suspend() noexcept {
  std::erase(reactor->roots_, std::coroutine_handle<>(std::coroutine_handle<promise_type>::from_promise(*this)));
  return {};
}

VirtualReactor::Root VirtualReactor::run_root(Task<> task) { co_await std::move(task); }

void VirtualReactor::start(Task<> task) {
  const Root root = run_root(std::move(task));
  root.handle.promise().reactor = this;
  roots_.push_back(root.handle);
  post(root.handle);
  wake();
}

}  // namespace pyralog::io
