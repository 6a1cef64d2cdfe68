#include <cstdint>
#include <string>

#include "core/assert.h"
#include "server/config.h"

/// Input: lines. Those that begin with '!' are overrides, "key=value" after it; those with '$' environment entries; all
/// others are the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pyralog;
  using namespace pyralog::server;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  ConfigSources sources{.file_name = "fuzz.toml"};
  std::vector<std::string> variables;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string line(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.starts_with('!')) {
      const std::size_t equals = std::min(line.find('='), line.size());
      sources.overrides.push_back({line.substr(1, equals - 1), line.substr(std::min(equals + 1, line.size())), "--set"});
    } else if (line.starts_with('$')) {
      variables.push_back(line.substr(1, line.find('\0')));
    } else {
      sources.file_text += line + "\n";
    }
  }
  std::vector<const char*> environment;
  for (const std::string& variable : variables) environment.push_back(variable.c_str());
  sources.environment = environment_overrides(environment);
  const auto config = load_config(sources);
  if (config.ok()) {
    PYRALOG_ASSERT(!config->kafka_listeners.empty(), "a node serves Kafka clients");
    for (const ListenerConfig& listener : config->kafka_listeners) {
      PYRALOG_ASSERT(config->insecure || listener.listen.is_loopback(), "nobody else reaches an open listener");
    }
  } else {
    PYRALOG_ASSERT(!config.error().detail().empty(), "every refusal says why");
  }
  return 0;
}
