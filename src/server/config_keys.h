#pragma once

#include <span>
#include <string_view>
#include <variant>

#include "server/config.h"

namespace pyralog::server {

/// The configuration while it is read: with what is only kept in another form once it is complete.
struct ConfigDraft : NodeConfig {
  io::Endpoint kafka_listen;
  io::Endpoint kafka_advertise;
  std::int32_t write_quorum_default = 0;
};

/// Where a key's value goes; the type says how its text is read.
using ConfigField = std::variant<bool*, std::int32_t*, std::uint32_t*, std::optional<std::int32_t>*, std::uint64_t*,
                                 std::chrono::milliseconds*, std::string*, io::Endpoint*>;

enum class ConfigKind : std::uint8_t { kSwitch, kNumber, kBytes, kDuration, kText, kChoice, kAddress };

/// One setting. The table of them drives reading, checking, explaining and the document.
struct ConfigKey {
  std::string_view name;  ///< section.key
  ConfigKind kind;
  std::string_view default_text;
  std::int64_t min = 0;  ///< kNumber; kBytes in bytes; kDuration in milliseconds
  std::int64_t max = INT64_MAX;
  std::string_view choices;     ///< kChoice: comma separated
  std::string_view kafka_name;  ///< the node property that shows it to Kafka clients; empty: none
  std::string_view documentation;
  ConfigField (*field)(ConfigDraft& config);
};

std::span<const ConfigKey> config_table();
const ConfigKey* find_config_key(std::string_view name);

/// Reads `text` into the field. kInvalidArgument.
Result<> assign(const ConfigKey& key, ConfigDraft& config, std::string_view text);
/// The value as Kafka shows it: numbers without units.
std::string kafka_text(const ConfigKey& key, std::string_view text);
/// "from 1s to 1d", "one of auto, posix"; empty if anything goes.
std::string range_text(const ConfigKey& key);

/// Sections in the order of the document, with what each is for.
struct ConfigSection {
  std::string_view name;
  std::string_view documentation;
};
std::span<const ConfigSection> config_sections();

}  // namespace pyralog::server
