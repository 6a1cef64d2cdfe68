#include "io/virtual_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "io/sync.h"
#include "io/task_scope.h"
#include "io/virtual_world.h"

namespace pyralog::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr NodeId kServer{1}, kClient{2};
constexpr std::uint16_t kPort = 9092;

std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

Task<Result<std::unique_ptr<Connection>>> dial(Reactor& reactor, std::string host, Duration timeout = seconds(10)) {
  co_return co_await reactor.network().connect(Endpoint{.host = std::move(host), .port = kPort}, timeout);
}

/// Reads until the end of the stream or an error; bytes so far are in `*text`.
Task<Result<>> read_to_end(Connection* connection, std::string* text) {
  std::byte buffer[1000];
  for (;;) {
    PYRALOG_CO_ASSIGN(const std::optional<std::size_t> got, connection->try_read(buffer));
    if (!got.has_value()) {
      co_await connection->readable();
    } else if (*got == 0) {
      co_return Result<>();
    } else {
      text->append(as_text(std::span(buffer, *got)));
    }
  }
}

Task<Result<>> send(Connection* connection, std::string text) {
  std::vector<ByteView> pieces{as_bytes(text)};
  co_return co_await write_all(*connection, std::move(pieces));
}

class VirtualNetworkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server = &world.add_reactor(kServer, ShardId(0));
    client = &world.add_reactor(kClient, ShardId(0));
    const Endpoint any{.host = "0.0.0.0", .port = kPort};
    listener = world.run(*server, server->network().listen(any)).value();
  }
  void TearDown() override {
    near.reset();
    far.reset();
    listener.reset();
  }
  /// `near` is the client's end, `far` the server's.
  void connect() {
    near = world.run(*client, dial(*client, "node-1")).value();
    far = world.run(*server, listener->accept()).value();
  }

  VirtualWorld world{1};
  VirtualNetwork& network = world.network();
  VirtualReactor *server = nullptr, *client = nullptr;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Connection> near, far;
};

TEST_F(VirtualNetworkTest, CarriesBytesBothWaysAndEndsEachWayAlone) {
  connect();
  EXPECT_EQ(far->peer().host, network.address(kClient));
  EXPECT_EQ(near->peer(), (Endpoint{.host = "10.0.0.1", .port = kPort}));
  const std::string up = pattern(3'000'000), down = pattern(100'000);
  std::string at_server, at_client;
  const auto request = [](Connection* c, std::string text, std::string* answer) -> Task<Result<>> {
    PYRALOG_CO_TRY(co_await send(c, std::move(text)));
    c->shutdown_write();
    co_return co_await read_to_end(c, answer);
  };
  const auto serve = [](Connection* c, std::string* question, std::string answer) -> Task<> {
    EXPECT_TRUE((co_await read_to_end(c, question)).ok());
    EXPECT_TRUE((co_await send(c, std::move(answer))).ok());
    c->close();
  };
  world.start(*server, serve(far.get(), &at_server, down));
  EXPECT_TRUE(world.run(*client, request(near.get(), up, &at_client)).ok());
  EXPECT_EQ(at_server, up);
  EXPECT_EQ(at_client, down);
  EXPECT_GT(network.counters().splits, 0u);
}

TEST_F(VirtualNetworkTest, ConnectingFailsAsItShould) {
  const auto code = [](Result<std::unique_ptr<Connection>> result) { return result.error().code(); };
  EXPECT_EQ(code(world.run(*client, dial(*client, "nowhere"))), ErrorCode::kUnavailable);
  EXPECT_EQ(code(world.run(*client, dial(*client, "127.0.0.1"))), ErrorCode::kUnavailable);
  network.cut(kServer, kClient);
  const MonotonicTime before = world.now();
  EXPECT_EQ(code(world.run(*client, dial(*client, "node-1", seconds(3)))), ErrorCode::kTimedOut);
  EXPECT_GE(world.now() - before, seconds(3));
  network.stall(kServer, kClient, seconds(2));
  EXPECT_TRUE(world.run(*client, dial(*client, "node-1")).ok());
  listener->close();
  EXPECT_EQ(code(world.run(*client, dial(*client, "node-1"))), ErrorCode::kUnavailable);
}

TEST_F(VirtualNetworkTest, APortHasOneProcessAndMayHaveManyShards) {
  VirtualReactor& second = world.add_reactor(kServer, ShardId(1));
  const Endpoint any{.host = "0.0.0.0", .port = kPort};
  auto other = world.run(second, second.network().listen(any)).value();
  int accepted[2] = {0, 0};
  const auto serve = [](Listener* l, int* count) -> Task<> {
    while ((co_await l->accept()).ok()) ++*count;
  };
  world.start(*server, serve(listener.get(), &accepted[0]));
  world.start(second, serve(other.get(), &accepted[1]));
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(world.run(*client, dial(*client, "10.0.0.1")).ok());
  world.run_for(seconds(1));
  EXPECT_EQ(accepted[0] + accepted[1], 40);
  EXPECT_GT(accepted[0], 0);
  EXPECT_GT(accepted[1], 0);
  listener->close();
  other->close();
  world.run_for(seconds(1));

  network.occupy_port(kServer, 33145);
  const Endpoint taken{.host = "127.0.0.1", .port = 33145}, free{.host = "127.0.0.1", .port = 0};
  EXPECT_EQ(world.run(*server, server->network().listen(taken)).error(), ErrorCode::kAddressInUse);
  EXPECT_NE(world.run(*server, server->network().listen(free)).value()->local().port, 0);
}

TEST_F(VirtualNetworkTest, ACutHoldsTheStreamBackAndHealingCompletesIt) {
  connect();
  std::string received;
  bool ended = false;
  const auto receive = [](Connection* c, std::string* text, bool* done) -> Task<> {
    EXPECT_TRUE((co_await read_to_end(c, text)).ok());
    *done = true;
  };
  world.start(*server, receive(far.get(), &received, &ended));
  const std::string all = pattern(500'000);
  const auto transmit = [](Connection* c, std::string text) -> Task<> {
    EXPECT_TRUE((co_await send(c, std::move(text))).ok());
    c->shutdown_write();
  };
  world.start(*client, transmit(near.get(), all));
  world.run_for(std::chrono::microseconds(400));
  network.cut_both(kServer, kClient);
  world.run_for(seconds(30));
  EXPECT_LT(received.size(), all.size());
  EXPECT_FALSE(ended);
  network.heal_all();
  EXPECT_EQ(world.run_until([&] { return ended; }, world.now() + seconds(60)), RunEnd::kDone);
  EXPECT_EQ(received, all);
  EXPECT_GT(network.counters().segments_held_by_cuts, 0u);
}

TEST_F(VirtualNetworkTest, ASlowReaderFillsTheWindow) {
  network.options().window_bytes = 1000;
  connect();
  const std::string bytes = pattern(1500);
  const ByteView piece = as_bytes(bytes);
  std::size_t taken = 0;
  for (int i = 0; i < 100; ++i) taken += client->enter([&] { return near->try_write(std::span(&piece, 1)).value(); });
  EXPECT_EQ(taken, 1000u);
  bool writable = false;
  const auto wait = [](Connection* c, bool* done) -> Task<> {
    co_await c->writable();
    *done = true;
  };
  world.start(*client, wait(near.get(), &writable));
  world.run_for(seconds(1));
  EXPECT_FALSE(writable);
  std::byte buffer[10];
  EXPECT_GT(server->enter([&] { return far->try_read(buffer).value().value(); }), 0u);
  world.run_for(seconds(1));
  EXPECT_TRUE(writable);
}

TEST_F(VirtualNetworkTest, AResetCutsBothEndsOffMidStream) {
  connect();
  std::string received;
  world.after(milliseconds(2), [&] { network.reset_connections(kServer, kClient); });
  EXPECT_EQ(world.run(*client, send(near.get(), pattern(3'000'000))).error(), ErrorCode::kConnectionClosed);
  EXPECT_EQ(world.run(*server, read_to_end(far.get(), &received)).error(), ErrorCode::kConnectionClosed);
  EXPECT_LT(received.size(), 3'000'000u);
}

TEST_F(VirtualNetworkTest, AKilledProcessEndsItsConnections) {
  int ended = 0, reset = 0;
  for (int round = 0; round < 20; ++round) {
    connect();
    ASSERT_TRUE(world.run(*server, send(far.get(), "last words")).ok());
    world.crash(kServer, CrashMode::kKill);
    std::string received;
    const Result<> result = world.run(*client, read_to_end(near.get(), &received));
    if (result.ok()) {
      ++ended;
      EXPECT_EQ(received, "last words");
    } else {
      ++reset;
      EXPECT_EQ(result.error(), ErrorCode::kConnectionClosed);
    }
    EXPECT_EQ(world.run(*client, dial(*client, "node-1")).error(), ErrorCode::kUnavailable);
    near.reset();
    far.reset();
    listener.reset();
    server = &world.add_reactor(kServer, ShardId(0));
    const Endpoint any{.host = "0.0.0.0", .port = kPort};
    listener = world.run(*server, server->network().listen(any)).value();
  }
  EXPECT_GT(ended, 0);
  EXPECT_GT(reset, 0);
}

TEST_F(VirtualNetworkTest, ANodeWithoutPowerIsSilentUntilItIsBack) {
  connect();
  world.crash(kServer, CrashMode::kPowerLoss);
  EXPECT_TRUE(world.run(*client, send(near.get(), "anybody?")).ok());
  world.run_for(seconds(10));
  std::byte buffer[10];
  EXPECT_FALSE(client->enter([&] { return near->try_read(buffer).value(); }).has_value());
  EXPECT_EQ(world.run(*client, dial(*client, "node-1", seconds(2))).error(), ErrorCode::kTimedOut);
  world.add_reactor(kServer, ShardId(0));
  EXPECT_EQ(world.run(*client, dial(*client, "node-1", seconds(2))).error(), ErrorCode::kUnavailable);
  EXPECT_TRUE(world.run(*client, send(near.get(), "still there?")).ok());
  world.run_for(seconds(10));
  EXPECT_EQ(client->enter([&] { return near->try_read(buffer); }).error(), ErrorCode::kConnectionClosed);
}

TEST_F(VirtualNetworkTest, SendsRangesOfFiles) {
  connect();
  const std::string content = pattern(200'000);
  world.disk(kServer).overwrite("segment", 0, as_bytes(content));
  const OpenOptions options{.access = Access::kRead};
  auto file = world.run(*server, server->disk().open("segment", options)).value();
  const auto transmit = [](Connection* c, File* f, std::uint64_t position) -> Task<ErrorCode> {
    for (;;) {
      const Result<std::size_t> sent = c->try_send_file(*f, position, 1u << 30);
      if (!sent.ok()) {
        c->close();
        co_return sent.error().code();
      }
      position += *sent;
      if (*sent == 0) co_await c->writable();
    }
  };
  std::string received;
  const auto receive = [](Connection* c, std::string* text) -> Task<> { (void)co_await read_to_end(c, text); };
  world.start(*client, receive(near.get(), &received));
  EXPECT_EQ(world.run(*server, transmit(far.get(), file.get(), 1000)), ErrorCode::kTruncated);
  world.run_for(seconds(5));
  EXPECT_EQ(received, content.substr(1000));
}

TEST_F(VirtualNetworkTest, ClosingWakesWhoeverWaits) {
  connect();
  std::string nothing;
  const auto read_it = [](Connection* c, std::string* text, ErrorCode* code) -> Task<> {
    *code = (co_await read_to_end(c, text)).error().code();
  };
  ErrorCode code{};
  world.start(*server, read_it(far.get(), &nothing, &code));
  world.run_for(seconds(1));
  server->enter([&] { far->close(); });
  world.run_for(seconds(1));
  EXPECT_EQ(code, ErrorCode::kClosed);
  EXPECT_TRUE(world.run(*client, read_to_end(near.get(), &nothing)).ok());
}

TEST_F(VirtualNetworkTest, SaysThatThePeerEndedBehindWhatIsUnread) {
  const auto wait_for_end = [](Connection* c, MonotonicTime* when) -> Task<> {
    EXPECT_EQ(co_await sleep_for(seconds(600), c->ended()), WaitOutcome::kAborted);
    *when = Reactor::current().now();
  };
  using Leave = void (*)(VirtualNetwork&, Connection&, Connection&);
  constexpr Leave kWays[] = {
      [](VirtualNetwork&, Connection& peer, Connection&) { peer.shutdown_write(); },
      [](VirtualNetwork&, Connection& peer, Connection&) { peer.close(); },
      [](VirtualNetwork&, Connection&, Connection& own) { own.close(); },
      [](VirtualNetwork& net, Connection&, Connection&) { net.reset_connections(kServer, kClient); },
  };
  for (const Leave leave : kWays) {
    connect();
    MonotonicTime when{};
    world.start(*server, wait_for_end(far.get(), &when));
    EXPECT_TRUE(world.run(*client, send(near.get(), "never read")).ok());
    world.run_for(seconds(2));
    EXPECT_EQ(when, MonotonicTime{}) << "before anybody left";
    const MonotonicTime left = world.now();
    client->enter([&] { leave(network, *near, *far); });
    world.run_for(seconds(2));
    EXPECT_GE(when, left);
    EXPECT_LT(when, left + seconds(1));
    EXPECT_TRUE(far->ended().aborted());
  }
}

TEST_F(VirtualNetworkTest, AcceptSaysThatDescriptorsRanOut) {
  network.fail_next_accepts(kServer, 1);
  near = world.run(*client, dial(*client, "node-1")).value();
  EXPECT_EQ(world.run(*server, listener->accept()).error(), ErrorCode::kLimitExceeded);
  EXPECT_TRUE(world.run(*server, listener->accept()).ok());
}

TEST_F(VirtualNetworkTest, BandwidthAndLossTakeTime) {
  network.link(kClient, kServer).bytes_per_second = 1'000'000;
  connect();
  std::string received;
  const MonotonicTime before = world.now();
  const auto transmit = [](Connection* c, std::string text) -> Task<> {
    EXPECT_TRUE((co_await send(c, std::move(text))).ok());
    c->shutdown_write();
  };
  world.start(*client, transmit(near.get(), pattern(2'000'000)));
  EXPECT_TRUE(world.run(*server, read_to_end(far.get(), &received)).ok());
  EXPECT_EQ(received, pattern(2'000'000));
  EXPECT_GE(world.now() - before, seconds(2));
  EXPECT_LT(world.now() - before, seconds(3));

  network.link(kServer, kClient).lost_per_thousand = 1000;
  const MonotonicTime later = world.now();
  world.start(*server, transmit(far.get(), "x"));
  EXPECT_TRUE(world.run(*client, read_to_end(near.get(), &received)).ok());
  EXPECT_GE(world.now() - later, milliseconds(200));
}

/// An echo server and clients that check every answer, under cuts and a kill; the trace and what was answered.
std::pair<std::uint64_t, std::vector<int>> chaos(std::uint64_t seed) {
  VirtualWorld world(seed);
  VirtualReactor* server = &world.add_reactor(kServer, ShardId(0));
  const auto echo = [](Connection* c) -> Task<> {
    std::byte buffer[64];
    for (;;) {
      const auto got = c->try_read(buffer);
      if (!got.ok() || (got->has_value() && **got == 0)) co_return;
      if (!got->has_value()) {
        co_await c->readable();
      } else {
        std::vector<ByteView> pieces{ByteView(buffer, **got)};
        if (!(co_await write_all(*c, std::move(pieces))).ok()) co_return;
      }
    }
  };
  const auto serve = [echo](VirtualReactor* reactor) {
    return [](VirtualReactor* r, auto answer) -> Task<> {
      const Endpoint any{.host = "0.0.0.0", .port = kPort};
      auto listener = std::move(co_await r->network().listen(any)).value();
      for (;;) {
        auto accepted = co_await listener->accept();
        if (!accepted.ok()) co_return;
        co_await answer(accepted->get());
      }
    }(reactor, echo);
  };
  std::vector<int> answered;
  const auto ask = [](VirtualReactor* r, int name, std::vector<int>* log) -> Task<> {
    for (int i = 0; i < 20; ++i) {
      auto connection = co_await dial(*r, "node-1", seconds(1));
      if (!connection.ok()) continue;
      const std::string question(50, static_cast<char>('a' + name));
      if (!(co_await send(connection->get(), question)).ok()) continue;
      (*connection)->shutdown_write();
      std::string answer;
      if (!(co_await read_to_end(connection->get(), &answer)).ok()) continue;
      EXPECT_EQ(answer, question.substr(0, answer.size()));
      log->push_back(name);
    }
  };
  world.start(*server, serve(server));
  for (int i = 0; i < 3; ++i) {
    VirtualReactor& client = world.add_reactor(NodeId(10 + i), ShardId(0));
    world.start(client, ask(&client, i, &answered));
    world.network().link(NodeId(10 + i), kServer).lost_per_thousand = 100;
  }
  world.after(milliseconds(3), [&] { world.network().stall(kServer, NodeId(10), seconds(1)); });
  world.after(milliseconds(5), [&] {
    world.crash(kServer, CrashMode::kKill);
    server = &world.add_reactor(kServer, ShardId(0));
    world.start(*server, serve(server));
  });
  (void)world.run_until([&] { return false; }, MonotonicTime(seconds(120)));
  EXPECT_GT(answered.size(), 20u);
  return {world.trace_hash(), answered};
}

TEST(VirtualNetworkDeterminism, RepeatsItselfUnderOneSeedOnly) {
  std::set<std::uint64_t> traces;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto first = chaos(seed), again = chaos(seed);
    EXPECT_EQ(first, again);
    traces.insert(first.first);
  }
  EXPECT_EQ(traces.size(), 20u);
}

}  // namespace
}  // namespace pyralog::io
