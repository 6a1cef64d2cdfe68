#include "cluster/topic_properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "cluster/property_text.h"
#include "core/limits.h"
#include "core/nearest_name.h"

namespace pyralog::cluster {
namespace {

Error refused(std::string why) { return {ErrorCode::kInvalidArgument, std::move(why)}; }

/// A bound as a person writes it: without the noise of a floating-point number.
std::string bound_text(double bound) {
  if (bound == std::floor(bound) && std::abs(bound) < 9e15) return fmt::format("{}", static_cast<std::int64_t>(bound));
  return fmt::format("{}", bound);
}

Result<> check_range(const Property& property, std::string_view value, double number) {
  if (number >= property.min && number <= property.max) return {};
  if (property.max == std::numeric_limits<double>::max()) {
    return refused(fmt::format("{}={}: must be at least {}", property.name, value, bound_text(property.min)));
  }
  return refused(fmt::format("{}={}: must be from {} to {}", property.name, value, bound_text(property.min),
                             bound_text(property.max)));
}

Result<> check_choice(const Property& property, std::string_view value) {
  if (property.choices.empty()) return {};
  if (!list_contains(property.choices, value)) {
    return refused(fmt::format("{}={}: must be one of {}", property.name, value, property.choices));
  }
  if (list_contains(property.refused, value)) {
    return refused(fmt::format("{}={} is not supported: {}", property.name, value, property.reason));
  }
  return {};
}

Result<> check_list(const Property& property, std::string_view text) {
  const std::vector<std::string_view> values = split_list(text);
  for (auto value = values.begin(); value != values.end(); ++value) {
    if (value->empty()) return refused(fmt::format("{}={}: a value of the list is empty", property.name, text));
    if (std::find(values.begin(), value, *value) != value) {
      return refused(fmt::format("{}={}: '{}' is listed twice", property.name, text, *value));
    }
    PYRALOG_TRY(check_choice(property, *value));
  }
  return {};
}

Result<> check_form(const Property& property, std::string_view text) {
  switch (property.type) {
    case PropertyType::kBoolean:
      if (parse_boolean(text).has_value()) return {};
      return refused(fmt::format("{}={}: must be true or false", property.name, text));
    case PropertyType::kInt:
    case PropertyType::kLong: {
      const auto number = parse_integer(text);
      const bool fits = number.has_value() &&
                        (property.type == PropertyType::kLong || (*number >= INT32_MIN && *number <= INT32_MAX));
      if (!fits) {
        return refused(fmt::format("{}={}: must be a whole number of {} bits", property.name, text,
                                   property.type == PropertyType::kLong ? 64 : 32));
      }
      return check_range(property, text, static_cast<double>(*number));
    }
    case PropertyType::kDouble: {
      const auto number = parse_double(text);
      if (!number.has_value()) return refused(fmt::format("{}={}: must be a number", property.name, text));
      return check_range(property, text, *number);
    }
    case PropertyType::kString:
      return check_choice(property, text);
    case PropertyType::kList:
      return check_list(property, text);
  }
  return {};
}

bool same_value(const Property& property, std::string_view a, std::string_view b) {
  return property.type == PropertyType::kBoolean ? parse_boolean(a) == parse_boolean(b) : a == b;
}

Error unknown_name(std::string_view of, std::string_view name, std::span<const Property> table) {
  std::vector<std::string_view> names;
  for (const Property& property : table) names.push_back(property.name);
  const std::string_view nearest = nearest_name(name, names);
  if (nearest.empty()) return refused(fmt::format("unknown setting of a {}: {}", of, name));
  return refused(fmt::format("unknown setting of a {}: {} (did you mean {}?)", of, name, nearest));
}

void add_if_valid(std::vector<DescribedValue>& values, const Property& property, const Settings* layer,
                  std::string_view name, PropertySource source) {
  const std::string* value = layer != nullptr ? layer->find(name) : nullptr;
  if (value != nullptr && check_value(property, *value).ok()) values.push_back({std::string(name), *value, source});
}

/// What gives a node property its value, most specific first; never empty.
std::vector<DescribedValue> node_values(const Property& property, std::string_view name, const NodeLayers& layers) {
  std::vector<DescribedValue> values;
  add_if_valid(values, property, layers.dynamic_node, name, PropertySource::kDynamicNode);
  add_if_valid(values, property, layers.dynamic_default, name, PropertySource::kDynamicDefault);
  add_if_valid(values, property, layers.static_node, name, PropertySource::kStaticNode);
  values.push_back({std::string(name), std::string(property.default_value), PropertySource::kDefault});
  return values;
}

const std::string* valid(const Property& property, const Settings* layer, std::string_view name) {
  const std::string* value = layer != nullptr && !name.empty() ? layer->find(name) : nullptr;
  return value != nullptr && check_value(property, *value).ok() ? value : nullptr;
}

/// The text in force at node level, else the default.
std::string_view value_at_node(const Property& property, std::string_view name, const NodeLayers& layers) {
  for (const Settings* layer : {layers.dynamic_node, layers.dynamic_default, layers.static_node}) {
    if (const std::string* value = valid(property, layer, name); value != nullptr) return trim(*value);
  }
  return property.default_value;
}

Result<std::string> altered_list(const Alteration& alteration, std::string_view before) {
  std::vector<std::string_view> values = split_list(before);
  for (const std::string_view value : split_list(alteration.value)) {
    const auto at = std::ranges::find(values, value);
    if (alteration.operation == AlterOperation::kAppend && at == values.end()) values.push_back(value);
    if (alteration.operation == AlterOperation::kSubtract && at != values.end()) values.erase(at);
  }
  return fmt::format("{}", fmt::join(values, ","));
}

}  // namespace

Result<> check_value(const Property& property, std::string_view value) {
  const std::string_view text = trim(value);
  if (value.size() > limits::kSettingValueBytesMax) {
    return refused(fmt::format("{}: the value has {} bytes; at most {} are allowed", property.name, value.size(),
                               limits::kSettingValueBytesMax));
  }
  PYRALOG_TRY(check_form(property, text));
  if (property.support == PropertySupport::kRefused && !same_value(property, text, property.default_value)) {
    return refused(fmt::format("{}={} is not supported: {}", property.name, text, property.reason));
  }
  return {};
}

Result<> check_topic_settings(const Settings& overrides, const Settings& node) {
  for (const Setting& setting : overrides) {
    const Property* property = find_topic_property(setting.name);
    if (property == nullptr) return unknown_name("log", setting.name, topic_properties());
    PYRALOG_TRY(check_value(*property, setting.value));
  }
  const NodeLayers layers{.static_node = &node};
  const auto lag = [&](std::string_view name) {
    return parse_integer(topic_value(name, overrides, layers)).value_or(0);
  };
  if (lag("min.compaction.lag.ms") > lag("max.compaction.lag.ms")) {
    return refused(fmt::format("min.compaction.lag.ms={} is above max.compaction.lag.ms={}",
                               lag("min.compaction.lag.ms"), lag("max.compaction.lag.ms")));
  }
  return {};
}

Result<> check_node_settings(const Settings& settings) {
  for (const Setting& setting : settings) {
    const Property* property = find_node_property(setting.name);
    if (property == nullptr) return unknown_name("node", setting.name, node_properties());
    if (property->read_only) {
      return refused(
          fmt::format("{} cannot be changed while the node runs; set it in the configuration file", setting.name));
    }
    PYRALOG_TRY(check_value(*property, setting.value));
  }
  return {};
}

Result<Settings> altered(const Settings& current, std::span<const Alteration> alterations,
                         std::span<const Property> table) {
  Settings settings = current;
  for (auto alteration = alterations.begin(); alteration != alterations.end(); ++alteration) {
    const auto same_name = [&](const Alteration& other) { return other.name == alteration->name; };
    if (std::find_if(alterations.begin(), alteration, same_name) != alteration) {
      return refused(fmt::format("{} is changed twice in one request", alteration->name));
    }
    if (alteration->operation == AlterOperation::kSet) {
      settings.set(alteration->name, alteration->value);
    } else if (alteration->operation == AlterOperation::kDelete) {
      settings.remove(alteration->name);
    } else {
      const auto property = std::ranges::find(table, std::string_view(alteration->name), &Property::name);
      if (property == table.end() || property->type != PropertyType::kList) {
        return refused(fmt::format("cannot append to or subtract from {}: it is not a list", alteration->name));
      }
      const std::string* before = current.find(alteration->name);
      PYRALOG_ASSIGN(const std::string value, altered_list(*alteration, before != nullptr ? std::string_view(*before)
                                                                                          : property->default_value));
      settings.set(alteration->name, value);
    }
  }
  return settings;
}

std::vector<DescribedProperty> describe_topic(const Settings& overrides, const NodeLayers& layers) {
  std::vector<DescribedProperty> rows;
  for (const Property& property : topic_properties()) {
    DescribedProperty& row = rows.emplace_back();
    row.property = &property;
    add_if_valid(row.synonyms, property, &overrides, property.name, PropertySource::kTopic);
    if (!property.node_name.empty()) {
      for (DescribedValue& value : node_values(property, property.node_name, layers))
        row.synonyms.push_back(std::move(value));
    }
    row.effective = {std::string(property.name), std::string(property.default_value), PropertySource::kDefault};
    if (row.synonyms.empty()) continue;
    row.effective.value = trim(row.synonyms.front().value);
    row.effective.source = row.synonyms.front().source;
  }
  for (const Setting& setting : overrides) {
    if (find_topic_property(setting.name) != nullptr) continue;
    const DescribedValue value{setting.name, setting.value, PropertySource::kTopic};
    rows.push_back({nullptr, value, {value}});
  }
  return rows;
}

std::vector<DescribedProperty> describe_node(const NodeLayers& layers) {
  std::vector<DescribedProperty> rows;
  for (const Property& property : node_properties()) {
    DescribedProperty& row = rows.emplace_back();
    row.property = &property;
    row.synonyms = node_values(property, property.name, layers);
    row.effective = row.synonyms.front();
  }
  return rows;
}

std::vector<DescribedProperty> describe_node_defaults(const Settings& dynamic_default) {
  std::vector<DescribedProperty> rows;
  for (const Setting& setting : dynamic_default) {
    const DescribedValue value{setting.name, setting.value, PropertySource::kDynamicDefault};
    rows.push_back({find_node_property(setting.name), value, {value}});
  }
  return rows;
}

std::string_view topic_value(std::string_view name, const Settings& overrides, const NodeLayers& layers) {
  const Property* property = find_topic_property(name);
  PYRALOG_ASSERT(property != nullptr, "a property of the table");
  if (const std::string* value = valid(*property, &overrides, name); value != nullptr) return trim(*value);
  return value_at_node(*property, property->node_name, layers);
}

std::string_view node_value(std::string_view name, const NodeLayers& layers) {
  const Property* property = find_node_property(name);
  PYRALOG_ASSERT(property != nullptr, "a property of the table");
  return value_at_node(*property, name, layers);
}

}  // namespace pyralog::cluster
