#include "cli/bench/bench_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cli/bench/commit_load.h"
#include "cli/bench/echo_load.h"
#include "cli/bench/fetch_load.h"
#include "cli/bench/load_report.h"
#include "cli/bench/produce_load.h"
#include "client/admin.h"
#include "io/real_runtime.h"
#include "protocol/kafka/list_offsets.h"

namespace pyralog::cli {
namespace {

using client::ClusterClient;

constexpr Duration kDrainMax = std::chrono::seconds(30);
constexpr Duration kLeaderWaitMax = std::chrono::seconds(15);
constexpr Duration kLeaderPause = std::chrono::milliseconds(50);

Duration seconds(double count) { return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(count)); }
double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// Some servers answer a creation before every request finds the log, and name leaders before those know that they are.
bool comes_soon(const Error& error) { return is_retriable(error.code()) || error == ErrorCode::kNotFound; }

io::Task<Result<>> leaders_ready(ClusterClient& cluster, const client::LogInfo& log, MonotonicTime deadline) {
  io::AbortSource never;
  for (;;) {
    Result<> outcome;
    for (const auto& offset : co_await client::list_offsets(cluster, log, protocol::kTimestampLatest)) {
      if (!offset.outcome.ok()) outcome = offset.outcome;
    }
    const bool may_help = !outcome.ok() && comes_soon(outcome.error()) && io::Reactor::current().now() < deadline;
    if (!may_help) co_return outcome;
    (void)co_await io::sleep_for(kLeaderPause, never);
  }
}

io::Task<Result<client::LogInfo>> created_log(ClusterClient& cluster, const LoadOptions& options, MonotonicTime deadline) {
  client::LogSpec spec{.name = options.log, .partitions = options.partitions.value_or(1), .settings = options.settings};
  Result<> created = co_await client::create_log(cluster, std::move(spec));
  if (!created.ok() && created.error() != ErrorCode::kAlreadyExists) co_return std::move(created).error();
  io::AbortSource never;
  for (;;) {
    auto log = co_await cluster.describe_log(options.log);
    const bool may_help = !log.ok() && comes_soon(log.error()) && io::Reactor::current().now() < deadline;
    if (!may_help) co_return log;
    (void)co_await io::sleep_for(kLeaderPause, never);
  }
}

io::Task<Result<client::LogInfo>> find_log(ClusterClient& cluster, const LoadOptions& options) {
  const MonotonicTime deadline = io::Reactor::current().now() + kLeaderWaitMax;
  auto found = options.create ? co_await created_log(cluster, options, deadline) : co_await cluster.describe_log(options.log);
  if (!found.ok()) co_return std::move(found).error();
  client::LogInfo log = std::move(*found);
  const auto wanted =
      static_cast<std::size_t>(options.partitions.value_or(static_cast<std::int32_t>(log.partitions.size())));
  if (log.partitions.size() < wanted) {
    co_return Error(ErrorCode::kOutOfRange,
                    fmt::format("log {} has {} partitions, not {}", log.name, log.partitions.size(), wanted));
  }
  log.partitions.resize(wanted);
  PYRALOG_CO_TRY(co_await leaders_ready(cluster, log, deadline));
  co_return std::move(log);
}

LoadWindow window_from_now(const LoadOptions& options) {
  const MonotonicTime start = io::Reactor::current().now();
  const MonotonicTime measured = start + seconds(options.warmup_seconds);
  return {.start = start, .measured = measured, .end = measured + seconds(options.seconds)};
}

io::Task<> sleep_until(MonotonicTime time) {
  io::AbortSource never;
  (void)co_await io::sleep_for(time - io::Reactor::current().now(), never);
}

/// From the start of the window to its end, or to when the last answer came if the work ended before.
double measured_seconds(const LoadWindow& window, MonotonicTime last_answer, MonotonicTime now) {
  const bool ended_early = now < window.end && last_answer > window.measured;
  return seconds((ended_early ? last_answer : std::min(now, window.end)) - window.measured);
}

void add_common(LoadReport& report, const LoadOptions& options, const client::LogInfo& log) {
  report.parameters = {{"bootstrap", options.session.bootstrap}, {"log", log.name},
                       {"partitions", std::to_string(log.partitions.size())},
                       {"warmup_seconds", fmt::format("{}", options.warmup_seconds)}};
}

void add_produce(LoadReport& report, const ProduceLoadOptions& options, const ProduceLoad& load) {
  const auto add = [&](const char* name, std::string value) { report.parameters.emplace_back(name, std::move(value)); };
  add("connections", std::to_string(options.connections));
  add("in_flight", std::to_string(options.in_flight));
  add("record_bytes", std::to_string(options.record_bytes));
  add("records_per_batch", std::to_string(load.records_per_batch()));
  add("batch_bytes", std::to_string(load.batch_bytes()));
  add("records_per_request", std::to_string(load.records_per_request()));
  add("acks", options.acks == client::Acks::kAll ? "all" : std::to_string(static_cast<int>(options.acks)));
  add("codec", std::to_string(static_cast<int>(options.codec)));
  add("loop", options.rate > 0 ? "open" : "closed");
  add("rate", fmt::format("{}", options.rate));
}

void add_fetch(LoadReport& report, const FetchLoadOptions& options) {
  const auto add = [&](const char* name, std::string value) { report.parameters.emplace_back(name, std::move(value)); };
  add("fetch_connections", std::to_string(options.connections));
  add("fetch_wait_ms", std::to_string(options.wait_ms_max));
  add("fetch_bytes_min", std::to_string(options.answer_bytes_min));
  add("fetch_bytes_max", std::to_string(options.answer_bytes_max));
  add("partition_bytes_max", std::to_string(options.partition_bytes_max));
  add("verify", options.verify ? "yes" : "no");
}

LoadResult produce_result(const ProduceLoad& load, const LoadWindow& window, MonotonicTime end) {
  return {.kind = "produce", .seconds = measured_seconds(window, load.last_answer(), end), .counts = load.counts(),
          .more_latencies = {}, .unanswered = load.unanswered()};
}

void add_commit(LoadReport& report, const CommitLoadOptions& options) {
  const auto add = [&](const char* name, std::string value) { report.parameters.emplace_back(name, std::move(value)); };
  add("connections", std::to_string(options.connections));
  add("in_flight", std::to_string(options.in_flight));
  add("groups", std::to_string(options.groups));
  add("partitions_per_commit", std::to_string(options.partitions_per_commit));
  add("loop", options.rate > 0 ? "open" : "closed");
  add("rate", fmt::format("{}", options.rate));
}

LoadResult commit_result(const CommitLoad& load, const LoadWindow& window, MonotonicTime end) {
  return {.kind = "commit", .seconds = measured_seconds(window, load.last_answer(), end), .counts = load.counts(),
          .more_latencies = {}, .unanswered = load.unanswered()};
}

LoadResult fetch_result(const FetchLoad& load, bool tail, const LoadWindow& window, MonotonicTime end) {
  LoadResult result{.kind = tail ? "tail" : "consume", .seconds = measured_seconds(window, load.last_answer(), end),
                    .counts = load.counts(), .more_latencies = {}, .unanswered = 0};
  if (tail) result.more_latencies.emplace_back("latency_since_due", load.since_due());
  return result;
}

Result<> verdict(const LoadReport& report, const LoadOptions& options) {
  report.print(options.format);
  if (!report.has_errors()) return {};
  return Error(ErrorCode::kAborted, "the load had errors or got no answer");
}

/// Sees a load that was started through its window, and what the machine spent in it.
template <class Load>
io::Task<> measure(Load& load, const LoadWindow& window, std::int32_t server_pid, LoadReport& report) {
  co_await sleep_until(window.measured);
  report.before = MachineUsage::now(server_pid);
  co_await load.finished(window.end);
  report.after = MachineUsage::now(server_pid);
}

io::Task<Result<>> run_produce_load(ClusterClient& cluster, const BenchProduce& command) {
  PYRALOG_CO_ASSIGN(client::LogInfo log, co_await find_log(cluster, command.load));
  LoadReport report;
  add_common(report, command.load, log);
  PYRALOG_CO_ASSIGN(const auto load, co_await ProduceLoad::open(cluster, std::move(log), command.produce));
  add_produce(report, command.produce, *load);
  const LoadWindow window = window_from_now(command.load);
  load->start(window);
  co_await measure(*load, window, command.load.server_pid, report);
  const MonotonicTime end = io::Reactor::current().now();
  co_await load->finished(end + kDrainMax);
  report.results.push_back(produce_result(*load, window, end));
  co_await load->close();
  co_return verdict(report, command.load);
}

io::Task<Result<>> run_fetch_load(ClusterClient& cluster, const BenchConsume& command) {
  PYRALOG_CO_ASSIGN(client::LogInfo log, co_await find_log(cluster, command.load));
  LoadReport report;
  add_common(report, command.load, log);
  add_fetch(report, command.fetch);
  PYRALOG_CO_ASSIGN(const auto load, co_await FetchLoad::open(cluster, std::move(log), command.fetch));
  const LoadWindow window = window_from_now(command.load);
  load->start(window);
  co_await measure(*load, window, command.load.server_pid, report);
  report.results.push_back(fetch_result(*load, command.fetch.tail, window, io::Reactor::current().now()));
  co_await load->close();
  co_return verdict(report, command.load);
}

io::Task<Result<>> run_commit_load(ClusterClient& cluster, const BenchCommit& command) {
  PYRALOG_CO_ASSIGN(client::LogInfo log, co_await find_log(cluster, command.load));
  LoadReport report;
  add_common(report, command.load, log);
  add_commit(report, command.commit);
  PYRALOG_CO_ASSIGN(const auto load, co_await CommitLoad::open(cluster, std::move(log), command.commit));
  const LoadWindow window = window_from_now(command.load);
  load->start(window);
  co_await measure(*load, window, command.load.server_pid, report);
  const MonotonicTime end = io::Reactor::current().now();
  co_await load->finished(end + kDrainMax);
  report.results.push_back(commit_result(*load, window, end));
  co_await load->close();
  co_return verdict(report, command.load);
}

io::Task<Result<>> run_end_to_end(ClusterClient& cluster, const BenchEndToEnd& command) {
  PYRALOG_CO_ASSIGN(const client::LogInfo log, co_await find_log(cluster, command.load));
  LoadReport report;
  add_common(report, command.load, log);
  PYRALOG_CO_ASSIGN(const auto reading, co_await FetchLoad::open(cluster, log, command.fetch));
  auto opened = co_await ProduceLoad::open(cluster, log, command.produce);
  if (!opened.ok()) {
    co_await reading->close();
    co_return std::move(opened).error();
  }
  const auto writing = std::move(*opened);
  add_produce(report, command.produce, *writing);
  add_fetch(report, command.fetch);
  const LoadWindow window = window_from_now(command.load);
  reading->start(window);
  writing->start(window);
  co_await measure(*writing, window, command.load.server_pid, report);
  const MonotonicTime end = io::Reactor::current().now();
  co_await writing->finished(end + kDrainMax);
  report.results.push_back(produce_result(*writing, window, end));
  // What comes late counts, as late as it comes.
  const std::uint64_t missing = co_await reading->caught_up(writing->records_acknowledged(), end + kDrainMax);
  report.results.push_back(fetch_result(*reading, true, window, end));
  report.results.back().missing_records = missing;
  co_await writing->close();
  co_await reading->close();
  co_return verdict(report, command.load);
}

io::Task<Result<>> run_echo_load(io::Endpoint server, const BenchEcho& command, LoadReport& report) {
  const EchoLoad::Options options{.message_bytes = command.message_bytes, .messages_per_second = command.rate};
  PYRALOG_CO_ASSIGN(const auto load, co_await EchoLoad::open(std::move(server), options));
  const LoadWindow window = window_from_now(command.load);
  report.before = MachineUsage::now(command.load.server_pid);
  Result<> done = co_await load->run(window);
  report.after = MachineUsage::now(command.load.server_pid);
  LoadResult result{.kind = "echo", .seconds = command.load.seconds, .counts = load->counts(), .more_latencies = {}};
  result.more_latencies.emplace_back("latency_since_due", load->since_due());
  report.results.push_back(std::move(result));
  co_await load->close();
  co_return done;
}

io::Task<Result<>> run_echo(io::RealRuntime& runtime, const BenchEcho& command) {
  LoadReport report;
  report.parameters = {{"message_bytes", std::to_string(command.message_bytes)}, {"rate", fmt::format("{}", command.rate)}};
  io::RealReactor& other = runtime.shard(ShardId(1));
  auto start = [] { return EchoServer::start(); };
  PYRALOG_CO_ASSIGN(auto server, co_await io::call_on(other, std::move(start)));
  Result<> done = co_await run_echo_load(server->address(), command, report);
  auto stop = [&server]() -> io::Task<> { return EchoServer::stop(std::move(server)); };
  co_await io::call_on(other, std::move(stop));
  PYRALOG_CO_TRY(done);
  co_return verdict(report, command.load);
}

}  // namespace

int bench_echo(const BenchEcho& command) {
  return run_alone([&](io::RealRuntime& runtime) { return run_echo(runtime, command); }, 2);
}
int bench_produce(const BenchProduce& command) {
  return run_session(command.load.session, [&](ClusterClient& cluster) { return run_produce_load(cluster, command); });
}
int bench_consume(const BenchConsume& command) {
  return run_session(command.load.session, [&](ClusterClient& cluster) { return run_fetch_load(cluster, command); });
}
int bench_commit(const BenchCommit& command) {
  return run_session(command.load.session, [&](ClusterClient& cluster) { return run_commit_load(cluster, command); });
}
int bench_end_to_end(const BenchEndToEnd& command) {
  return run_session(command.load.session, [&](ClusterClient& cluster) { return run_end_to_end(cluster, command); });
}

}  // namespace pyralog::cli
