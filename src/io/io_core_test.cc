// Tasks, scopes and waiting, run on virtual reactors: nothing sleeps and every order is repeatable.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "io/blocking.h"
#include "io/remote_call.h"
#include "io/sync.h"
#include "io/task.h"
#include "io/task_scope.h"
#include "io/virtual_world.h"
#include "io/when_all.h"

namespace pyralog::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class IoCore : public ::testing::Test {
 protected:
  VirtualWorld world{1};
  VirtualReactor& reactor = world.add_reactor(NodeId(1), ShardId(0));
};

Task<int> number(int n) { co_return n; }

Task<int> depth(int levels) {
  if (levels == 0) co_return 0;
  co_return 1 + co_await depth(levels - 1);
}

TEST_F(IoCore, ATaskRunsOnlyWhenAwaitedAndPassesItsValueOn) {
  bool ran = false;
  const auto mark = [](bool* flag) -> Task<int> {
    *flag = true;
    co_return 5;
  };
  {
    Task<int> never_started = mark(&ran);
    EXPECT_FALSE(ran);
  }
  EXPECT_FALSE(ran);
  EXPECT_EQ(world.run(reactor, mark(&ran)), 5);
  EXPECT_TRUE(ran);
}

TEST_F(IoCore, ChainsOfSynchronousTasksUseNoStackPerAwait) {
  const auto loop = [](int times) -> Task<int> {
    int sum = 0;
    for (int i = 0; i < times; ++i) sum += co_await number(1);
    co_return sum;
  };
  EXPECT_EQ(world.run(reactor, loop(1'000'000)), 1'000'000);
  EXPECT_EQ(world.run(reactor, depth(10'000)), 10'000);
}

TEST_F(IoCore, ATaskMovesMoveOnlyValues) {
  const auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
  const auto pass = [make]() { return make(); };
  EXPECT_EQ(*world.run(reactor, pass()), 3);
}

Task<Result<int>> checked(int n) {
  if (n < 0) co_return Error(ErrorCode::kOutOfRange, "negative");
  co_return n;
}
Task<Result<int>> sum(int a, int b) {
  PYRALOG_CO_ASSIGN(const int left, co_await checked(a));
  PYRALOG_CO_TRY(co_await checked(b));
  co_return left + b;
}

TEST_F(IoCore, ErrorsPropagateThroughTasks) {
  EXPECT_EQ(world.run(reactor, sum(1, 2)).value(), 3);
  EXPECT_EQ(world.run(reactor, sum(-1, 2)).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(world.run(reactor, sum(1, -2)).error(), ErrorCode::kOutOfRange);
}

struct Log {
  std::vector<std::string> lines;
  void add(std::string line) { lines.push_back(std::move(line)); }
};

Task<> wait_named(WaitList* list, std::string name, Log* log) {
  co_await list->wait();
  log->add(name);
}

TEST_F(IoCore, AWaitListWakesInOrderAndNeverInsideTheWaker) {
  WaitList list;
  Log log;
  for (const char* name : {"a", "b", "c"}) world.start(reactor, wait_named(&list, name, &log));
  world.run_until_idle();
  reactor.enter([&] {
    list.notify_one();
    EXPECT_TRUE(log.lines.empty());
  });
  world.run_until_idle();
  EXPECT_EQ(log.lines, (std::vector<std::string>{"a"}));
  reactor.enter([&] { list.notify_all(); });
  world.run_until_idle();
  EXPECT_EQ(log.lines, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(list.empty());
}

Task<WaitOutcome> wait_for(WaitList* list, Duration span, AbortSource* abort) {
  co_return co_await list->wait_until(Reactor::current().now() + span, *abort);
}

TEST_F(IoCore, AWaitEndsByNotificationTimeOrAbort) {
  WaitList list;
  AbortSource abort;
  EXPECT_EQ(world.run(reactor, wait_for(&list, seconds(1), &abort)), WaitOutcome::kTimedOut);
  world.after(milliseconds(10), [&] { list.notify_all(); });
  EXPECT_EQ(world.run(reactor, wait_for(&list, seconds(1), &abort)), WaitOutcome::kWoken);
  world.after(milliseconds(10), [&] { abort.abort(); });
  EXPECT_EQ(world.run(reactor, wait_for(&list, seconds(1), &abort)), WaitOutcome::kAborted);
  EXPECT_TRUE(abort.aborted());
  EXPECT_EQ(world.run(reactor, wait_for(&list, seconds(1), &abort)), WaitOutcome::kAborted);
  EXPECT_TRUE(list.empty());
}

TEST_F(IoCore, OnlyTheFirstOfNotificationTimeAndAbortCounts) {
  // All three at the same virtual moment, in every order: exactly one outcome, nothing left behind.
  for (int first = 0; first < 3; ++first) {
    WaitList list;
    AbortSource abort;
    const MonotonicTime at = world.now() + milliseconds(5);
    const auto wait = [](WaitList* l, MonotonicTime deadline, AbortSource* a) -> Task<WaitOutcome> {
      co_return co_await l->wait_until(deadline, *a);
    };
    world.after(milliseconds(5), [&] {
      if (first == 0) list.notify_all();
      if (first == 1) abort.abort();
      list.notify_all();
      abort.abort();
    });
    const WaitOutcome expected = first == 1 ? WaitOutcome::kAborted : WaitOutcome::kWoken;
    EXPECT_EQ(world.run(reactor, wait(&list, at, &abort)), expected);
    EXPECT_TRUE(list.empty());
    world.run_until_idle();
  }
}

TEST_F(IoCore, OnlyThoseAreWokenWhoseThresholdIsReached) {
  WaitList list;
  AbortSource never;
  std::vector<int> woken;
  const auto wait = [](WaitList* l, AbortSource* a, MonotonicTime deadline, std::uint64_t threshold,
                       std::vector<int>* into) -> Task<> {
    const WaitOutcome outcome = co_await l->wait_reached(threshold, deadline, *a);
    if (outcome == WaitOutcome::kWoken) into->push_back(static_cast<int>(threshold));
  };
  const MonotonicTime deadline = world.now() + std::chrono::hours(1);
  for (const std::uint64_t threshold : {5u, 9u, 3u, 9u, 7u}) {
    world.start(reactor, wait(&list, &never, deadline, threshold, &woken));
  }
  world.run_for(milliseconds(1));
  list.notify_reached(2);
  world.run_for(milliseconds(1));
  EXPECT_EQ(woken, std::vector<int>());
  list.notify_reached(7);
  world.run_for(milliseconds(1));
  EXPECT_EQ(woken, (std::vector{3, 5, 7}));
  list.notify_reached(9);
  world.run_for(milliseconds(1));
  EXPECT_EQ(woken, (std::vector{3, 5, 7, 9, 9}));
  EXPECT_TRUE(list.empty());
}

TEST_F(IoCore, LeavingTheMiddleOfAWaitListKeepsTheRest) {
  WaitList list;
  AbortSource aborts[5];
  Log log;
  const auto wait = [](WaitList* l, AbortSource* a, int name, Log* into) -> Task<> {
    const WaitOutcome outcome = co_await l->wait(*a);
    into->add(std::to_string(name) + (outcome == WaitOutcome::kWoken ? "+" : "-"));
  };
  for (int i = 0; i < 5; ++i) world.start(reactor, wait(&list, &aborts[i], i, &log));
  world.run_until_idle();
  for (int i : {2, 0, 4}) {
    reactor.enter([&] { aborts[i].abort(); });
    world.run_until_idle();
  }
  reactor.enter([&] { list.notify_all(); });
  world.run_until_idle();
  EXPECT_EQ(log.lines, (std::vector<std::string>{"2-", "0-", "4-", "1+", "3+"}));
}

TEST_F(IoCore, AOneShotIsTakenBeforeOrAfterItIsSet) {
  OneShot<std::unique_ptr<int>> early, late;
  early.set(std::make_unique<int>(1));
  EXPECT_EQ(*world.run(reactor, early.take()), 1);
  world.after(milliseconds(1), [&] { late.set(std::make_unique<int>(2)); });
  EXPECT_EQ(*world.run(reactor, late.take()), 2);
}

Task<> use(Semaphore* semaphore, AbortSource* abort, std::uint64_t units, std::string name, Log* log) {
  const WaitOutcome outcome = co_await semaphore->acquire(units, *abort);
  log->add(name + (outcome == WaitOutcome::kWoken ? "+" : "-"));
}

TEST_F(IoCore, ASemaphoreIsStrictlyFirstComeFirstServed) {
  Semaphore semaphore(10);
  AbortSource abort;
  Log log;
  EXPECT_TRUE(semaphore.try_acquire(8));
  world.start(reactor, use(&semaphore, &abort, 5, "large", &log));
  world.start(reactor, use(&semaphore, &abort, 1, "small", &log));
  world.run_until_idle();
  EXPECT_TRUE(log.lines.empty());
  EXPECT_FALSE(semaphore.try_acquire(1)) << "a queue is not overtaken";
  reactor.enter([&] { semaphore.release(2); });
  world.run_until_idle();
  EXPECT_TRUE(log.lines.empty());
  reactor.enter([&] { semaphore.release(6); });
  world.run_until_idle();
  EXPECT_EQ(log.lines, (std::vector<std::string>{"large+", "small+"}));
  EXPECT_EQ(semaphore.available(), 4u);
}

TEST_F(IoCore, AnAbortedAcquireTakesNothingAndLetsTheNextIn) {
  Semaphore semaphore(4);
  AbortSource abort, never;
  Log log;
  EXPECT_TRUE(semaphore.try_acquire(2));
  world.start(reactor, use(&semaphore, &abort, 3, "first", &log));
  world.start(reactor, use(&semaphore, &never, 2, "second", &log));
  world.run_until_idle();
  reactor.enter([&] { abort.abort(); });
  world.run_until_idle();
  EXPECT_EQ(log.lines, (std::vector<std::string>{"first-", "second+"}));
  EXPECT_EQ(semaphore.available(), 0u);
}

TEST_F(IoCore, AGrantInTheTurnOfAnAbortIsKept) {
  Semaphore semaphore(1);
  AbortSource abort;
  Log log;
  EXPECT_TRUE(semaphore.try_acquire(1));
  world.start(reactor, use(&semaphore, &abort, 1, "waiter", &log));
  world.run_until_idle();
  reactor.enter([&] {
    semaphore.release(1);
    abort.abort();
  });
  world.run_until_idle();
  EXPECT_EQ(log.lines, (std::vector<std::string>{"waiter+"}));
  EXPECT_EQ(semaphore.available(), 0u);
}

TEST_F(IoCore, ASemaphoreNeverGivesOutMoreThanItHas) {
  Semaphore semaphore(16);
  AbortSource never;
  std::uint64_t in_use = 0, most = 0;
  int ended = 0;
  const auto work = [](Semaphore* s, AbortSource* abort, std::uint64_t* used, std::uint64_t* peak, int* done) -> Task<> {
    Random& random = Reactor::current().random();
    for (int i = 0; i < 50; ++i) {
      const std::uint64_t units = random.between(1, 16);
      co_await s->acquire(units, *abort);
      *used += units;
      *peak = std::max(*peak, *used);
      co_await sleep_for(Duration(static_cast<Duration::rep>(random.below(1000))), *abort);
      *used -= units;
      s->release(units);
    }
    ++*done;
  };
  for (int i = 0; i < 20; ++i) world.start(reactor, work(&semaphore, &never, &in_use, &most, &ended));
  world.run_until_idle();
  EXPECT_EQ(ended, 20);
  EXPECT_EQ(semaphore.available(), 16u);
  EXPECT_LE(most, 16u);
}

Task<> until_aborted(TaskScope* scope, int* ended) {
  AbortSource never;
  co_await sleep_for(seconds(100), scope->abort());
  co_await sleep_for(milliseconds(1), never);  // cleaning up takes time too
  ++*ended;
}

TEST_F(IoCore, ClosingAScopeAbortsAndAwaitsItsTasks) {
  TaskScope scope;
  int ended = 0;
  reactor.enter([&] {
    for (int i = 0; i < 3; ++i) scope.spawn(until_aborted(&scope, &ended));
  });
  EXPECT_EQ(scope.running(), 3u);
  const MonotonicTime before = world.now();
  world.run(reactor, scope.close());
  EXPECT_EQ(ended, 3);
  EXPECT_EQ(scope.running(), 0u);
  EXPECT_LT(world.now() - before, seconds(1));
  reactor.enter([&] { scope.spawn(until_aborted(&scope, &ended)); });
  EXPECT_EQ(scope.running(), 0u) << "a closed scope takes no tasks";
  world.run(reactor, scope.close());
}

TEST_F(IoCore, AScopeRunsATaskUpToItsFirstSuspensionAtOnce) {
  TaskScope scope;
  int value = 0;
  const auto set = [](int* v) -> Task<> {
    *v = 1;
    co_await Reactor::current().yield();
    *v = 2;
  };
  reactor.enter([&] {
    scope.spawn(set(&value));
    EXPECT_EQ(value, 1);
  });
  world.run_until_idle();
  EXPECT_EQ(value, 2);
  EXPECT_EQ(scope.running(), 0u);
  world.run(reactor, scope.close());
}

TEST_F(IoCore, AnOwnerMayDestroyItsScopeRightAfterClosing) {
  const auto own = [](int* ended) -> Task<> {
    auto scope = std::make_unique<TaskScope>();
    for (int i = 0; i < 10; ++i) scope->spawn(until_aborted(scope.get(), ended));
    co_await scope->close();
    scope.reset();
  };
  int ended = 0;
  world.run(reactor, own(&ended));
  EXPECT_EQ(ended, 10);
}

TEST_F(IoCore, WhenAllWaitsForTheLast) {
  AbortSource never;
  const auto pass_time = [](Duration span, AbortSource* abort) -> Task<> { co_await sleep_for(span, *abort); };
  const auto all = [pass_time](AbortSource* abort) {
    std::vector<Task<>> tasks;
    for (int i = 1; i <= 5; ++i) tasks.push_back(pass_time(seconds(i), abort));
    return when_all(std::move(tasks));
  };
  const MonotonicTime before = world.now();
  world.run(reactor, all(&never));
  EXPECT_GE(world.now() - before, seconds(5));
  EXPECT_LT(world.now() - before, seconds(6));
  world.run(reactor, when_all({}));
}

TEST_F(IoCore, TimersFireInOrderOfDeadlineThenOfArming) {
  std::vector<int> fired;
  const auto make = [&](int name) { return std::make_unique<Timer>(reactor, [&fired, name] { fired.push_back(name); }); };
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 6; ++i) timers.push_back(make(i));
  const MonotonicTime now = world.now();
  for (const auto& [name, delay] : std::vector<std::pair<int, int>>{{0, 30}, {1, 10}, {2, 20}, {3, 10}, {4, 5}, {5, 10}}) {
    timers[static_cast<std::size_t>(name)]->arm(now + milliseconds(delay));
  }
  timers[4]->cancel();
  EXPECT_FALSE(timers[4]->armed());
  timers[2]->arm(now + milliseconds(40));  // arming again moves it
  world.run_until_idle();
  EXPECT_EQ(fired, (std::vector<int>{1, 3, 5, 0, 2}));
}

TEST_F(IoCore, ATimerMayArmItselfAndCancelOthers) {
  int ticks = 0, victims = 0;
  Timer victim(reactor, [&] { ++victims; });
  Timer* self = nullptr;
  Timer tick(reactor, [&] {
    if (++ticks == 3) victim.cancel();
    if (ticks < 5) self->arm_after(milliseconds(10));
  });
  self = &tick;
  tick.arm_after(milliseconds(10));
  victim.arm_after(milliseconds(35));
  world.run_until_idle();
  EXPECT_EQ(ticks, 5);
  EXPECT_EQ(victims, 0);
}

TEST_F(IoCore, ATimerArmedForNowDoesNotStarveTheLoop) {
  int ticks = 0;
  bool other = false;
  Timer* self = nullptr;
  Timer tick(reactor, [&] {
    if (++ticks < 1000 && !other) self->arm(reactor.now());
  });
  self = &tick;
  const auto yields = [](bool* flag) -> Task<> {
    for (int i = 0; i < 3; ++i) co_await Reactor::current().yield();
    *flag = true;
  };
  tick.arm(world.now());
  world.run(reactor, yields(&other));
  EXPECT_TRUE(other);
  EXPECT_LT(ticks, 1000);
}

TEST_F(IoCore, ManyTimersKeepTheHeapInOrder) {
  Random random(5);
  std::vector<MonotonicTime> fired;
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 500; ++i) {
    timers.push_back(std::make_unique<Timer>(reactor, [&] { fired.push_back(reactor.now()); }));
  }
  std::vector<bool> armed(timers.size());
  for (int i = 0; i < 5000; ++i) {
    const std::size_t which = random.below(timers.size());
    armed[which] = random.chance(2, 3);
    if (armed[which]) {
      timers[which]->arm_after(Duration(static_cast<Duration::rep>(random.below(1'000'000'000))));
    } else {
      timers[which]->cancel();
    }
  }
  world.run_until_idle();
  EXPECT_EQ(fired.size(), static_cast<std::size_t>(std::ranges::count(armed, true)));
  EXPECT_TRUE(std::ranges::is_sorted(fired));
}

TEST_F(IoCore, CallOnRunsThereAndReturnsHere) {
  VirtualReactor& other = world.add_reactor(NodeId(1), ShardId(1));
  const auto call = [](Reactor* home, Reactor* target, int n) -> Task<int> {
    const auto twice = [target, n]() -> Task<int> {
      // Everything is taken out of the capture before the first suspension.
      Reactor* const there = target;
      const int value = n;
      EXPECT_TRUE(Reactor::is_current(*there));
      co_await Reactor::current().yield();
      co_return 2 * value;
    };
    const int result = co_await call_on(*target, twice);
    EXPECT_TRUE(Reactor::is_current(*home));
    co_return result;
  };
  EXPECT_EQ(world.run(reactor, call(&reactor, &other, 21)), 42);
  EXPECT_EQ(world.run(reactor, call(&reactor, &reactor, 4)), 8);
}

TEST_F(IoCore, CallsFromOneShardArriveInOrder) {
  VirtualReactor& other = world.add_reactor(NodeId(1), ShardId(1));
  std::vector<int> seen;
  const auto one = [](Reactor* target, std::vector<int>* into, int n) -> Task<> {
    const auto note = [into, n]() -> Task<int> {
      into->push_back(n);
      co_return 0;
    };
    (void)co_await call_on(*target, note);
  };
  const auto all = [one](Reactor* target, std::vector<int>* into) {
    std::vector<Task<>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(one(target, into, i));
    return when_all(std::move(tasks));
  };
  world.run(reactor, all(&other, &seen));
  ASSERT_EQ(seen.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
}

TEST_F(IoCore, BlockingWorkComesBackToItsShard) {
  const auto work = [](Reactor* home) -> Task<int> {
    const auto compute = [] { return 7; };
    const int result = co_await run_blocking(compute);
    EXPECT_TRUE(Reactor::is_current(*home));
    co_return result;
  };
  EXPECT_EQ(world.run(reactor, work(&reactor)), 7);
}

}  // namespace
}  // namespace pyralog::io
