#include "server/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "cluster/image_checks.h"
#include "cluster/log_name.h"
#include "cluster/log_settings.h"
#include "cluster/property_text.h"
#include "cluster/topic_properties.h"
#include "core/limits.h"
#include "core/nearest_name.h"
#include "server/config_keys.h"
#include "server/config_values.h"
#include "server/toml_text.h"

namespace pyralog::server {
namespace {

constexpr std::string_view kEnvironmentPrefix = "PYRALOG_";

Error refused(std::string why) { return {ErrorCode::kInvalidArgument, std::move(why)}; }

/// One setting, taken apart. `section` is "log" (then `name` is the log's, `key` a property), "log_defaults" (`key` is
/// a property), "kafka.listener" (`name`, `key`), or empty (`key` is a key of the table).
struct Place {
  std::string section;
  std::string name;
  std::string key;
};

/// A property as somebody wrote it for [log_defaults] or [log.NAME]; in environment variables '_' stands for '.'.
bool is_log_key(std::string_view key) {
  return key == "partitions" || key == "replication_factor" || cluster::find_topic_property(key) != nullptr;
}

Place place_of_path(std::span<const std::string> path) {
  const auto joined = [&](std::size_t from) { return fmt::format("{}", fmt::join(path.subspan(from), ".")); };
  if (path.size() >= 3 && path[0] == "log") return {"log", path[1], joined(2)};
  if (path.size() >= 2 && path[0] == "log_defaults") return {"log_defaults", "", joined(1)};
  if (path.size() == 4 && path[0] == "kafka" && path[1] == "listener") return {"kafka.listener", path[2], path[3]};
  return {"", "", joined(0)};
}

/// The same for a key with dots only. A log's name may have dots too: the longest end that is a property is the
/// property.
Place place_of_key(std::string_view key) {
  if (key.starts_with("log_defaults.")) return {"log_defaults", "", std::string(key.substr(13))};
  if (key.starts_with("kafka.listener.")) {
    const std::string_view rest = key.substr(15);
    const std::size_t dot = rest.rfind('.');
    if (dot == std::string_view::npos) return {"", "", std::string(key)};
    return {"kafka.listener", std::string(rest.substr(0, dot)), std::string(rest.substr(dot + 1))};
  }
  if (!key.starts_with("log.")) return {"", "", std::string(key)};
  const std::string_view rest = key.substr(4);
  const std::size_t first = rest.find('.');
  for (std::size_t dot = first; dot != std::string_view::npos; dot = rest.find('.', dot + 1)) {
    if (is_log_key(rest.substr(dot + 1)))
      return {"log", std::string(rest.substr(0, dot)), std::string(rest.substr(dot + 1))};
  }
  if (first == std::string_view::npos) return {"", "", std::string(key)};
  return {"log", std::string(rest.substr(0, first)), std::string(rest.substr(first + 1))};
}

Error unknown(std::string_view kind, std::string_view key, std::span<const std::string_view> candidates) {
  const std::string_view nearest = nearest_name(key, candidates);
  if (nearest.empty()) return refused(fmt::format("unknown {} \"{}\" (pyralog config explain lists all)", kind, key));
  return refused(fmt::format("unknown {} \"{}\": did you mean \"{}\"?", kind, key, nearest));
}

/// A property's value in Kafka's form: durations and sizes may be written with units.
std::string property_text(std::string_view property, std::string_view text) {
  if (property.ends_with(".ms")) {
    if (const auto duration = parse_duration(text); duration.ok()) return fmt::format("{}", duration->count());
  }
  if (property.ends_with(".bytes")) {
    if (const auto bytes = parse_bytes(text); bytes.ok()) return fmt::format("{}", *bytes);
  }
  return std::string(text);
}

class ConfigReader {
 public:
  ConfigReader() {
    for (const ConfigKey& key : config_table()) {
      const auto assigned = assign(key, draft_, key.default_text);
      PYRALOG_ASSERT(assigned.ok(), "the defaults of the table are legal");
    }
  }

  Result<> read_file(std::string_view name, std::string_view text);
  Result<> read(const ConfigOverride& given);
  Result<NodeConfig> finish();

 private:
  struct NamedListener {
    std::string listen, advertise;
  };

  Result<> set(const Place& place, std::string_view text);
  Result<> set_table_key(std::string_view name, std::string_view text);
  Result<> set_listener(const Place& place, std::string_view text);
  Result<> set_log_default(const Place& place, std::string_view text);
  Result<> set_log(const Place& place, std::string_view text);
  Result<> declare_log(const std::string& name);
  Result<> check_empty_table(const TomlValue& table);
  Result<std::string> checked_property(std::string_view name, std::string_view text) const;
  Result<> finish_listeners();
  Result<> check_exposure(std::string_view key, const io::Endpoint& address) const;
  Result<> check_relations() const;

  ConfigDraft draft_;
  std::set<std::string_view> given_;  // keys of the table that are not left at their default
  std::map<std::string, NamedListener> listeners_;
  std::map<std::string, NewLog> logs_;
};

Result<> ConfigReader::read_file(std::string_view name, std::string_view text) {
  auto values = read_toml(text);
  if (!values.ok()) return values.error().with_context(name);
  for (const TomlValue& value : *values) {
    auto done = value.is_empty_table ? check_empty_table(value) : set(place_of_path(value.path), value.text);
    if (!done.ok()) return done.error().with_context(fmt::format("{}: line {}", name, value.line));
  }
  return {};
}

Result<> ConfigReader::read(const ConfigOverride& given) {
  auto done = set(place_of_key(given.key), given.value);
  if (!done.ok()) return done.error().with_context(given.origin);
  return {};
}

/// [log.NAME] without settings declares a log with the defaults; an empty known section is nothing.
Result<> ConfigReader::check_empty_table(const TomlValue& table) {
  if (table.path.size() == 2 && table.path[0] == "log") return declare_log(table.path[1]);
  std::vector<std::string_view> names = {"log", "log_defaults"};
  for (const ConfigSection& section : config_sections()) names.push_back(section.name);
  if (table.path.size() == 1 && std::ranges::find(names, table.path[0]) != names.end()) return {};
  return unknown("section", fmt::format("{}", fmt::join(table.path, ".")), names);
}

Result<> ConfigReader::set(const Place& place, std::string_view text) {
  if (place.section == "kafka.listener") return set_listener(place, text);
  if (place.section == "log_defaults") return set_log_default(place, text);
  if (place.section == "log") return set_log(place, text);
  return set_table_key(place.key, text);
}

Result<> ConfigReader::set_table_key(std::string_view name, std::string_view text) {
  const ConfigKey* key = find_config_key(name);
  if (key == nullptr) return unknown("setting", name, config_keys());
  if (auto assigned = assign(*key, draft_, text); !assigned.ok()) return assigned.error().with_context(name);
  given_.insert(key->name);
  if (!key->kafka_name.empty()) draft_.static_settings.set(key->kafka_name, kafka_text(*key, text));
  return {};
}

Result<> ConfigReader::set_listener(const Place& place, std::string_view text) {
  constexpr std::string_view kKeys[] = {"listen", "advertise"};
  if (place.name.empty() || !cluster::check_log_name(place.name).ok()) {
    return refused(fmt::format("kafka.listener.{}: a listener's name has letters, digits, '.', '_' and '-'", place.name));
  }
  if (place.key == "listen") {
    listeners_[place.name].listen = text;
  } else if (place.key == "advertise") {
    listeners_[place.name].advertise = text;
  } else {
    return unknown("setting of a listener", place.key, kKeys);
  }
  return {};
}

Result<std::string> ConfigReader::checked_property(std::string_view name, std::string_view text) const {
  const cluster::Property* property = cluster::find_topic_property(name);
  if (property == nullptr) {
    std::vector<std::string_view> names = {"partitions", "replication_factor"};
    for (const cluster::Property& known : cluster::topic_properties()) names.push_back(known.name);
    return unknown("setting of a log", name, names);
  }
  std::string value = property_text(name, text);
  PYRALOG_TRY(cluster::check_value(*property, value));
  return value;
}

Result<> ConfigReader::set_log_default(const Place& place, std::string_view text) {
  for (const std::string_view owned : {"write.quorum", "partitions", "replication_factor"}) {
    if (place.key != owned) continue;
    std::string name(owned);
    std::ranges::replace(name, '.', '_');
    return refused(fmt::format("log_defaults.{}: set replication.{} instead", place.key, name));
  }
  PYRALOG_ASSIGN(const std::string value, checked_property(place.key, text));
  const cluster::Property* property = cluster::find_topic_property(place.key);
  if (property->node_name.empty()) return refused(fmt::format("log_defaults.{}: has no default to set", place.key));
  draft_.static_settings.set(property->node_name, value);
  return {};
}

Result<> ConfigReader::declare_log(const std::string& name) {
  if (auto legal = cluster::check_log_name(name); !legal.ok()) return legal.error().with_context("log." + name);
  logs_[name].name = name;
  return {};
}

Result<> ConfigReader::set_log(const Place& place, std::string_view text) {
  PYRALOG_TRY(declare_log(place.name));
  NewLog& log = logs_[place.name];
  const auto count = [&](std::int64_t most) -> Result<std::int32_t> {
    PYRALOG_ASSIGN(const std::int64_t number, parse_whole_number(text));
    if (number >= 1 && number <= most) return static_cast<std::int32_t>(number);
    return refused(fmt::format("log.{}.{}: {} must be from 1 to {}", place.name, place.key, number, most));
  };
  if (place.key == "partitions") {
    PYRALOG_ASSIGN(log.partitions, count(limits::kPartitionsPerLogMax));
    return {};
  }
  if (place.key == "replication_factor") {
    PYRALOG_ASSIGN(log.replication, count(limits::kReplicasPerPartitionMax));
    return {};
  }
  auto value = checked_property(place.key, text);
  if (!value.ok()) return value.error().with_context("log." + place.name);
  cluster::Settings settings(log.settings);
  settings.set(place.key, *value);
  log.settings.assign(settings.begin(), settings.end());
  return {};
}

Result<NodeConfig> ConfigReader::finish() {
  PYRALOG_TRY(finish_listeners());
  PYRALOG_TRY(check_exposure("rpc.listen", draft_.rpc_listen));
  PYRALOG_TRY(check_exposure("http.listen", draft_.http_listen));
  PYRALOG_TRY(check_relations());
  for (auto& [name, log] : logs_) draft_.declared_logs.push_back(std::move(log));
  return static_cast<NodeConfig&&>(draft_);
}

Result<> ConfigReader::finish_listeners() {
  if (listeners_.empty() || given_.contains("kafka.listen")) {
    draft_.kafka_listeners.push_back({"default", draft_.kafka_listen, draft_.kafka_advertise});
  }
  for (const auto& [name, given] : listeners_) {
    ListenerConfig listener{.name = name};
    const auto read = [&](std::string_view what, std::string_view text, io::Endpoint& into) -> Result<> {
      auto parsed = io::Endpoint::parse(text);
      if (!parsed.ok()) return parsed.error().with_context(fmt::format("kafka.listener.{}.{}", name, what));
      into = std::move(*parsed);
      return {};
    };
    if (given.listen.empty()) return refused(fmt::format("kafka.listener.{}.listen is missing", name));
    PYRALOG_TRY(read("listen", given.listen, listener.listen));
    if (!given.advertise.empty()) PYRALOG_TRY(read("advertise", given.advertise, listener.advertise));
    if (name == "default" && given_.contains("kafka.listen")) {
      return refused("kafka.listen and kafka.listener.default name the same listener");
    }
    draft_.kafka_listeners.push_back(std::move(listener));
  }
  for (const ListenerConfig& listener : draft_.kafka_listeners) {
    const bool is_default = listener.name == "default" && !listeners_.contains("default");
    const std::string section = is_default ? "kafka" : "kafka.listener." + listener.name;
    PYRALOG_TRY(check_exposure(section + ".listen", listener.listen));
    const bool everywhere = listener.listen.host == "0.0.0.0" || listener.listen.host == "::";
    if (everywhere && listener.advertise.host.empty()) {
      return refused(
          fmt::format("{}.listen={} is no address that clients can connect to: say in {}.advertise (--advertise) "
                      "what they shall use",
                      section, listener.listen.to_string(), section));
    }
  }
  return {};
}

Result<> ConfigReader::check_exposure(std::string_view key, const io::Endpoint& address) const {
  if (draft_.insecure || address.is_loopback()) return {};
  return refused(
      fmt::format("{}={} can be reached from other machines, without encryption and authentication: use 127.0.0.1, "
                  "or accept it with security.insecure=true (--insecure)",
                  key, address.to_string()));
}

Result<> ConfigReader::check_relations() const {
  std::vector<io::Endpoint> addresses = {draft_.rpc_listen, draft_.http_listen};
  for (const ListenerConfig& listener : draft_.kafka_listeners) addresses.push_back(listener.listen);
  for (auto address = addresses.begin(); address != addresses.end(); ++address) {
    if (address->port == 0 || std::find(addresses.begin(), address, *address) == address) continue;
    return refused(fmt::format("{} is listened on twice", address->to_string()));
  }
  if (draft_.request_memory_bytes_max < draft_.request_bytes_max) {
    return refused(fmt::format("kafka.request_memory_bytes_max={} is below kafka.request_bytes_max={}",
                               render_bytes(draft_.request_memory_bytes_max), render_bytes(draft_.request_bytes_max)));
  }
  if (draft_.write_quorum_default > draft_.replication_default) {
    return refused(fmt::format("replication.write_quorum={} is above replication.replication_factor={}",
                               draft_.write_quorum_default, draft_.replication_default));
  }
  if (draft_.data_directory.empty()) return refused("node.data_dir is empty");
  if (auto rack = cluster::check_label("a rack", draft_.rack); !rack.ok()) return rack.error().with_context("node.rack");
  for (const auto& [name, log] : logs_) {
    auto legal = cluster::check_topic_settings(cluster::Settings(log.settings), draft_.static_settings);
    if (!legal.ok()) return legal.error().with_context("log." + name);
    const auto settings =
        cluster::LogSettings::resolve(cluster::Settings(log.settings), {.static_node = &draft_.static_settings});
    const std::int32_t copies = log.replication == -1 ? draft_.replication_default : log.replication;
    auto quorum = cluster::check_quorum(settings, copies);
    if (!quorum.ok()) return quorum.error().with_context("log." + name);
    for (const auto& [other, unused] : logs_) {
      if (other == name) break;
      if (cluster::names_collide(other, name)) {
        return refused(
            fmt::format("log.{} and log.{} differ in '.' and '_' only, which metrics cannot tell apart", other, name));
      }
    }
  }
  return {};
}

}  // namespace

std::vector<ConfigOverride> environment_overrides(std::span<const char* const> environment) {
  std::vector<ConfigOverride> overrides;
  for (const char* entry : environment) {
    const std::string_view text(entry);
    const std::size_t equals = text.find('=');
    const std::string_view variable = text.substr(0, equals);
    if (equals == std::string_view::npos || !variable.starts_with(kEnvironmentPrefix)) continue;
    std::string key(variable.substr(kEnvironmentPrefix.size()));
    if (key.find("__") == std::string::npos) continue;
    for (std::size_t at = key.find("__"); at != std::string::npos; at = key.find("__", at)) key.replace(at, 2, ".");
    std::ranges::transform(key, key.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    // Properties of logs have dots in their names, which variables cannot have.
    const Place place = place_of_key(key);
    if (!place.section.starts_with("kafka") && !place.section.empty() && !is_log_key(place.key)) {
      std::string property = place.key;
      std::ranges::replace(property, '_', '.');
      if (is_log_key(property)) key.replace(key.size() - property.size(), property.size(), property);
    }
    overrides.push_back({std::move(key), std::string(text.substr(equals + 1)), std::string(variable)});
  }
  std::ranges::sort(overrides, {}, &ConfigOverride::origin);
  return overrides;
}

Result<NodeConfig> load_config(const ConfigSources& sources) {
  ConfigReader reader;
  PYRALOG_TRY(reader.read_file(sources.file_name, sources.file_text));
  for (const auto* layer : {&sources.environment, &sources.overrides}) {
    for (const ConfigOverride& given : *layer) PYRALOG_TRY(reader.read(given));
  }
  return reader.finish();
}

}  // namespace pyralog::server
