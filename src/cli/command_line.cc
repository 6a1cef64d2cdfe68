#include "cli/command_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "cli/command_line_options.h"
#include "cli/config_commands.h"
#include "cli/serve.h"

namespace pyralog::cli {
namespace {

/// Flags of `dev` and `start` that stand for one setting each.
struct SettingFlag {
  const char* flag;
  const char* key;
  const char* value_name;
  const char* help;
};
constexpr SettingFlag kServerFlags[] = {
    {"--data-dir", "node.data_dir", "DIR", "Where the data lies"},
    {"--kafka", "kafka.listen", "HOST:PORT", "Where Kafka clients connect; port 0 picks a free one"},
    {"--advertise", "kafka.advertise", "HOST:PORT", "What Kafka clients are told to connect to"},
    {"--rpc", "rpc.listen", "HOST:PORT", "Where other nodes connect"},
    {"--http", "http.listen", "HOST:PORT", "Where metrics and health are served"},
    {"--node-id", "node.id", "N", "This node's number in the cluster"},
    {"--rack", "node.rack", "RACK", "Where this node stands"},
    {"--shards", "node.shards", "N", "Threads that serve; 0: one per processor"},
};

struct ServerArguments {
  ServerCommand command;
  int nodes = 1;
  bool insecure = false;
  std::vector<std::string> join;
  std::vector<std::string> peers;
};

int start_server(const ServerArguments& arguments) {
  if (arguments.nodes > 1 || !arguments.join.empty() || !arguments.peers.empty()) {
    fmt::print(stderr, "pyralog: this release runs a single node: --nodes above 1, --join and --peer do not work yet\n");
    return kExitUsage;
  }
  ServerCommand command = arguments.command;
  if (arguments.insecure) command.overrides.push_back({"security.insecure", "true", "--insecure"});
  return run_server(std::move(command));
}

void add_server_flags(CLI::App& app, const std::shared_ptr<ServerArguments>& arguments) {
  for (const SettingFlag& flag : kServerFlags) {
    app.add_option_function<std::string>(
           flag.flag,
           [arguments, &flag](const std::string& value) {
             arguments->command.overrides.push_back({flag.key, value, flag.flag});
           },
           flag.help)
        ->type_name(flag.value_name);
  }
  app.add_flag("--insecure", arguments->insecure, "Allow plaintext on addresses that other machines can reach");
  app.add_option_function<std::vector<std::string>>(
         "--set",
         [arguments](const std::vector<std::string>& settings) {
           for (const std::string& setting : settings) {
             const std::size_t equals = setting.find('=');
             if (equals == std::string::npos) throw CLI::ValidationError("--set", setting + ": key=value is expected");
             const std::string key = setting.substr(0, equals);
             arguments->command.overrides.push_back({key, setting.substr(equals + 1), "--set " + key});
           }
         },
         "Set any setting; may be repeated")
      ->type_name("SECTION.KEY=VALUE")
      ->take_all();
}

}  // namespace

void add_server_commands(CLI::App& app, Action& action) {
  auto dev = std::make_shared<ServerArguments>();
  CLI::App* dev_command =
      app.add_subcommand("dev", "Run a playground: one node, no configuration, logs created on first use");
  add_server_flags(*dev_command, dev);
  dev_command->add_option("--nodes", dev->nodes, "Nodes in this process")->check(CLI::Range(1, 100));
  dev_command->callback([dev, &action] { action = [dev] { return start_server(*dev); }; });

  auto start = std::make_shared<ServerArguments>();
  CLI::App* start_command = app.add_subcommand("start", "Run a node");
  start_command->add_option("--config", start->command.config_file, "Configuration file (TOML)")->type_name("FILE");
  add_server_flags(*start_command, start);
  start_command->add_option("--join", start->join, "Members of the cluster to join")
      ->delimiter(',')
      ->type_name("HOST:PORT,...");
  start_command->add_option("--peer", start->peers, "Address of another node")->type_name("ID=HOST:PORT");
  start_command->callback([start, &action] { action = [start] { return start_server(*start); }; });

  CLI::App* config = app.add_subcommand("config", "Explain the settings of a node");
  config->require_subcommand(1);
  auto key = std::make_shared<std::string>();
  CLI::App* explain = config->add_subcommand("explain", "What a setting or a log property means, its range and default");
  explain->add_option("key", *key, "section.key, or a property of logs")->required()->type_name("KEY");
  explain->callback([key, &action] { action = [key] { return explain_setting(*key); }; });
  auto format = std::make_shared<OutputFormat>(OutputFormat::kTable);
  CLI::App* list = config->add_subcommand("list", "All settings");
  add_output_format(*list, *format);
  list->callback([format, &action] { action = [format] { return list_settings(*format); }; });

  app.add_subcommand("version", "The version of this program")->callback([&action] {
    action = [] {
      fmt::print("pyralog {}\n", PYRALOG_VERSION);
      return kExitOk;
    };
  });
}

int run(int argc, char** argv) {
  CLI::App app("Pyralog: a durable, ordered, partitioned log that Kafka clients use unchanged", "pyralog");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("pyralog ") + PYRALOG_VERSION);
  Action action;
  add_server_commands(app, action);
  add_client_commands(app, action);
  add_group_commands(app, action);
  add_bench_commands(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help and version
    fmt::print(stderr, "pyralog: {}\nRun with --help for what can be said.\n", error.what());
    return kExitUsage;
  }
  const int status = action();
  if (std::fflush(stdout) == 0) return status;
  fmt::print(stderr, "pyralog: cannot write to standard output\n");
  return kExitFailed;
}

}  // namespace pyralog::cli
