#include "cli/serve.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>

#include "cli/command_line.h"
#include "cli/log_lines.h"
#include "io/real_runtime.h"
#include "io/stop_signals.h"
#include "io/when_all.h"
#include "server/node.h"
#include "server/node_directory.h"

namespace pyralog::cli {
namespace {

int refuse(const Error& error) {
  fmt::print(stderr, "pyralog: {}\n", error.to_string());
  return kExitFailed;
}

Result<std::string> read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || text.fail()) return Error(ErrorCode::kNotFound, path + " cannot be read");
  return std::move(text).str();
}

Result<server::NodeConfig> load(ServerCommand command) {
  server::ConfigSources sources{.file_name = command.config_file};
  if (!command.config_file.empty()) {
    PYRALOG_ASSIGN(sources.file_text, read_text_file(command.config_file));
  }
  std::vector<const char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  sources.environment = server::environment_overrides(environment);
  sources.overrides = std::move(command.overrides);
  return server::load_config(sources);
}

void print_ready(server::Node& node) {
  const server::NodeInfo& info = node.info();
  fmt::print("ready kafka={} rpc={} http={} node={}\n", info.listeners.front().bound.to_string(),
             node.rpc_address().to_string(), node.http_address().to_string(), info.id.value);
  std::fflush(stdout);
}

/// Whether the node was asked to stop, or cannot go on.
struct Ending {
  io::StopSignals& signals;
  server::Node& node;
  Result<> failure;
};

io::Task<> stop_when_asked(Ending& ending) {
  const int signal = co_await ending.signals.next();
  if (signal != 0) spdlog::info("stopping on signal {}", signal);
  ending.node.end_failure_watch();
}

io::Task<> watch_for_failure(Ending& ending) {
  if (auto failure = co_await ending.node.wait_failed()) ending.failure = std::move(*failure);
  ending.signals.close();
}

io::Task<Result<>> run_node(server::NodeConfig config, io::RealRuntime& runtime) {
  std::vector<io::Reactor*> reactors;
  for (unsigned i = 0; i < runtime.shard_count(); ++i) reactors.push_back(&runtime.shard(ShardId(i)));
  PYRALOG_CO_ASSIGN(auto signals, io::StopSignals::create(runtime.shard(ShardId(0))));
  PYRALOG_CO_ASSIGN(auto node, co_await server::Node::start(std::move(config), std::move(reactors)));
  print_ready(*node);
  Ending ending{.signals = *signals, .node = *node, .failure = {}};
  std::vector<io::Task<>> ends;
  ends.push_back(stop_when_asked(ending));
  ends.push_back(watch_for_failure(ending));
  co_await io::when_all(std::move(ends));
  Result<> stopped = co_await node->stop();
  co_return ending.failure.ok() ? std::move(stopped) : std::move(ending.failure);
}

}  // namespace

int run_server(ServerCommand command) {
  io::StopSignals::block();
  auto config = load(std::move(command));
  if (!config.ok()) return refuse(config.error());
  start_logging(config->logging_level, config->logging_format);
  // Connections and journals need descriptors too.
  const std::uint64_t files_max = std::max<std::uint64_t>(io::RealRuntime::raise_descriptor_limit() / 4, 1);
  config->open_files_max = std::min(config->open_files_max, files_max);
  io::RuntimeOptions options;
  options.shards = config->shards;
  if (options.shards == 0) {
    options.shards = server::recorded_shards(config->data_directory).value_or(io::RealRuntime::usable_processors());
  }
  options.backend = config->posix_io ? io::DiskBackend::kPosix : io::DiskBackend::kAuto;
  options.send_buffer_bytes = static_cast<int>(config->send_buffer_bytes);
  options.seed = std::random_device{}() | std::uint64_t{std::random_device{}()} << 32;
  auto runtime = io::RealRuntime::create(options);
  if (!runtime.ok()) return refuse(runtime.error());
  spdlog::info("{} shards, files through {}", (*runtime)->shard_count(), (*runtime)->disk_backend());
  const Result<> result = (*runtime)->run(run_node(std::move(*config), **runtime));
  spdlog::shutdown();
  return result.ok() ? kExitOk : refuse(result.error());
}

}  // namespace pyralog::cli
