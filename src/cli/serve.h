#pragma once

#include <string>
#include <vector>

#include "server/config.h"

namespace pyralog::cli {

/// A server as the command line asks for it.
struct ServerCommand {
  std::string config_file;  ///< empty: none
  std::vector<server::ConfigOverride> overrides;
};

/// Runs a node in the foreground until SIGTERM or SIGINT. Prints the ready line on stdout, its own lines on stderr; what
/// goes wrong is one line on stderr. The exit code: 0 after a clean stop, 1 otherwise.
int run_server(ServerCommand command);

}  // namespace pyralog::cli
