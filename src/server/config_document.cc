#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cluster/topic_properties.h"
#include "core/limits.h"
#include "core/nearest_name.h"
#include "server/config.h"
#include "server/config_keys.h"

namespace pyralog::server {
namespace {

/// Keys that stand for many. What they take is in other tables.
struct PatternKey {
  std::string_view name;
  std::string_view documentation;
};
constexpr PatternKey kPatterns[] = {
    {"kafka.listener.NAME.advertise", "What clients that connect to the listener NAME are told. Empty: where it listens."},
    {"kafka.listener.NAME.listen", "One more address for Kafka clients, under the name NAME. host:port."},
    {"log.NAME.PROPERTY", "A property of the declared log NAME, when it is created."},
    {"log.NAME.partitions", "Partitions of the declared log NAME. Default: replication.partitions."},
    {"log.NAME.replication_factor", "Copies of the declared log NAME. Default: replication.replication_factor."},
    {"log_defaults.PROPERTY", "What PROPERTY is for logs that do not set it."},
};

std::string_view kind_name(ConfigKind kind) {
  switch (kind) {
    case ConfigKind::kSwitch:
      return "switch";
    case ConfigKind::kNumber:
      return "number";
    case ConfigKind::kBytes:
      return "bytes (B, KiB, MiB, GiB, TiB)";
    case ConfigKind::kDuration:
      return "duration (ms, s, m, h, d)";
    case ConfigKind::kText:
      return "text";
    case ConfigKind::kChoice:
      return "choice";
    case ConfigKind::kAddress:
      return "address";
  }
  return "";
}

std::string environment_name(std::string_view key) {
  std::string name = "PYRALOG_";
  for (const char c : key) {
    if (c == '.') {
      name += "__";
    } else {
      name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }
  return name;
}

std::string_view support_name(cluster::PropertySupport support) {
  switch (support) {
    case cluster::PropertySupport::kHonoured:
      return "honoured";
    case cluster::PropertySupport::kAccepted:
      return "accepted, without effect";
    case cluster::PropertySupport::kRefused:
      return "refused";
  }
  return "";
}

/// Documentation and, where there is one, the reason why the property does not do (all of) what it says.
std::string full_documentation(const cluster::Property& property) {
  std::string text(property.documentation);
  if (!property.reason.empty()) text += fmt::format(" {}", property.reason);
  return text;
}

std::string explain_key(const ConfigKey& key) {
  std::string text = fmt::format("{}\n  {}\n  kind:        {}\n", key.name, key.documentation, kind_name(key.kind));
  if (const std::string range = range_text(key); !range.empty()) text += fmt::format("  range:       {}\n", range);
  text += fmt::format("  default:     {}\n", key.default_text.empty() ? "(empty)" : key.default_text);
  text += fmt::format("  environment: {}\n", environment_name(key.name));
  if (!key.kafka_name.empty()) text += fmt::format("  Kafka:       {}\n", key.kafka_name);
  return text;
}

std::string explain_property(const cluster::Property& property) {
  std::string text = fmt::format("{}\n  {}\n", property.name, full_documentation(property));
  text += fmt::format("  support:     {}\n", support_name(property.support));
  if (!property.choices.empty()) text += fmt::format("  choices:     {}\n", property.choices);
  text += fmt::format("  default:     {}\n", property.default_value.empty() ? "(empty)" : property.default_value);
  if (!property.node_name.empty()) text += fmt::format("  per node:    {}\n", property.node_name);
  text += fmt::format("  set with:    log alter, Kafka's config APIs, [log.NAME], [log_defaults]\n");
  return text;
}

/// The property that `key` names: alone, or as log_defaults.PROPERTY or log.NAME.PROPERTY.
const cluster::Property* property_of(std::string_view key) {
  if (const auto* property = cluster::find_topic_property(key)) return property;
  if (!key.starts_with("log_defaults.") && !key.starts_with("log.")) return nullptr;
  for (std::size_t dot = key.find('.'); dot != std::string_view::npos; dot = key.find('.', dot + 1)) {
    if (const auto* property = cluster::find_topic_property(key.substr(dot + 1))) return property;
  }
  return nullptr;
}

/// A cell of a table: the bar would end it.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return escaped;
}

std::string code(std::string_view text) { return text.empty() ? "" : fmt::format("`{}`", text); }

std::string section_table(std::string_view section) {
  std::string text = "| Key | Default | Range | Meaning |\n|---|---|---|---|\n";
  for (const ConfigKey& key : config_table()) {
    if (!key.name.starts_with(section) || key.name[section.size()] != '.') continue;
    std::string meaning(key.documentation);
    if (!key.kafka_name.empty()) meaning += fmt::format(" Kafka: `{}`.", key.kafka_name);
    text += fmt::format("| `{}` | {} | {} | {} |\n", key.name.substr(section.size() + 1), code(key.default_text),
                        range_text(key), cell(meaning));
  }
  return text;
}

std::string property_table() {
  std::string text = "| Property | Default | Support | Meaning |\n|---|---|---|---|\n";
  for (const cluster::Property& property : cluster::topic_properties()) {
    text += fmt::format("| `{}` | {} | {} | {} |\n", property.name, code(property.default_value),
                        support_name(property.support), cell(full_documentation(property)));
  }
  return text;
}

constexpr std::string_view kIntroduction = R"(# Configuration

This page is written from the tables that the program reads its settings with, and a test compares the two. `pyralog
config explain KEY` prints one entry.

A node needs no configuration. Settings come from, each overriding the ones before it:

1. the built-in defaults;
2. the file given with `--config FILE`, in TOML;
3. environment variables: `PYRALOG_SECTION__KEY` is `key` in `[section]`, as in `PYRALOG_KAFKA__IDLE_TIMEOUT=1m`;
4. the command line, in its order: `--set section.key=value`, and the flags (`--kafka` is `kafka.listen`,
   `--advertise` is `kafka.advertise`, `--rpc` is `rpc.listen`, `--http` is `http.listen`, `--data-dir` is
   `node.data_dir`, `--node-id` is `node.id`, `--rack` is `node.rack`, `--shards` is `node.shards`, `--insecure` is
   `security.insecure=true`).

An unknown key is an error. Durations and sizes carry their unit: `100ms`, `5s`, `10m`, `1h`, `7d`; `512B`, `64KiB`,
`16MiB`, `1GiB`, `1TiB`. A listener that other machines can reach is refused unless `security.insecure` is set,
since it would be neither encrypted nor authenticated.

Settings of this page belong to one node and are read when it starts. Properties of logs (below) belong to the
cluster and change while it runs.

```toml
[node]
data_dir = "/var/lib/pyralog"

[kafka]
listen = "0.0.0.0:9092"
advertise = "log-1.example.net:9092"

[kafka.listener.internal]
listen = "127.0.0.1:9093"

[security]
insecure = true

[log_defaults]
retention.ms = "3d"

[log.orders]
partitions = 12
write.caching = true
```
)";

constexpr std::string_view kListeners = R"(
### [kafka.listener.NAME]

More addresses for Kafka clients, each with what its clients are told: one for the machine itself, one for the world.

| Key | Default | Meaning |
|---|---|---|
| `listen` | | Where it listens. Required. |
| `advertise` | | The address that clients which came through it are told. Empty: where it listens. |
)";

constexpr std::string_view kLogs = R"(
## [log_defaults]

What a property is for logs that do not set it, under the name of the property. `write.quorum` and `read.quorum` are
set in `[replication]`.

## [log.NAME]

A declared log: created once the node serves, if there is none of that name. What exists is never changed by it.
Names with dots are quoted: `[log."orders.eu"]`.

| Key | Default | Meaning |
|---|---|---|
| `partitions` | `replication.partitions` | Its partitions. |
| `replication_factor` | `replication.replication_factor` | Its copies. |
| any property | `log_defaults` | See below. |

## Properties of logs

Every topic property of Kafka 4.3, and those that only Pyralog has. They are set when a log is created, with
`pyralog log alter`, or through Kafka's config APIs; the value in force is the log's own, else the node's dynamic
setting, else the cluster's dynamic default, else `[log_defaults]`, else the default.

*Honoured*: it does what it says. *Accepted, without effect*: stored and shown. *Refused*: only the default can be
set.

)";

}  // namespace

std::vector<std::string_view> config_keys() {
  std::vector<std::string_view> keys;
  for (const ConfigKey& key : config_table()) keys.push_back(key.name);
  for (const PatternKey& pattern : kPatterns) keys.push_back(pattern.name);
  std::ranges::sort(keys);
  return keys;
}

Result<std::string> explain_config(std::string_view key) {
  if (const ConfigKey* known = find_config_key(key)) return explain_key(*known);
  for (const PatternKey& pattern : kPatterns) {
    if (pattern.name == key) return fmt::format("{}\n  {}\n", pattern.name, pattern.documentation);
  }
  if (const auto* property = property_of(key)) return explain_property(*property);
  std::vector<std::string_view> names = config_keys();
  for (const cluster::Property& property : cluster::topic_properties()) names.push_back(property.name);
  const std::string_view nearest = nearest_name(key, names);
  if (nearest.empty()) return Error(ErrorCode::kNotFound, fmt::format("no setting is called \"{}\"", key));
  return Error(ErrorCode::kNotFound, fmt::format("no setting is called \"{}\": did you mean \"{}\"?", key, nearest));
}

std::string configuration_markdown() {
  std::string text(kIntroduction);
  for (const ConfigSection& section : config_sections()) {
    text += fmt::format("\n## [{}]\n\n{}\n\n{}", section.name, section.documentation, section_table(section.name));
    if (section.name == "kafka") text += kListeners;
  }
  text += kLogs;
  text += property_table();
  return text;
}

}  // namespace pyralog::server
