#include <gtest/gtest.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <numeric>

#include "core/random.h"
#include "io/disk.h"
#include "io/real_connection.h"
#include "io/real_runtime.h"
#include "io/real_socket.h"
#include "io/real_test_support.h"
#include "io/sync.h"
#include "io/task_scope.h"

namespace pyralog::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::OneShard;
using testing::TemporaryDirectory;

const Endpoint kAnyPort{.host = "127.0.0.1", .port = 0};

struct Pair {
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Connection> client;
  std::unique_ptr<Connection> server;
};

Task<Pair> make_pair() {
  Network& network = Reactor::current().network();
  Pair pair;
  pair.listener = std::move(*co_await network.listen(kAnyPort));
  pair.client = std::move(*co_await network.connect(pair.listener->local(), seconds(5)));
  pair.server = std::move(*co_await pair.listener->accept());
  co_return pair;
}

Task<Result<>> send(Connection& connection, std::string text) {
  std::vector<ByteView> pieces{as_bytes(text)};
  co_return co_await write_all(connection, std::move(pieces));
}

/// Reads until `bytes` arrived or the peer ended.
Task<Result<std::string>> receive(Connection& connection, std::size_t bytes) {
  std::string text(bytes, '\0');
  std::size_t have = 0;
  while (have < bytes) {
    const MutableBytes rest(reinterpret_cast<std::byte*>(text.data()) + have, bytes - have);
    PYRALOG_CO_ASSIGN(const std::optional<std::size_t> got, connection.try_read(rest));
    if (!got.has_value()) {
      co_await connection.readable();
    } else if (*got == 0) {
      break;
    } else {
      have += *got;
    }
  }
  text.resize(have);
  co_return text;
}

std::string noise(std::size_t bytes, std::uint64_t seed) {
  Random random(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  return text;
}

Task<bool> exchange_and_name() {
  Pair pair = co_await make_pair();
  EXPECT_EQ(pair.client->peer(), pair.listener->local());
  EXPECT_EQ(pair.server->peer(), pair.client->local());
  EXPECT_EQ(pair.server->local(), pair.listener->local());
  EXPECT_TRUE((co_await send(*pair.client, "ping")).ok());
  EXPECT_EQ(*co_await receive(*pair.server, 4), "ping");
  EXPECT_TRUE((co_await send(*pair.server, "pong")).ok());
  EXPECT_EQ(*co_await receive(*pair.client, 4), "pong");
  int on = 0;
  socklen_t size = sizeof on;
  getsockopt(static_cast<RealConnection&>(*pair.server).descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, &size);
  EXPECT_NE(on, 0) << "what is accepted does not send at once";
  co_return true;
}

TEST(RealNetwork, ExchangesBytesAndNamesBothEnds) {
  OneShard shard;
  EXPECT_TRUE(shard.run(exchange_and_name()));
  EXPECT_EQ(shard.reactor->counters().network.bytes_in, 8u);
  EXPECT_EQ(shard.reactor->counters().network.bytes_out, 8u);
  EXPECT_EQ(shard.reactor->counters().network.accepted, 1u);
  EXPECT_EQ(shard.reactor->counters().network.connected, 1u);
}

Task<int> accepted_send_buffer() {
  Pair pair = co_await make_pair();
  int bytes = 0;
  socklen_t size = sizeof bytes;
  getsockopt(static_cast<RealConnection&>(*pair.server).descriptor(), SOL_SOCKET, SO_SNDBUF, &bytes, &size);
  co_return bytes;
}

TEST(RealNetwork, BoundsTheSendBufferOfWhatItAccepts) {
  for (const int bytes : {16 << 10, 64 << 10}) {
    OneShard shard(DiskBackend::kAuto, 0, bytes);
    EXPECT_EQ(shard.run(accepted_send_buffer()), 2 * bytes) << "the kernel takes it twice";
  }
}

Task<bool> half_close() {
  Pair pair = co_await make_pair();
  EXPECT_TRUE((co_await send(*pair.client, "last words")).ok());
  pair.client->shutdown_write();
  // More room than data: the end must still be seen although the short read says "that was all".
  EXPECT_EQ(*co_await receive(*pair.server, 1000), "last words");
  EXPECT_TRUE((co_await send(*pair.server, "understood")).ok());
  pair.server->close();
  EXPECT_EQ(*co_await receive(*pair.client, 1000), "understood");
  co_return true;
}

TEST(RealNetwork, GoesOnReadingAfterAHalfClose) {
  OneShard shard;
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(shard.run(half_close()));
}

Task<> end_later(Connection& connection) {
  AbortSource never;
  co_await sleep_for(milliseconds(2), never);
  connection.shutdown_write();
}

Task<bool> end_while_waiting() {
  Pair pair = co_await make_pair();
  TaskScope scope;
  EXPECT_TRUE((co_await send(*pair.client, "a")).ok());
  scope.spawn(end_later(*pair.client));
  EXPECT_EQ(*co_await receive(*pair.server, 10), "a");
  co_await scope.close();
  co_return true;
}

TEST(RealNetwork, SeesAnEndThatComesAfterAShortRead) {
  OneShard shard;
  EXPECT_TRUE(shard.run(end_while_waiting()));
}

Task<bool> tell_of_the_end() {
  Pair pair = co_await make_pair();
  EXPECT_TRUE((co_await send(*pair.client, "unread")).ok());
  EXPECT_EQ(co_await sleep_for(milliseconds(20), pair.server->ended()), WaitOutcome::kTimedOut);
  pair.client->shutdown_write();
  EXPECT_EQ(co_await sleep_for(seconds(30), pair.server->ended()), WaitOutcome::kAborted);
  EXPECT_EQ(*co_await receive(*pair.server, 10), "unread");
  // Closed over what it did not read: the other end is reset.
  EXPECT_TRUE((co_await send(*pair.server, "unread too")).ok());
  co_await pair.client->readable();
  pair.client->close();
  EXPECT_TRUE(pair.client->ended().aborted());
  co_return true;
}

TEST(RealNetwork, SaysThatThePeerEndedBehindWhatIsUnread) {
  OneShard shard;
  EXPECT_TRUE(shard.run(tell_of_the_end()));
}

Task<> close_later(Connection& connection) {
  AbortSource never;
  co_await sleep_for(milliseconds(2), never);
  connection.close();
}

Task<bool> close_wakes() {
  Pair pair = co_await make_pair();
  TaskScope scope;
  scope.spawn(close_later(*pair.server));
  co_await pair.server->readable();
  std::byte byte{};
  EXPECT_EQ(pair.server->try_read({&byte, 1}).error().code(), ErrorCode::kClosed);
  const ByteView piece(&byte, 1);
  EXPECT_EQ(pair.server->try_write({&piece, 1}).error().code(), ErrorCode::kClosed);
  // The peer sees the end, and a write to it fails in the end.
  EXPECT_EQ((co_await receive(*pair.client, 1)).value(), "");
  Result<> sent;
  for (int i = 0; i < 100 && sent.ok(); ++i) {
    sent = co_await send(*pair.client, "x");
    AbortSource never;
    co_await sleep_for(milliseconds(1), never);
  }
  EXPECT_EQ(sent.error().code(), ErrorCode::kConnectionClosed);
  co_await scope.close();
  co_return true;
}

TEST(RealNetwork, CloseWakesWhoeverWaits) {
  OneShard shard;
  EXPECT_TRUE(shard.run(close_wakes()));
}

Task<> write_pieces(Connection& connection, const std::string& data, Result<>& result) {
  // More pieces than one system call takes, of odd and zero sizes.
  std::vector<ByteView> pieces;
  Random random(5);
  for (std::size_t at = 0; at < data.size();) {
    const std::size_t step = std::min<std::size_t>(random.below(3000), data.size() - at);
    pieces.push_back(as_bytes(std::string_view(data).substr(at, step)));
    at += step;
  }
  EXPECT_GT(pieces.size(), 4096u);
  result = co_await write_all(connection, std::move(pieces));
}

Task<bool> gather() {
  Pair pair = co_await make_pair();
  const std::string data = noise(16u << 20, 3);
  TaskScope scope;
  Result<> written(ErrorCode::kAborted);
  scope.spawn(write_pieces(*pair.client, data, written));
  EXPECT_TRUE(*co_await receive(*pair.server, data.size()) == data);
  co_await scope.close();
  EXPECT_TRUE(written.ok());
  co_return true;
}

TEST(RealNetwork, WritesManyPiecesInOrder) {
  OneShard shard;
  EXPECT_TRUE(shard.run(gather()));
}

Task<> send_file(Connection& connection, File& file, std::uint64_t position, std::size_t bytes, Result<>& result) {
  while (bytes > 0) {
    auto taken = connection.try_send_file(file, position, bytes);
    if (!taken.ok()) {
      result = taken.error();
      co_return;
    }
    if (*taken == 0) co_await connection.writable();
    position += *taken;
    bytes -= *taken;
  }
  result = Result<>();
}

Task<bool> file_to_socket(std::string path) {
  Pair pair = co_await make_pair();
  const std::string data = noise(5'000'001, 9);
  const OpenOptions create{.existence = Existence::kMustCreate};
  std::unique_ptr<File> file = std::move(*co_await Reactor::current().disk().open(path, create));
  std::vector<ByteView> pieces{as_bytes(data)};
  EXPECT_TRUE(file->write_now(0, pieces).ok());
  TaskScope scope;
  Result<> sent(ErrorCode::kAborted);
  scope.spawn(send_file(*pair.client, *file, 1, data.size() - 1, sent));
  EXPECT_TRUE(*co_await receive(*pair.server, data.size() - 1) == data.substr(1));
  co_await scope.close();
  EXPECT_TRUE(sent.ok());
  EXPECT_EQ(pair.client->try_send_file(*file, data.size(), 10).error().code(), ErrorCode::kTruncated);
  co_return true;
}

TEST(RealNetwork, SendsAFilesRange) {
  TemporaryDirectory directory;
  OneShard shard;
  EXPECT_TRUE(shard.run(file_to_socket(directory.file("data"))));
}

Task<ErrorCode> connect_error(Endpoint endpoint, Duration timeout) {
  auto connection = co_await Reactor::current().network().connect(endpoint, timeout);
  co_return connection.ok() ? ErrorCode::kInvalidArgument : connection.error().code();
}

Task<std::uint16_t> unused_port() {
  auto listener = std::move(*co_await Reactor::current().network().listen(kAnyPort));
  co_return listener->local().port;
}

TEST(RealNetwork, SaysWhyItCannotConnect) {
  OneShard shard;
  const std::uint16_t port = shard.run(unused_port());
  EXPECT_EQ(shard.run(connect_error({.host = "127.0.0.1", .port = port}, seconds(5))), ErrorCode::kUnavailable);
  EXPECT_EQ(shard.run(connect_error({.host = "localhost", .port = port}, seconds(5))), ErrorCode::kUnavailable);
  EXPECT_EQ(shard.run(connect_error({.host = "no such host", .port = 1}, seconds(5))), ErrorCode::kUnavailable);
}

/// A listener whose queue is full drops what comes, as an unreachable host does.
TEST(RealNetwork, GivesUpConnectingInTime) {
  const int full = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  SocketAddress address = *SocketAddress::from_literal(kAnyPort);
  ASSERT_EQ(::bind(full, address.get(), address.size()), 0);
  ASSERT_EQ(::listen(full, 0), 0);
  const Endpoint endpoint = SocketAddress::local_of(full).to_endpoint();
  OneShard shard;
  ErrorCode code = ErrorCode::kInvalidArgument;
  std::vector<int> fillers;
  for (int i = 0; i < 8; ++i) {
    const int filler = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    SocketAddress target = *SocketAddress::from_literal(endpoint);
    (void)::connect(filler, target.get(), target.size());
    fillers.push_back(filler);
  }
  code = shard.run(connect_error(endpoint, milliseconds(100)));
  EXPECT_EQ(code, ErrorCode::kTimedOut);
  for (const int filler : fillers) ::close(filler);
  ::close(full);
}

Task<Result<std::unique_ptr<Listener>>> listen_on(Endpoint endpoint) {
  co_return co_await Reactor::current().network().listen(endpoint);
}

TEST(RealNetwork, RefusesAPortOfAnotherProcess) {
  // The other process shares its port (SO_REUSEPORT), as a second server of the same user would.
  int announce[2], quit[2];
  ASSERT_EQ(::pipe(announce), 0);
  ASSERT_EQ(::pipe(quit), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    SocketAddress address = *SocketAddress::from_literal(kAnyPort);
    if (::bind(fd, address.get(), address.size()) != 0 || ::listen(fd, 8) != 0) ::_exit(1);
    const std::uint16_t port = SocketAddress::local_of(fd).to_endpoint().port;
    if (::write(announce[1], &port, sizeof port) != sizeof port) ::_exit(1);
    char byte = 0;
    (void)!::read(quit[0], &byte, 1);
    ::_exit(0);
  }
  std::uint16_t port = 0;
  ASSERT_EQ(::read(announce[0], &port, sizeof port), static_cast<ssize_t>(sizeof port));
  {
    OneShard shard;
    auto listener = shard.run(listen_on({.host = "127.0.0.1", .port = port}));
    EXPECT_FALSE(listener.ok());
    EXPECT_EQ(listener.error().code(), ErrorCode::kAddressInUse);
    EXPECT_NE(listener.error().detail().find(std::to_string(port)), std::string::npos);
  }
  ASSERT_EQ(::write(quit[1], "q", 1), 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  for (const int fd : {announce[0], announce[1], quit[0], quit[1]}) ::close(fd);
}

TEST(RealNetwork, MayListenAgainWhereConnectionsLinger) {
  OneShard shard;
  auto first = shard.run(listen_on(kAnyPort));
  ASSERT_TRUE(first.ok());
  const Endpoint endpoint = (*first)->local();
  auto twice = shard.run(listen_on(endpoint));
  EXPECT_EQ(twice.error().code(), ErrorCode::kAddressInUse);
  // The server closes first, so its end of the connection stays in TIME_WAIT.
  auto serve = [](Listener& listener) -> Task<bool> {
    Network& network = Reactor::current().network();
    auto client = std::move(*co_await network.connect(listener.local(), seconds(5)));
    auto server = std::move(*co_await listener.accept());
    server->shutdown_write();
    EXPECT_EQ((co_await receive(*client, 1)).value(), "");
    client->close();
    EXPECT_EQ((co_await receive(*server, 1)).value(), "");
    co_return true;
  };
  EXPECT_TRUE(shard.run(serve(**first)));
  first->reset();
  auto again = shard.run(listen_on(endpoint));
  EXPECT_TRUE(again.ok()) << again.error().to_string();
}

struct SharedListeners {
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<int> accepted;
  std::vector<std::unique_ptr<TaskScope>> scopes;
};

Task<> accept_all(Listener& listener, int& count) {
  for (;;) {
    auto connection = co_await listener.accept();
    if (!connection.ok()) co_return;
    ++count;
    (void)co_await send(**connection, "hello");
  }
}

TEST(RealNetwork, SpreadsConnectionsOverTheShardsThatListen) {
  constexpr std::uint32_t kShards = 3;
  constexpr int kConnections = 120;
  auto runtime = RealRuntime::create({.shards = kShards, .seed = 1});
  ASSERT_TRUE(runtime.ok());
  RealRuntime& shards = **runtime;
  shards.start();
  SharedListeners shared;
  shared.accepted.assign(kShards, 0);
  shared.listeners.resize(kShards);
  Endpoint endpoint = kAnyPort;
  for (std::uint32_t i = 0; i < kShards; ++i) {
    shared.scopes.push_back(std::make_unique<TaskScope>());
    auto listen = [&shared, &endpoint, i] {
      return [](SharedListeners& s, Endpoint& at, std::uint32_t index) -> Task<bool> {
        auto listener = co_await Reactor::current().network().listen(at);
        if (!listener.ok()) co_return false;
        at = (*listener)->local();
        s.listeners[index] = std::move(*listener);
        s.scopes[index]->spawn(accept_all(*s.listeners[index], s.accepted[index]));
        co_return true;
      }(shared, endpoint, i);
    };
    ASSERT_TRUE(shards.run_on(ShardId(i), listen));
  }
  auto use = [&endpoint] {
    return [](Endpoint at) -> Task<int> {
      int good = 0;
      for (int i = 0; i < kConnections; ++i) {
        auto connection = co_await Reactor::current().network().connect(at, seconds(5));
        if (connection.ok() && *co_await receive(**connection, 100) == "hello") ++good;
      }
      co_return good;
    }(endpoint);
  };
  EXPECT_EQ(shards.run_on(ShardId(0), use), kConnections);
  for (std::uint32_t i = 0; i < kShards; ++i) {
    auto end = [&shared, i] {
      return [](SharedListeners& s, std::uint32_t index) -> Task<bool> {
        s.listeners[index]->close();
        co_await s.scopes[index]->close();
        s.listeners[index].reset();
        co_return true;
      }(shared, i);
    };
    EXPECT_TRUE(shards.run_on(ShardId(i), end));
  }
  shards.stop();
  EXPECT_EQ(std::accumulate(shared.accepted.begin(), shared.accepted.end(), 0), kConnections);
  for (const int count : shared.accepted) EXPECT_GT(count, 0);
}

Task<int> use_up_descriptors() {
  Network& network = Reactor::current().network();
  auto listener = std::move(*co_await network.listen(kAnyPort));
  std::vector<std::unique_ptr<Connection>> kept;
  std::vector<int> clients;
  // Plain sockets as clients, so that only the server's side goes through the code under test.
  SocketAddress address = *SocketAddress::from_literal(listener->local());
  for (int i = 0; i < 24; ++i) {
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0) break;
    if (::connect(client, address.get(), address.size()) != 0) co_return 2;
    clients.push_back(client);
  }
  bool refused = false;
  while (!refused) {
    auto connection = co_await listener->accept();
    if (connection.ok()) {
      kept.push_back(std::move(*connection));
      if (kept.size() > 60) co_return 3;
    } else {
      refused = connection.error().code() == ErrorCode::kLimitExceeded;
      if (!refused) co_return 4;
    }
  }
  if (kept.empty()) co_return 5;
  // Files can still be opened, and after some connections went, new ones come in.
  auto null = co_await Reactor::current().disk().open("/dev/null", OpenOptions{});
  if (!null.ok()) co_return 6;
  kept.clear();
  for (const int client : clients) ::close(client);
  clients.clear();
  auto late = co_await network.connect(listener->local(), seconds(5));
  if (!late.ok()) co_return 7;
  for (int i = 0; i < 100; ++i) {
    auto connection = co_await listener->accept();
    if (connection.ok() && (*connection)->peer() == (*late)->local()) co_return 0;
  }
  co_return 8;
}

int run_short_of_descriptors() {
  rlimit limit{.rlim_cur = 64, .rlim_max = 64};
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  OneShard shard;
  return shard.run(use_up_descriptors());
}

TEST(RealNetworkDeathTest, KeepsDescriptorsForFilesWhenConnectionsUseThemUp) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::_Exit(run_short_of_descriptors()), ::testing::ExitedWithCode(0), "");
}

Task<> echo(std::unique_ptr<Connection> connection) {
  std::byte buffer[512];
  for (;;) {
    auto got = connection->try_read(buffer);
    if (!got.ok() || got.value() == std::size_t{0}) co_return;
    if (!got->has_value()) {
      co_await connection->readable();
      continue;
    }
    std::vector<ByteView> pieces{ByteView(buffer, **got)};
    if (!(co_await write_all(*connection, std::move(pieces))).ok()) co_return;
  }
}

/// Waits for bytes without holding a buffer.
Task<> wait_idle(std::unique_ptr<Connection> connection) {
  co_await connection->readable();
  std::byte byte{};
  EXPECT_EQ(connection->try_read({&byte, 1}).value(), std::size_t{0});
}

Task<> serve_idle(Listener& listener, TaskScope& scope) {
  for (;;) {
    auto connection = co_await listener.accept();
    if (!connection.ok()) co_return;
    scope.spawn(wait_idle(std::move(*connection)));
  }
}

Task<> serve_echo(Listener& listener, TaskScope& scope) {
  for (;;) {
    auto connection = co_await listener.accept();
    if (!connection.ok()) co_return;
    scope.spawn(echo(std::move(*connection)));
  }
}

Task<> ask_often(Endpoint endpoint, std::uint64_t seed, int& good) {
  auto connection = co_await Reactor::current().network().connect(endpoint, seconds(10));
  if (!connection.ok()) co_return;
  Random random(seed);
  for (int i = 0; i < 50; ++i) {
    const std::string text = noise(1 + random.below(2000), random.next());
    if (!(co_await send(**connection, text)).ok()) co_return;
    if (*co_await receive(**connection, text.size()) != text) co_return;
  }
  ++good;
}

Task<int> many_connections(int count) {
  auto listener = std::move(*co_await Reactor::current().network().listen(kAnyPort));
  TaskScope servers, clients;
  servers.spawn(serve_echo(*listener, servers));
  int good = 0;
  for (int i = 0; i < count; ++i) clients.spawn(ask_often(listener->local(), static_cast<std::uint64_t>(i), good));
  co_await clients.close();
  listener->close();
  co_await servers.close();
  co_return good;
}

TEST(RealNetwork, ServesManyConnectionsAtOnce) {
  OneShard shard;
  EXPECT_EQ(shard.run(many_connections(200)), 200);
}

Task<std::size_t> bytes_per_idle_connection(std::size_t count) {
  auto listener = std::move(*co_await Reactor::current().network().listen(kAnyPort));
  TaskScope servers;
  std::vector<std::unique_ptr<Connection>> clients;
  clients.reserve(count);
  const std::size_t before = mallinfo2().uordblks;
  servers.spawn(serve_idle(*listener, servers));
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(std::move(*co_await Reactor::current().network().connect(listener->local(), seconds(10))));
  }
  while (servers.running() < count + 1) co_await Reactor::current().yield();
  const std::size_t after = mallinfo2().uordblks;
  clients.clear();
  listener->close();
  co_await servers.close();
  co_return (after - before) / count;
}

// Both ends are in this process, each with its coroutine or handle.
TEST(RealNetwork, SpendsLittleMemoryOnIdleConnections) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  OneShard shard;
  const std::size_t bytes = shard.run(bytes_per_idle_connection(1000));
  RecordProperty("bytes_per_connection_pair", static_cast<int>(bytes));
  EXPECT_LT(bytes, 1024u);
}

TEST(SocketAddress, ReadsLiteralsAndPrintsMappedAddressesPlainly) {
  EXPECT_EQ(SocketAddress::from_literal({.host = "::1", .port = 9})->to_endpoint().to_string(), "[::1]:9");
  EXPECT_EQ(SocketAddress::from_literal({.host = "::ffff:10.0.0.1", .port = 9})->to_endpoint().to_string(), "10.0.0.1:9");
  EXPECT_FALSE(SocketAddress::from_literal({.host = "localhost", .port = 9}).has_value());
  EXPECT_FALSE(SocketAddress::from_literal({.host = "1.2.3", .port = 9}).has_value());
}

}  // namespace
}  // namespace pyralog::io
