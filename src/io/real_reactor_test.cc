#include "io/real_reactor.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "io/blocking.h"
#include "io/real_runtime.h"
#include "io/real_test_support.h"
#include "io/stop_signals.h"
#include "io/sync.h"
#include "io/task_scope.h"

namespace pyralog::io {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::OneShard;

Task<Duration> measure_sleep(Duration delay) {
  AbortSource abort;
  Reactor& reactor = Reactor::current();
  const MonotonicTime start = reactor.now();
  co_await sleep_for(delay, abort);
  co_return reactor.now() - start;
}

TEST(RealReactor, FiresTimersNotBeforeTheirTimeAndSoonAfter) {
  OneShard shard;
  Duration best = std::chrono::hours(1);
  for (int i = 0; i < 20; ++i) {
    const Duration slept = shard.run(measure_sleep(microseconds(300)));
    ASSERT_GE(slept, microseconds(300));
    best = std::min(best, slept);
  }
  // A loop that rounds up to whole milliseconds would need 1 ms each time.
  EXPECT_LT(best, microseconds(900));
}

TEST(RealReactor, CountsTurnsAndTime) {
  OneShard shard;
  shard.run(measure_sleep(milliseconds(5)));
  const LoopCounters& loop = shard.reactor->counters().loop;
  EXPECT_GT(loop.turns, 0u);
  EXPECT_GT(loop.passes, 0u);
  EXPECT_GE(loop.waiting, milliseconds(4));
  EXPECT_GT(loop.busy, Duration(0));
  EXPECT_GE(loop.busy, loop.longest_pass);
}

TEST(RealReactor, StopsBeforeItRan) {
  OneShard shard;
  shard.reactor->stop();
  shard.reactor->run();
  EXPECT_GE(shard.run(measure_sleep(milliseconds(1))), milliseconds(1));
}

Task<std::uint64_t> one_more(std::uint64_t value) { co_return value + 1; }

Task<std::uint64_t> count_to(Reactor& target, std::uint64_t rounds) {
  std::uint64_t value = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    auto next = [value] { return one_more(value); };
    value = co_await call_on(target, std::move(next));
  }
  co_return value;
}

TEST(RealRuntime, CallsAcrossShardsLoseNoWakeUp) {
  auto runtime = RealRuntime::create({.shards = 3, .seed = 7});
  ASSERT_TRUE(runtime.ok());
  RealRuntime& shards = **runtime;
  shards.start();
  // Many callers at once, so that senders meet loops that sleep, wake and work.
  std::vector<std::thread> callers;
  std::atomic<std::uint64_t> total = 0;
  for (std::uint32_t caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&shards, &total, caller] {
      Reactor& target = shards.shard(ShardId((caller + 1) % 3));
      total += shards.run_on(ShardId(caller % 3), [&target] { return count_to(target, 3000); });
    });
  }
  for (std::thread& caller : callers) caller.join();
  shards.stop();
  EXPECT_EQ(total, 6u * 3000u);
}

Task<int> sum_on_all(RealRuntime& runtime) {
  int sum = 0;
  for (std::uint32_t i = 0; i < runtime.shard_count(); ++i) {
    Reactor& target = runtime.shard(ShardId(i));
    auto work = []() -> Task<int> { co_return static_cast<int>(Reactor::current().shard().value) + 1; };
    sum += co_await call_on(target, std::move(work));
  }
  co_return sum;
}

TEST(RealRuntime, RunsMainOnTheCallingThreadAndJoinsTheOthers) {
  auto runtime = RealRuntime::create({.shards = 3, .seed = 7, .pin_threads = true});
  ASSERT_TRUE(runtime.ok());
  EXPECT_EQ((*runtime)->run(sum_on_all(**runtime)), 6);
  EXPECT_EQ((*runtime)->run(sum_on_all(**runtime)), 6);  // and can be run again
}

TEST(RealRuntime, SaysWhichDiskBackendIsInUse) {
  auto runtime = RealRuntime::create({.backend = DiskBackend::kPosix});
  ASSERT_TRUE(runtime.ok());
  EXPECT_EQ((*runtime)->disk_backend(), "posix");
  auto automatic = RealRuntime::create({});
  ASSERT_TRUE(automatic.ok());
  const std::string backend = (*automatic)->disk_backend();
  EXPECT_TRUE(backend == "io_uring" || backend.starts_with("posix (")) << backend;
}

Task<int> compute_elsewhere() {
  const std::thread::id here = std::this_thread::get_id();
  std::thread::id there;
  auto work = [&there] {
    there = std::this_thread::get_id();
    return 42;
  };
  const int answer = co_await run_blocking(std::move(work));
  co_return there != here && std::this_thread::get_id() == here ? answer : -1;
}

TEST(Blocking, RunsOnAHelperAndComesBack) {
  OneShard shard;
  EXPECT_EQ(shard.run(compute_elsewhere()), 42);
}

Task<> block_once(int& done) {
  auto work = [] { std::this_thread::yield(); };
  co_await run_blocking(std::move(work), Lane::kFiles);
  ++done;
}

Task<int> block_many(int count) {
  int done = 0;
  TaskScope scope;
  for (int i = 0; i < count; ++i) scope.spawn(block_once(done));
  while (scope.running() > 0) co_await Reactor::current().yield();
  co_await scope.close();
  co_return done;
}

TEST(Blocking, RunsMoreAtOnceThanThereAreHelpers) {
  OneShard shard;
  EXPECT_EQ(shard.run(block_many(200)), 200);
}

Task<int> await_signal(RealReactor& reactor) {
  auto signals = StopSignals::create(reactor);
  if (!signals.ok()) co_return -1;
  auto send = [] { ::kill(::getpid(), SIGTERM); };
  TaskScope scope;
  scope.spawn(run_blocking(std::move(send)));
  const int signal = co_await (*signals)->next();
  (*signals)->close();
  const int after = co_await (*signals)->next();
  while (scope.running() > 0) co_await reactor.yield();
  co_await scope.close();
  co_return after == 0 ? signal : -2;
}

TEST(StopSignals, WakeTheirWaiter) {
  StopSignals::block();
  OneShard shard;
  EXPECT_EQ(shard.run(await_signal(*shard.reactor)), SIGTERM);
}

}  // namespace
}  // namespace pyralog::io
