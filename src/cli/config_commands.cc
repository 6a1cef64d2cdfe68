#include "cli/config_commands.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/command_line.h"
#include "server/config.h"
#include "server/config_keys.h"

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

int list_settings(OutputFormat format) {
  Table table({"key", "default", "meaning"});
  for (const std::string_view key : server::config_keys()) {
    const server::ConfigKey* known = server::find_config_key(key);  // none: it stands for many
    table.add({std::string(key), known != nullptr ? Cell(std::string(known->default_text)) : Cell(),
               known != nullptr ? Cell(std::string(known->documentation)) : Cell()});
  }
  table.print(format);
  return kExitOk;
}

}  // namespace pyralog::cli
