#include "cli/session.h"

#include <fmt/format.h>

#include <cstdio>
#include <random>

#include "cli/command_line.h"
#include "io/real_runtime.h"

namespace pyralog::cli {
namespace {

io::Task<Result<>> connect_and_run(std::vector<io::Endpoint> bootstrap, const ClusterCommand& command) {
  PYRALOG_CO_ASSIGN(const auto cluster, co_await client::ClusterClient::connect(std::move(bootstrap)));
  Result<> done = co_await command(*cluster);
  co_await cluster->close();
  co_return done;
}

}  // namespace

Result<std::vector<io::Endpoint>> parse_endpoints(std::string_view text) {
  std::vector<io::Endpoint> endpoints;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    PYRALOG_ASSIGN(io::Endpoint endpoint, io::Endpoint::parse(text.substr(0, comma)));
    endpoints.push_back(std::move(endpoint));
    text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
  }
  if (endpoints.empty()) return Error(ErrorCode::kInvalidArgument, "no server address is given");
  return endpoints;
}

int run_alone(const std::function<io::Task<Result<>>(io::RealRuntime& runtime)>& command, unsigned shards) {
  io::RuntimeOptions options;
  options.shards = shards;
  options.seed = std::random_device{}();
  options.backend = io::DiskBackend::kPosix;
  auto runtime = io::RealRuntime::create(options);
  Result<> done = runtime.ok() ? (*runtime)->run(command(**runtime)) : Result<>(std::move(runtime).error());
  if (done.ok()) return kExitOk;
  std::fflush(stdout);
  fmt::print(stderr, "pyralog: {}\n", done.error().to_string());
  return kExitFailed;
}

int run_session(const SessionOptions& options, const ClusterCommand& command) {
  auto bootstrap = parse_endpoints(options.bootstrap);
  if (!bootstrap.ok()) {
    fmt::print(stderr, "pyralog: {}\n", bootstrap.error().with_context("--bootstrap").to_string());
    return kExitUsage;
  }
  return run_alone([&](io::RealRuntime&) { return connect_and_run(std::move(*bootstrap), command); });
}

}  // namespace pyralog::cli
