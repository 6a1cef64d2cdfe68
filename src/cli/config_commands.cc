#include "cli/config_commands.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/command_line.h"
#include "server/config.h"

namespace pyralog::cli {

int explain_setting(std::string_view key) {
  const auto text = server::explain_config(key);
  if (!text.ok()) {
    fmt::print(stderr, "pyralog: {}\n", text.error().to_string());
    return kExitFailed;
  }
  fmt::print("{}", *text);
  if (!text->empty() && text->back() != '\n') fmt::print("\n");
  return kExitOk;
}

int list_settings() {
  for (const std::string_view key : server::config_keys()) fmt::print("{}\n", key);
  return kExitOk;
}

}  // namespace pyralog::cli
