#include "cluster/settings.h"

#include <algorithm>

namespace pyralog::cluster {
namespace {

bool name_below(const Setting& setting, std::string_view name) { return setting.name < name; }

}  // namespace

Settings::Settings(std::span<const Setting> settings) {
  settings_.reserve(settings.size());
  for (const Setting& setting : settings) set(setting.name, setting.value);
}

const std::string* Settings::find(std::string_view name) const {
  const auto at = std::lower_bound(settings_.begin(), settings_.end(), name, name_below);
  return at != settings_.end() && at->name == name ? &at->value : nullptr;
}

void Settings::set(std::string_view name, std::string_view value) {
  const auto at = std::lower_bound(settings_.begin(), settings_.end(), name, name_below);
  if (at != settings_.end() && at->name == name) {
    at->value = value;
  } else {
    settings_.insert(at, Setting{std::string(name), std::string(value)});
  }
}

void Settings::remove(std::string_view name) {
  const auto at = std::lower_bound(settings_.begin(), settings_.end(), name, name_below);
  if (at != settings_.end() && at->name == name) settings_.erase(at);
}

void Settings::apply(std::span<const SettingChange> changes) {
  for (const SettingChange& change : changes) {
    if (change.value.has_value()) {
      set(change.name, *change.value);
    } else {
      remove(change.name);
    }
  }
}

std::vector<SettingChange> changes_between(const Settings& from, const Settings& to) {
  std::vector<SettingChange> changes;
  auto old = from.begin();
  for (const Setting& setting : to) {
    for (; old != from.end() && old->name < setting.name; ++old) changes.push_back({old->name, std::nullopt});
    const bool both = old != from.end() && old->name == setting.name;
    if (!both || old->value != setting.value) changes.push_back({setting.name, setting.value});
    if (both) ++old;
  }
  for (; old != from.end(); ++old) changes.push_back({old->name, std::nullopt});
  return changes;
}

}  // namespace pyralog::cluster
