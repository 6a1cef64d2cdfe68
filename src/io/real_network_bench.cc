#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "io/disk.h"
#include "io/network.h"
#include "io/real_test_support.h"
#include "io/remote_call.h"
#include "io/real_runtime.h"
#include "io/task_scope.h"

/// Client and server share one shard on loopback: a request costs both ends, without any hop between threads.
namespace pyralog::io {
namespace {

using testing::OneShard;

Task<> echo(std::unique_ptr<Connection> connection) {
  std::vector<std::byte> buffer(64 << 10);
  for (;;) {
    auto got = connection->try_read(buffer);
    if (!got.ok() || got.value() == std::size_t{0}) co_return;
    if (!got->has_value()) {
      co_await connection->readable();
      continue;
    }
    const ByteView all(buffer.data(), **got);
    std::size_t sent = 0;
    while (sent < all.size()) {
      const ByteView rest = all.subspan(sent);
      auto taken = connection->try_write({&rest, 1});
      if (!taken.ok()) co_return;
      if (*taken == 0) co_await connection->writable();
      sent += *taken;
    }
  }
}

Task<> serve(Listener& listener, TaskScope& scope) {
  for (;;) {
    auto connection = co_await listener.accept();
    if (!connection.ok()) co_return;
    scope.spawn(echo(std::move(*connection)));
  }
}

Task<> ask(Connection& connection, std::size_t bytes, std::int64_t rounds) {
  std::vector<std::byte> buffer(bytes);
  for (std::int64_t i = 0; i < rounds; ++i) {
    const ByteView request(buffer);
    (void)connection.try_write({&request, 1});
    for (std::size_t have = 0; have < bytes;) {
      auto got = connection.try_read(MutableBytes(buffer).subspan(have));
      if (!got.ok()) co_return;
      if (!got->has_value()) {
        co_await connection.readable();
        continue;
      }
      have += **got;
    }
  }
}

struct EchoSetup {
  OneShard shard;
  std::unique_ptr<Listener> listener;
  TaskScope server;
  std::vector<std::unique_ptr<Connection>> clients;
};

Task<> open_echo(EchoSetup& setup, std::int64_t clients) {
  const Endpoint any{.host = "127.0.0.1", .port = 0};
  setup.listener = std::move(*co_await Reactor::current().network().listen(any));
  setup.server.spawn(serve(*setup.listener, setup.server));
  for (std::int64_t i = 0; i < clients; ++i) {
    auto client = co_await Reactor::current().network().connect(setup.listener->local(), std::chrono::seconds(5));
    setup.clients.push_back(std::move(*client));
  }
}

Task<> all_ask(EchoSetup& setup, std::size_t bytes, std::int64_t rounds) {
  TaskScope scope;
  for (auto& client : setup.clients) scope.spawn(ask(*client, bytes, rounds));
  co_await scope.close();
}

Task<> close_echo(EchoSetup& setup) {
  setup.clients.clear();
  setup.listener->close();
  co_await setup.server.close();
  setup.listener.reset();
}

void echo_requests(benchmark::State& state) {
  constexpr std::int64_t kRounds = 100;
  EchoSetup setup;
  setup.shard.run(open_echo(setup, state.range(0)));
  const auto bytes = static_cast<std::size_t>(state.range(1));
  for (auto _ : state) setup.shard.run(all_ask(setup, bytes, kRounds));
  setup.shard.run(close_echo(setup));
  state.SetItemsProcessed(state.iterations() * kRounds * state.range(0));
}
BENCHMARK(echo_requests)->ArgNames({"connections", "bytes"})->Args({1, 100})->Args({100, 100})->Args({16, 16 << 10});

Task<> call_often(Reactor& target, std::int64_t rounds) {
  for (std::int64_t i = 0; i < rounds; ++i) {
    auto nothing = []() -> Task<int> { co_return 0; };
    co_await call_on(target, std::move(nothing));
  }
}

void call_between_shards(benchmark::State& state) {
  constexpr std::int64_t kRounds = 1000;
  auto runtime = std::move(*RealRuntime::create({.shards = 2, .pin_threads = true}));
  runtime->start();
  const auto callers = state.range(0);
  for (auto _ : state) {
    auto work = [&] {
      return [](Reactor& target, std::int64_t count) -> Task<int> {
        TaskScope scope;
        for (std::int64_t i = 0; i < count; ++i) scope.spawn(call_often(target, kRounds));
        co_await scope.close();
        co_return 0;
      }(runtime->shard(ShardId(1)), callers);
    };
    runtime->run_on(ShardId(0), work);
  }
  runtime->stop();
  state.SetItemsProcessed(state.iterations() * kRounds * callers);
}
BENCHMARK(call_between_shards)->ArgName("callers")->Arg(1)->Arg(100)->UseRealTime();

}  // namespace
}  // namespace pyralog::io
