#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace pyralog::cli {

// Exit codes of every command.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

/// What the parsed command line asks for; its value is the exit code.
using Action = std::function<int()>;

/// Parses the command line and does what it says. Data goes to stdout, notes and errors to stderr.
int run(int argc, char** argv);

// The parts of the command line. Each adds its subcommands, which put what they do into `action`; that lives longer than
// the parsing.
void add_server_commands(CLI::App& app, Action& action);
void add_client_commands(CLI::App& app, Action& action);
void add_group_commands(CLI::App& app, Action& action);
void add_bench_commands(CLI::App& app, Action& action);

}  // namespace pyralog::cli
