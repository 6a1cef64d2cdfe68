#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pyralog::cluster {

/// A property as it is stored: Kafka's name and Kafka's text form ("retention.ms", "86400000").
struct Setting {
  std::string name;
  std::string value;
  friend bool operator==(const Setting&, const Setting&) = default;
};

/// One step of a change: sets `name`, or removes it when `value` is empty.
struct SettingChange {
  std::string name;
  std::optional<std::string> value;
  friend bool operator==(const SettingChange&, const SettingChange&) = default;
};

/// A few properties, sorted by name, each at most once. Holds text only; what names and values mean is for
/// `topic_properties.h`, so that a property unknown to this release survives in stored metadata.
class Settings {
 public:
  Settings() = default;
  /// From settings in any order; of equal names the last one stays.
  explicit Settings(std::span<const Setting> settings);

  /// The value of `name`, or null.
  const std::string* find(std::string_view name) const;
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  void apply(std::span<const SettingChange> changes);

  bool empty() const noexcept { return settings_.empty(); }
  std::size_t size() const noexcept { return settings_.size(); }
  auto begin() const noexcept { return settings_.begin(); }
  auto end() const noexcept { return settings_.end(); }
  friend bool operator==(const Settings&, const Settings&) = default;

 private:
  std::vector<Setting> settings_;
};

/// The changes that turn `from` into `to`, sorted by name.
std::vector<SettingChange> changes_between(const Settings& from, const Settings& to);

}  // namespace pyralog::cluster
