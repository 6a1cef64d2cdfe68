#include "sim/server_machine.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "client/admin.h"
#include "client/log_reader.h"
#include "client/producer.h"

namespace pyralog::sim {
namespace {

using State = ServerMachine::State;

io::Task<Result<std::string>> write_and_read(io::Endpoint server) {
  std::vector<io::Endpoint> bootstrap{server};
  PYRALOG_CO_ASSIGN(auto cluster, co_await client::ClusterClient::connect(std::move(bootstrap)));
  client::LogSpec spec{.name = "orders", .partitions = 1, .replication = 1, .settings = {}};
  PYRALOG_CO_TRY(co_await client::create_log(*cluster, std::move(spec)));
  PYRALOG_CO_ASSIGN(auto producer, co_await client::Producer::open(*cluster, "orders", {}));
  client::ProducerRecord record;
  record.value = "42";
  PYRALOG_CO_TRY(co_await producer->append(std::move(record)));
  PYRALOG_CO_TRY(co_await producer->flush());
  co_await producer->close();
  PYRALOG_CO_ASSIGN(client::LogInfo log, co_await cluster->describe_log("orders"));
  std::vector<client::LogReader::Position> positions{{PartitionIndex(0), Offset(0)}};
  PYRALOG_CO_ASSIGN(auto reader, co_await client::LogReader::open(*cluster, std::move(log), std::move(positions)));
  PYRALOG_CO_ASSIGN(auto answer, co_await reader->next());
  std::string text(as_text(answer.at(0).records));
  co_await reader->close();
  co_await cluster->close();
  co_return text;
}

struct Observed {
  std::string records;
  std::uint64_t trace;
};

Observed run_once(std::uint64_t seed) {
  io::VirtualWorld world(seed);
  ServerMachine server(world, {.shards = 2});
  server.start();
  const auto serves = [&] { return server.state() == State::kServing || server.ending().has_value(); };
  EXPECT_EQ(world.run_until([&] { return server.observe(), serves(); }, world.now() + std::chrono::seconds(10)),
            io::RunEnd::kDone);
  EXPECT_FALSE(server.ending().has_value()) << server.ending()->error().to_string();
  io::VirtualReactor& client = world.add_reactor(NodeId(2), ShardId(0));
  const auto text = world.run(client, write_and_read(server.kafka()));
  EXPECT_TRUE(text.ok()) << text.error().to_string();
  server.ask_to_stop();
  EXPECT_EQ(world.run_until([&] { return server.observe(), server.state() == State::kDown; },
                            world.now() + std::chrono::seconds(10)),
            io::RunEnd::kDone);
  EXPECT_TRUE(server.ending().has_value() && server.ending()->ok());
  return {text.ok() ? *text : "", world.trace_hash()};
}

TEST(ServerMachine, TheProductionServerStartsServesAndStopsWithEqualTracesFromOneSeed) {
  spdlog::set_level(spdlog::level::off);
  const Observed first = run_once(7), again = run_once(7), other = run_once(8);
  EXPECT_NE(first.records.find("42"), std::string::npos);
  EXPECT_EQ(first.trace, again.trace);
  EXPECT_NE(first.trace, other.trace);
}

}  // namespace
}  // namespace pyralog::sim
