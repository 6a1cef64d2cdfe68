// A client that leaves while it waits costs nothing from then on.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "client/admin.h"
#include "client/cluster_client.h"
#include "protocol/kafka/fetch.h"
#include "sim/server_machine.h"

namespace pyralog::sim {
namespace {

constexpr std::chrono::seconds kLongPoll(60);

io::Task<Result<>> create_log(io::Endpoint server) {
  std::vector<io::Endpoint> bootstrap{server};
  PYRALOG_CO_ASSIGN(auto cluster, co_await client::ClusterClient::connect(std::move(bootstrap)));
  client::LogSpec spec{.name = "orders", .partitions = 8, .replication = 1, .settings = {}};
  PYRALOG_CO_TRY(co_await client::create_log(*cluster, std::move(spec)));
  co_await cluster->close();
  co_return Result<>();
}

Result<protocol::OutgoingFrame> long_poll(protocol::ApiVersion version) {
  std::vector<protocol::FetchRequest::Partition> partitions;
  for (std::int32_t i = 0; i < 8; ++i) {
    partitions.push_back({.partition = PartitionIndex(i), .fetch_offset = Offset(0), .partition_max_bytes = 1000});
  }
  const std::vector<protocol::FetchRequest::Topic> topics{{.topic = "orders", .partitions = partitions}};
  protocol::FetchRequest request;
  request.max_wait_ms = static_cast<std::int32_t>(std::chrono::milliseconds(kLongPoll).count());
  request.min_bytes = 1;
  request.topics = topics;
  return protocol::encode_request(request, version, 1, "leaver");
}

struct Left {
  Duration waited{};          ///< from leaving until the server ended the connection
  std::size_t answer_bytes = 0;
};

/// Asks for what is not there, with more requests behind. All partitions are empty, and lie on several shards.
io::Task<Result<std::unique_ptr<io::Connection>>> ask(io::Endpoint server) {
  PYRALOG_CO_ASSIGN(auto socket, co_await io::Reactor::current().network().connect(server, std::chrono::seconds(10)));
  PYRALOG_CO_ASSIGN(const protocol::OutgoingFrame frame, long_poll(protocol::ApiVersion(11)));
  const Slice bytes = protocol::flatten(frame);
  for (int i = 0; i < 3; ++i) {
    std::vector<ByteView> pieces{bytes.view()};
    PYRALOG_CO_TRY(co_await io::write_all(*socket, std::move(pieces)));
  }
  co_return socket;
}

io::Task<Result<Left>> leave(io::Connection* socket) {
  io::Reactor& reactor = io::Reactor::current();
  const MonotonicTime leaves = reactor.now();
  EXPECT_FALSE(socket->ended().aborted());
  socket->shutdown_write();
  Left left;
  std::byte buffer[1000];
  for (;;) {
    PYRALOG_CO_ASSIGN(const std::optional<std::size_t> got, socket->try_read(buffer));
    if (got == 0u) break;
    left.answer_bytes += got.value_or(0);
    if (!got.has_value()) co_await socket->readable();
  }
  left.waited = reactor.now() - leaves;
  co_return left;
}

TEST(LeavingClient, EndsItsLongPollAtOnceAndIsAnsweredWhatItAsked) {
  spdlog::set_level(spdlog::level::off);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    io::VirtualWorld world(seed);
    ServerMachine server(world, {.shards = 3});
    server.start();
    EXPECT_EQ(world.run_until([&] { return server.observe(), server.state() == ServerMachine::State::kServing; },
                              world.now() + std::chrono::seconds(10)),
              io::RunEnd::kDone);
    io::VirtualReactor& client = world.add_reactor(NodeId(2), ShardId(0));
    ASSERT_TRUE(world.run(client, create_log(server.kafka())).ok());
    const auto socket = world.run(client, ask(server.kafka()));
    ASSERT_TRUE(socket.ok()) << socket.error().to_string();
    world.run_for(std::chrono::seconds(5));
    const auto left = world.run(client, leave(socket->get()));
    ASSERT_TRUE(left.ok()) << left.error().to_string();
    EXPECT_LT(left->waited, std::chrono::seconds(3)) << "seed " << seed;  // a lost segment comes again after 1.5 s at most
    EXPECT_GT(left->answer_bytes, 3u * 100) << "seed " << seed;
    server.ask_to_stop();
    EXPECT_EQ(world.run_until([&] { return server.observe(), server.state() == ServerMachine::State::kDown; },
                              world.now() + std::chrono::seconds(10)),
              io::RunEnd::kDone);
  }
}

}  // namespace
}  // namespace pyralog::sim
