#include <CLI/CLI.hpp>
#include <memory>

#include "cli/bench/bench_commands.h"
#include "cli/bench/stamp.h"
#include "cli/command_line.h"
#include "cli/command_line_options.h"
#include "core/limits.h"

namespace pyralog::cli {
namespace {

constexpr std::uint32_t kConnectionsMax = 10'000;
constexpr std::uint32_t kInFlightMax = 10'000;
constexpr std::uint32_t kKeysMax = 10'000'000;
constexpr std::uint32_t kGroupsMax = 1'000'000;
constexpr double kSecondsMax = 1'000'000;

void add_duration(CLI::App& app, LoadOptions& load) {
  app.add_option("--seconds", load.seconds, "How long is measured")
      ->capture_default_str()
      ->check(CLI::Range(0.0, kSecondsMax));
  app.add_option("--warmup", load.warmup_seconds, "Seconds of load before that")
      ->capture_default_str()
      ->check(CLI::Range(0.0, kSecondsMax));
}

void add_load(CLI::App& app, LoadOptions& load) {
  add_bootstrap(app, load.session);
  add_output_format(app, load.format);
  app.add_option("--log", load.log, "The log")->capture_default_str()->type_name("LOG");
  app.add_option("--partitions", load.partitions, "Of the log, the first so many (default: all)")
      ->check(CLI::PositiveNumber);
  app.add_flag("--create", load.create, "Create the log, with --partitions, where it is absent");
  add_settings(app, "--set", load.settings, "A property of the created log; may be repeated");
  add_duration(app, load);
  app.add_option("--server-pid", load.server_pid, "Report this process's CPU and memory too")->check(CLI::PositiveNumber);
}

void add_connections(CLI::App& app, std::uint32_t& connections, std::uint32_t& in_flight) {
  app.add_option("--connections", connections, "Connections")
      ->capture_default_str()
      ->check(CLI::Range(1u, kConnectionsMax));
  app.add_option("--in-flight", in_flight, "Requests under way per connection")
      ->capture_default_str()
      ->check(CLI::Range(1u, kInFlightMax));
}

void add_produce_load(CLI::App& app, ProduceLoadOptions& produce) {
  add_connections(app, produce.connections, produce.in_flight);
  app.add_option("--record-bytes", produce.record_bytes, "Bytes of a value")
      ->capture_default_str()
      ->check(CLI::Range(0u, 15u << 20));
  app.add_option("--batch-bytes", produce.batch_bytes, "Records are added to a batch up to this, before compression")
      ->capture_default_str()
      ->check(CLI::Range(1u, 15u << 20));
  app.add_option("--batch-records", produce.batch_records, "Records of a batch, instead of --batch-bytes");
  app.add_option("--batches", produce.batches_per_request, "Batches, each for another partition, in a request")
      ->capture_default_str()
      ->check(CLI::Range(1u, 10'000u));
  add_acks(app, produce.acks);
  add_codec(app, produce.codec);
  app.add_flag("--text", produce.text, "Compressible values (default: random bytes)");
  app.add_option("--keys", produce.keys, "So many different keys, in turn (default: records have none)")
      ->check(CLI::Range(1u, kKeysMax));
  app.add_option("--rate", produce.rate,
                 "Records per second, each request sent when it is due (default: as fast as answers come)")
      ->check(CLI::NonNegativeNumber);
}

void add_fetch_load(CLI::App& app, FetchLoadOptions& fetch, const char* connections_flag) {
  app.add_option(connections_flag, fetch.connections, "Connections that fetch, one request under way each")
      ->capture_default_str()
      ->check(CLI::Range(1u, kConnectionsMax));
  app.add_option("--max-wait-ms", fetch.wait_ms_max, "How long the server may wait for data")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--min-bytes", fetch.answer_bytes_min, "What it waits for")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--max-bytes", fetch.answer_bytes_max, "Largest answer")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--partition-bytes", fetch.partition_bytes_max, "Largest part of one partition")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--verify", fetch.verify, "Check the CRC of every batch");
}

void check_stamped(const ProduceLoadOptions& produce) {
  if (produce.codec != record::Codec::kNone || produce.record_bytes < Stamp::kBytes || produce.batches_per_request != 1) {
    throw CLI::ValidationError("stamped records",
                               "are not compressed, have at least 24 bytes, and one batch goes into a request");
  }
}

void add_bench_produce(CLI::App& bench, Action& action) {
  auto command = std::make_shared<BenchProduce>();
  CLI::App* app = bench.add_subcommand("produce", "Append records");
  add_load(*app, command->load);
  add_produce_load(*app, command->produce);
  app->add_option("--records", command->produce.records_max, "Stop after so many records");
  app->add_flag("--stamp", command->produce.stamp, "Records carry the time, for bench consume --tail on the same machine");
  app->callback([command, &action] {
    if (command->produce.stamp) check_stamped(command->produce);
    action = [command] { return bench_produce(*command); };
  });
}

void add_bench_consume(CLI::App& bench, Action& action) {
  auto command = std::make_shared<BenchConsume>();
  CLI::App* app =
      bench.add_subcommand("consume", "Read records, from the start to the end that there was at the beginning");
  add_load(*app, command->load);
  add_fetch_load(*app, command->fetch, "--connections");
  app->add_flag("--repeat", command->fetch.repeat, "Begin again at the end, until the time is over");
  app->add_flag("--tail", command->fetch.tail, "Begin at the end, and measure how old stamped records are");
  app->callback([command, &action] { action = [command] { return bench_consume(*command); }; });
}

void add_bench_end_to_end(CLI::App& bench, Action& action) {
  auto command = std::make_shared<BenchEndToEnd>();
  command->produce.rate = 1000;
  command->produce.batch_records = 1;
  command->produce.in_flight = 100;
  command->produce.stamp = true;
  command->fetch.tail = true;
  CLI::App* app = bench.add_subcommand("e2e", "Append stamped records and read them at the tail");
  add_load(*app, command->load);
  add_produce_load(*app, command->produce);
  add_fetch_load(*app, command->fetch, "--fetch-connections");
  app->callback([command, &action] {
    check_stamped(command->produce);
    action = [command] { return bench_end_to_end(*command); };
  });
}

void add_bench_commit(CLI::App& bench, Action& action) {
  auto command = std::make_shared<BenchCommit>();
  CommitLoadOptions& commit = command->commit;
  CLI::App* app = bench.add_subcommand("commit", "Commit offsets of groups without members");
  add_load(*app, command->load);
  add_connections(*app, commit.connections, commit.in_flight);
  app->add_option("--groups", commit.groups, "Groups, which take turns")
      ->capture_default_str()
      ->check(CLI::Range(1u, kGroupsMax));
  app->add_option("--group-prefix", commit.group_prefix, "What their names begin with")->capture_default_str();
  app->add_option("--commit-partitions", commit.partitions_per_commit, "Partitions in a commit")
      ->capture_default_str()
      ->check(CLI::Range(1u, 100'000u));
  app->add_option("--rate", commit.rate, "Commits per second, each sent when it is due (default: as fast as answers come)")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--commits", commit.commits_max, "Stop after so many commits");
  app->callback([command, &action] { action = [command] { return bench_commit(*command); }; });
}

void add_bench_echo(CLI::App& bench, Action& action) {
  auto command = std::make_shared<BenchEcho>();
  CLI::App* app = bench.add_subcommand("echo", "Round trips to a thread of this process: the floor of any latency here");
  add_output_format(*app, command->load.format);
  app->add_option("--message-bytes", command->message_bytes, "Bytes of a message")
      ->capture_default_str()
      ->check(CLI::Range(1u, 15u << 20));
  app->add_option("--rate", command->rate, "Messages per second, each sent when it is due")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  add_duration(*app, command->load);
  app->callback([command, &action] { action = [command] { return bench_echo(*command); }; });
}

}  // namespace

void add_bench_commands(CLI::App& app, Action& action) {
  CLI::App* bench = app.add_subcommand("bench", "Load a Kafka-speaking server and measure it");
  bench->require_subcommand(1);
  add_bench_produce(*bench, action);
  add_bench_consume(*bench, action);
  add_bench_commit(*bench, action);
  add_bench_end_to_end(*bench, action);
  add_bench_echo(*bench, action);
}

}  // namespace pyralog::cli
