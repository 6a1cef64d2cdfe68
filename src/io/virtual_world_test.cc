#include "io/virtual_world.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "io/remote_call.h"
#include "io/sync.h"
#include "io/task_scope.h"

namespace pyralog::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr NodeId kNode{1};

Task<int> answer_after(Duration delay) {
  AbortSource never;
  co_await sleep_for(delay, never);
  co_return 42;
}

TEST(VirtualWorld, RunsATaskInVirtualTime) {
  VirtualWorld world(1);
  VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
  EXPECT_EQ(world.run(reactor, answer_after(std::chrono::minutes(10))), 42);
  EXPECT_GE(world.now(), MonotonicTime(std::chrono::minutes(10)));
  EXPECT_LT(world.now(), MonotonicTime(std::chrono::minutes(10) + milliseconds(1)));
}

TEST(VirtualWorld, SaysThatATaskIsStuckLateOrDead) {
  VirtualWorld world(1);
  VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
  WaitList* never = new WaitList;  // outlives its waiter, which the world keeps
  const auto wait = [](WaitList* list) -> Task<int> {
    co_await list->wait();
    co_return 1;
  };
  EXPECT_EQ(world.try_run(reactor, wait(never)), std::nullopt);
  EXPECT_EQ(world.try_run(reactor, answer_after(seconds(10)), seconds(1)), std::nullopt);
  world.after(seconds(1), [&] { world.crash(kNode, CrashMode::kKill); });
  EXPECT_EQ(world.try_run(reactor, answer_after(seconds(100))), std::nullopt);
  EXPECT_FALSE(reactor.alive());
  EXPECT_DEATH(world.run(world.add_reactor(kNode, ShardId(0)), wait(never)), "deadlock");
  VirtualWorld::abandon(std::unique_ptr<WaitList>(never));
}

Task<> ping(VirtualReactor& other, int count, std::vector<int>* seen, int name) {
  for (int i = 0; i < count; ++i) {
    const auto far = []() -> Task<int> {
      AbortSource never;
      co_await sleep_for(Duration(1 + static_cast<Duration::rep>(Reactor::current().random().below(50'000))), never);
      co_return static_cast<int>(Reactor::current().shard().value);
    };
    EXPECT_EQ(co_await call_on(other, far), static_cast<int>(other.shard().value));
    seen->push_back(name);
  }
}

struct Trace {
  std::uint64_t hash;
  std::vector<int> order;
};

Trace ping_pong(std::uint64_t seed) {
  VirtualWorld world(seed);
  VirtualReactor& a = world.add_reactor(kNode, ShardId(0));
  VirtualReactor& b = world.add_reactor(kNode, ShardId(1));
  std::vector<int> seen;
  world.start(a, ping(b, 50, &seen, 1));
  world.start(b, ping(a, 50, &seen, 2));
  EXPECT_EQ(world.run_until_idle(), RunEnd::kIdle);
  EXPECT_EQ(seen.size(), 100u);
  return {world.trace_hash(), seen};
}

TEST(VirtualWorld, RepeatsItselfUnderOneSeedOnly) {
  const Trace first = ping_pong(7), again = ping_pong(7), other = ping_pong(8);
  EXPECT_EQ(first.hash, again.hash);
  EXPECT_EQ(first.order, again.order);
  EXPECT_NE(first.hash, other.hash);
  EXPECT_NE(first.order, other.order);
}

Task<> tick(TaskScope& scope, int* ticks) {
  while (co_await sleep_for(seconds(1), scope.abort()) == WaitOutcome::kTimedOut) ++*ticks;
}

/// A server with background work: its destructor asserts unless closed.
struct Server {
  TaskScope scope;
  int ticks = 0;
  Task<> open() {
    scope.spawn(tick(scope, &ticks));
    co_return;
  }
  Task<> close() { co_await scope.close(); }
};

TEST(VirtualWorld, AKilledNodeIsSetAsideWithoutDestructors) {
  VirtualWorld world(3);
  VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
  auto server = std::make_unique<Server>();
  world.run(reactor, server->open());
  world.run_for(milliseconds(3500));
  EXPECT_EQ(server->ticks, 3);
  world.crash(kNode, CrashMode::kKill);
  world.run_for(seconds(5));
  EXPECT_EQ(server->ticks, 3);
  VirtualWorld::abandon(std::move(server));

  VirtualReactor& next = world.add_reactor(kNode, ShardId(0));
  EXPECT_EQ(world.crash_count(kNode), 1u);
  EXPECT_EQ(world.run(next, answer_after(seconds(1))), 42);
}

TEST(VirtualWorld, ADeadNodesObjectsCanBeUnwoundAndDestroyed) {
  VirtualWorld world(3);
  VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
  auto server = std::make_unique<Server>();
  world.run(reactor, server->open());
  world.crash(kNode, CrashMode::kKill);
  const std::uint64_t trace = world.trace_hash();
  EXPECT_TRUE(world.unwind(reactor, server->close()));
  server.reset();
  EXPECT_EQ(world.trace_hash(), trace);
}

/// Waits on the network and on the disk at the same time, and closes in an orderly manner when either fails.
struct BusyServer {
  TaskScope scope;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<File> file;
  int synced = 0;

  static Task<> accept_all(BusyServer* self) {
    for (;;) {
      auto connection = co_await self->listener->accept();
      if (!connection.ok()) co_return;
      co_await (*connection)->readable();
    }
  }
  static Task<> sync_for_ever(BusyServer* self) {
    while (!self->scope.closing() && (co_await self->file->sync()).ok()) ++self->synced;
  }
  Task<> open() {
    const Endpoint any{.host = "0.0.0.0", .port = 1};
    listener = std::move(co_await Reactor::current().network().listen(any)).value();
    const OpenOptions options{.existence = Existence::kMayCreate};
    file = std::move(co_await Reactor::current().disk().open("f", options)).value();
    scope.spawn(accept_all(this));
    scope.spawn(sync_for_ever(this));
  }
  Task<> close() {
    listener->close();
    co_await scope.close();
  }
};

TEST(VirtualWorld, WaitsForDiskAndNetworkUnwindToo) {
  VirtualWorld world(3);
  VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
  VirtualReactor& client = world.add_reactor(NodeId(2), ShardId(0));
  auto server = std::make_unique<BusyServer>();
  world.run(reactor, server->open());
  const Endpoint target{.host = "node-1", .port = 1};
  auto connection = world.run(client, client.network().connect(target, seconds(1)));
  EXPECT_TRUE(connection.ok());
  world.run_for(milliseconds(50));
  EXPECT_GT(server->synced, 0);
  world.crash(kNode, CrashMode::kPowerLoss);
  const int synced = server->synced;
  EXPECT_TRUE(world.unwind(reactor, server->close()));
  EXPECT_LE(server->synced, synced + 1) << "one sync may have ended before the crash without anybody knowing";
  server.reset();
}

Task<> server_process(int* ticks) {
  BusyServer server;
  co_await server.open();
  Server ticking;
  co_await ticking.open();
  WaitList* const never = new WaitList;
  *ticks = 1;
  co_await never->wait();
}

TEST(VirtualWorld, AProcessThatLivesInACoroutineNeedsNoCareAtACrash) {
  VirtualWorld world(4);
  for (int life = 0; life < 20; ++life) {
    VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
    int started = 0;
    world.start(reactor, server_process(&started));
    EXPECT_EQ(world.run_until([&] { return started == 1; }, world.now() + seconds(1)), RunEnd::kDone);
    world.run_for(milliseconds(5));
    world.crash(kNode, life % 2 == 0 ? CrashMode::kKill : CrashMode::kPowerLoss);
  }
}

TEST(VirtualWorld, APausedNodeMissesTimeNotEvents) {
  VirtualWorld world(3);
  VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
  Server server;
  world.run(reactor, server.open());
  world.run_for(milliseconds(2500));
  world.pause(kNode);
  world.run_for(seconds(10));
  EXPECT_EQ(server.ticks, 2);
  world.resume(kNode);
  world.run_for(milliseconds(10));
  EXPECT_EQ(server.ticks, 3);
  world.run(reactor, server.close());
}

TEST(VirtualWorld, WallClocksJumpAlone) {
  VirtualWorld world(3);
  VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
  const WallTime before = reactor.wall_now();
  world.jump_wall_clock(kNode, std::chrono::hours(-1));
  EXPECT_EQ(reactor.wall_now().ms, before.ms - 3'600'000);
  EXPECT_EQ(reactor.now(), MonotonicTime{});
}

Task<> crash_self(VirtualWorld& world, int* reached) {
  world.crash(kNode, CrashMode::kKill);
  *reached = 1;
  co_await Reactor::current().yield();
  *reached = 2;
}

TEST(VirtualWorld, ACrashFromWithinEndsWithTheTurn) {
  VirtualWorld world(3);
  VirtualReactor& reactor = world.add_reactor(kNode, ShardId(0));
  int reached = 0;
  EXPECT_FALSE(world.try_run(reactor, crash_self(world, &reached)));
  EXPECT_EQ(reached, 1);
}

}  // namespace
}  // namespace pyralog::io
