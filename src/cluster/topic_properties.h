#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/settings.h"
#include "core/result.h"

/// The one table of properties that clients may read and set: every topic property of Kafka 4.3 and ours beside them,
/// and the properties of nodes. It is what CreateTopics, DescribeConfigs and (Incremental)AlterConfigs know.
namespace pyralog::cluster {

/// Values are those of Kafka's DescribeConfigs.
enum class PropertyType : std::int8_t { kBoolean = 1, kString = 2, kInt = 3, kLong = 5, kDouble = 6, kList = 7 };

/// Where a value in force comes from. Values are those of Kafka's DescribeConfigs.
enum class PropertySource : std::int8_t {
  kTopic = 1,
  kDynamicNode = 2,
  kDynamicDefault = 3,
  kStaticNode = 4,
  kDefault = 5
};

enum class PropertySupport : std::uint8_t {
  kHonoured,  ///< has the effect that Kafka documents
  kAccepted,  ///< stored and shown, without effect: tuning of Kafka's own internals, or of a feature not in use
  kRefused,   ///< only the default may be set; anything else is INVALID_CONFIG with `reason`
};

struct Property {
  std::string_view name;
  PropertyType type;
  PropertySupport support = PropertySupport::kHonoured;
  std::string_view default_value;
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
  std::string_view choices;    ///< comma separated; empty: any text
  std::string_view refused;    ///< of the choices, those that `reason` refuses
  std::string_view node_name;  ///< topic properties: the node property that gives the default; empty: none
  bool read_only = false;      ///< node properties: changes need the configuration file and a restart
  std::string_view documentation;
  std::string_view reason;  ///< why a value is refused, and what to do; or why it has no effect
};

/// Sorted by name.
std::span<const Property> topic_properties();
std::span<const Property> node_properties();
const Property* find_topic_property(std::string_view name);
const Property* find_node_property(std::string_view name);

/// Checks one value's form, range and support. kInvalidArgument (Kafka: INVALID_CONFIG) with the cause.
Result<> check_value(const Property& property, std::string_view value);

/// Checks names, values and their relations, as one topic's overrides. `node` holds the values in force at node level,
/// by node property name. kInvalidArgument (INVALID_CONFIG).
Result<> check_topic_settings(const Settings& overrides, const Settings& node);
/// The same for dynamic node settings: unknown and read-only names are refused.
Result<> check_node_settings(const Settings& settings);

/// Kafka's IncrementalAlterConfigs operations, with their wire values.
enum class AlterOperation : std::int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };
struct Alteration {
  std::string name;
  AlterOperation operation = AlterOperation::kSet;
  std::string value;
};

/// What `current` becomes. Append and subtract work on list types only, and start from the table's default when
/// `current` has no value. A name may occur once. kInvalidArgument (INVALID_CONFIG). Whether the outcome is legal is
/// for `check_topic_settings` and `check_node_settings`.
Result<Settings> altered(const Settings& current, std::span<const Alteration> alterations,
                         std::span<const Property> table);

/// The three layers a node-level value can come from; dynamic ones from the metadata image.
struct NodeLayers {
  const Settings* dynamic_node = nullptr;  ///< null: empty
  const Settings* dynamic_default = nullptr;
  const Settings* static_node = nullptr;  ///< the configuration file, under node property names
};

/// One row of DescribeConfigs.
struct DescribedValue {
  std::string name;
  std::string value;
  PropertySource source = PropertySource::kDefault;
};
struct DescribedProperty {
  const Property* property = nullptr;  ///< static storage; null for a stored name this release does not know
  DescribedValue effective;
  std::vector<DescribedValue> synonyms;  ///< most specific first, the effective one included, as Kafka lists them
};

std::vector<DescribedProperty> describe_topic(const Settings& overrides, const NodeLayers& layers);
std::vector<DescribedProperty> describe_node(const NodeLayers& layers);
/// Only what is set as a dynamic default: Kafka's answer for the broker with an empty name.
std::vector<DescribedProperty> describe_node_defaults(const Settings& dynamic_default);

/// The text in force for a topic property or a node property that is in its table.
std::string_view topic_value(std::string_view name, const Settings& overrides, const NodeLayers& layers);
std::string_view node_value(std::string_view name, const NodeLayers& layers);

}  // namespace pyralog::cluster
