#include "cluster/metadata_image.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "cluster/image_checks.h"
#include "cluster/log_name.h"
#include "core/limits.h"

namespace pyralog::cluster {
namespace {

const LogPtr kNoLog;
const Settings kNoSettings;

}  // namespace

std::uint64_t MetadataImage::NameKey::hash(std::string_view name) {
  char text[limits::kLogNameBytesMax];
  const std::size_t size = std::min(name.size(), sizeof text);  // longer names exist nowhere
  for (std::size_t i = 0; i < size; ++i) text[i] = name[i] == '.' ? '_' : name[i];
  return XXH3_64bits(text, size);
}

std::uint64_t MetadataImage::IdKey::hash(const LogId& id) {
  return XXH3_64bits(id.uuid.bytes.data(), id.uuid.bytes.size());
}

const LogPtr& MetadataImage::find_log_ptr(std::string_view name) const {
  const LogPtr* log = by_name_.find(name);
  return log != nullptr ? *log : kNoLog;
}

const LogPtr& MetadataImage::find_log_ptr(const LogId& id) const {
  const LogPtr* log = by_id_.find(id);
  return log != nullptr ? *log : kNoLog;
}

const PartitionMetadata* MetadataImage::find_partition(const LogId& id, PartitionIndex index) const {
  const LogMetadata* log = find_log(id);
  return log != nullptr ? log->find(index) : nullptr;
}

const LogMetadata* MetadataImage::find_colliding(std::string_view name) const {
  const LogPtr* log =
      by_name_.find_if(NameKey::hash(name), [&](const LogPtr& other) { return names_collide(other->name, name); });
  return log != nullptr ? log->get() : nullptr;
}

std::vector<LogPtr> MetadataImage::logs_by_name() const {
  std::vector<LogPtr> logs;
  logs.reserve(log_count());
  for_each_log([&](const LogPtr& log) { logs.push_back(log); });
  std::ranges::sort(logs, {}, [](const LogPtr& log) -> const std::string& { return log->name; });
  return logs;
}

LeaderEpoch MetadataImage::leader_epoch(const PartitionMetadata& partition) const {
  const NodeMetadata* leader = find_node(partition.leader());
  PYRALOG_ASSERT(leader != nullptr, "a replica's node is part of the image");
  const std::int64_t epoch = std::int64_t{leader->start_epoch.value} + partition.epoch_offset;
  return LeaderEpoch(static_cast<std::int32_t>(std::clamp<std::int64_t>(epoch, 0, INT32_MAX)));
}

std::span<const NodeMetadata> MetadataImage::nodes() const noexcept {
  return nodes_ != nullptr ? std::span(*nodes_) : std::span<const NodeMetadata>();
}

const NodeMetadata* MetadataImage::find_node(NodeId id) const {
  const auto all = nodes();
  const auto at = std::ranges::lower_bound(all, id, {}, &NodeMetadata::id);
  return at != all.end() && at->id == id ? &*at : nullptr;
}

const Settings& MetadataImage::default_node_settings() const noexcept {
  return default_node_settings_ != nullptr ? *default_node_settings_ : kNoSettings;
}

const Settings& MetadataImage::node_settings(NodeId id) const {
  const NodeMetadata* node = find_node(id);
  return node != nullptr ? node->settings : kNoSettings;
}

std::int16_t MetadataImage::feature_level(std::string_view name) const {
  const auto at = std::ranges::lower_bound(features_, name, {}, &FeatureLevel::name);
  return at != features_.end() && at->name == name ? at->level : std::int16_t{0};
}

/// One step from an image to the next: a copy that the commands change.
class ImageChange {
 public:
  ImageChange(const MetadataImage& before, MetadataIndex index) : image_(before) { image_.applied_index_ = index; }

  Result<> operator()(const FoundCluster& command);
  Result<> operator()(const NodeStarted& command);
  Result<> operator()(const CreateLog& command);
  Result<> operator()(const DeleteLog& command);
  Result<> operator()(const AddPartitions& command);
  Result<> operator()(const AlterLogSettings& command);
  Result<> operator()(const AlterNodeSettings& command);
  Result<> operator()(const AllocateProducerIds& command);
  Result<> operator()(const SetFeatureLevel& command);

  ImagePtr take() { return std::make_shared<const MetadataImage>(std::move(image_)); }

 private:
  Result<LogPtr> existing_log(const LogId& id) const;
  Result<> add_partitions(LogMetadata& log, std::span<const PartitionPlacement> placements);
  Result<> change_settings(Settings& settings, std::span<const SettingChange> changes) const;
  void replace_log(LogMetadata log);

  MetadataImage image_;
};

Result<> ImageChange::operator()(const FoundCluster& command) {
  if (!image_.cluster_id_.is_zero()) return Error(ErrorCode::kInvalidArgument, "the cluster has been founded already");
  if (command.cluster_id.is_zero()) return Error(ErrorCode::kInvalidArgument, "a cluster's id is not zero");
  image_.cluster_id_ = command.cluster_id;
  return {};
}

Result<> ImageChange::operator()(const NodeStarted& command) {
  if (command.node.value < 0) return Error(ErrorCode::kInvalidArgument, "a node's id is not negative");
  PYRALOG_TRY(check_label("a rack", command.rack));
  auto nodes = image_.nodes_ != nullptr ? *image_.nodes_ : std::vector<NodeMetadata>();
  auto at = std::ranges::lower_bound(nodes, command.node, {}, &NodeMetadata::id);
  if (at == nodes.end() || at->id != command.node) {
    if (nodes.size() >= limits::kNodesMax) return Error(ErrorCode::kLimitExceeded, "too many nodes");
    at = nodes.insert(at, NodeMetadata{command.node, StartEpoch(0), {}, {}});
  }
  if (at->start_epoch.value == INT32_MAX || command.epoch.value != at->start_epoch.value + 1) {
    return Error(ErrorCode::kOutOfRange, fmt::format("node {} was at start epoch {}; {} does not follow",
                                                     command.node.value, at->start_epoch.value, command.epoch.value));
  }
  at->start_epoch = command.epoch;
  at->rack = command.rack;
  image_.nodes_ = std::make_shared<const std::vector<NodeMetadata>>(std::move(nodes));
  return {};
}

Result<> ImageChange::operator()(const CreateLog& command) {
  PYRALOG_TRY(check_log_name(command.name));
  if (command.id.is_zero()) return Error(ErrorCode::kInvalidArgument, "a log's id is not zero");
  if (const LogMetadata* other = image_.find_colliding(command.name); other != nullptr) {
    if (other->name == command.name)
      return Error(ErrorCode::kAlreadyExists, fmt::format("log '{}' exists", command.name));
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("'{}' differs from the existing log '{}' in '.' and '_' only, which metrics cannot tell apart",
                    command.name, other->name));
  }
  if (image_.find_log(command.id) != nullptr) {
    return Error(ErrorCode::kAlreadyExists, fmt::format("log id {} is taken", command.id.to_string()));
  }
  if (image_.log_count() >= limits::kLogsMax) return Error(ErrorCode::kLimitExceeded, "too many logs");

  LogMetadata log{.id = command.id, .name = command.name};
  PYRALOG_TRY(add_partitions(log, command.partitions));
  for (const Setting& setting : command.settings) {
    PYRALOG_TRY(check_setting(setting.name, setting.value));
  }
  log.settings = Settings(command.settings);
  PYRALOG_TRY(check_settings_count(log.settings));
  replace_log(std::move(log));
  return {};
}

Result<> ImageChange::operator()(const DeleteLog& command) {
  PYRALOG_ASSIGN(const LogPtr log, existing_log(command.id));
  image_.partition_count_ -= log->partitions.size();
  image_.by_name_ = image_.by_name_.without(std::string_view(log->name));
  image_.by_id_ = image_.by_id_.without(log->id);
  return {};
}

Result<> ImageChange::operator()(const AddPartitions& command) {
  PYRALOG_ASSIGN(const LogPtr before, existing_log(command.id));
  if (before->partitions.size() != command.partition_count) {
    return Error(ErrorCode::kOutOfRange, fmt::format("log '{}' has {} partitions, not {}", before->name,
                                                     before->partitions.size(), command.partition_count));
  }
  LogMetadata log = *before;
  PYRALOG_TRY(add_partitions(log, command.partitions));
  replace_log(std::move(log));
  return {};
}

Result<> ImageChange::operator()(const AlterLogSettings& command) {
  PYRALOG_ASSIGN(const LogPtr before, existing_log(command.id));
  LogMetadata log = *before;
  PYRALOG_TRY(change_settings(log.settings, command.changes));
  replace_log(std::move(log));
  return {};
}

Result<> ImageChange::operator()(const AlterNodeSettings& command) {
  if (!command.node.has_value()) {
    Settings settings = image_.default_node_settings();
    PYRALOG_TRY(change_settings(settings, command.changes));
    image_.default_node_settings_ = std::make_shared<const Settings>(std::move(settings));
    return {};
  }
  if (image_.find_node(*command.node) == nullptr) {
    return Error(ErrorCode::kNotFound, fmt::format("node {} is not part of the cluster", command.node->value));
  }
  auto nodes = *image_.nodes_;
  const auto at = std::ranges::lower_bound(nodes, *command.node, {}, &NodeMetadata::id);
  PYRALOG_TRY(change_settings(at->settings, command.changes));
  image_.nodes_ = std::make_shared<const std::vector<NodeMetadata>>(std::move(nodes));
  return {};
}

Result<> ImageChange::operator()(const AllocateProducerIds& command) {
  if (image_.find_node(command.node) == nullptr) {
    return Error(ErrorCode::kNotFound, fmt::format("node {} is not part of the cluster", command.node.value));
  }
  if (command.count == 0 || command.count > limits::kProducerIdsPerBlockMax) {
    return Error(ErrorCode::kOutOfRange, fmt::format("a block of {} producer ids", command.count));
  }
  if (image_.next_producer_id_.value > INT64_MAX - static_cast<std::int64_t>(command.count)) {
    return Error(ErrorCode::kLimitExceeded, "no producer ids are left");
  }
  image_.next_producer_id_.value += command.count;
  return {};
}

Result<> ImageChange::operator()(const SetFeatureLevel& command) {
  if (command.feature.empty()) return Error(ErrorCode::kInvalidArgument, "a feature has a name");
  PYRALOG_TRY(check_label("a feature's name", command.feature));
  if (command.level < 0) return Error(ErrorCode::kOutOfRange, "a feature's level is not negative");
  auto& features = image_.features_;
  auto at = std::ranges::lower_bound(features, command.feature, {}, &FeatureLevel::name);
  const bool present = at != features.end() && at->name == command.feature;
  if (command.level == 0) {
    if (present) features.erase(at);
    return {};
  }
  if (!present) {
    if (features.size() >= limits::kFeaturesMax) return Error(ErrorCode::kLimitExceeded, "too many features");
    at = features.insert(at, FeatureLevel{command.feature, 0});
  }
  at->level = command.level;
  return {};
}

Result<LogPtr> ImageChange::existing_log(const LogId& id) const {
  const LogPtr& log = image_.find_log_ptr(id);
  if (log == nullptr) return Error(ErrorCode::kNotFound, fmt::format("no log has the id {}", id.to_string()));
  return log;
}

Result<> ImageChange::add_partitions(LogMetadata& log, std::span<const PartitionPlacement> placements) {
  if (placements.empty() || placements.size() > limits::kPartitionsPerLogMax - log.partitions.size()) {
    return Error(ErrorCode::kOutOfRange,
                 fmt::format("a log has 1 to {} partitions, not {}", limits::kPartitionsPerLogMax,
                             log.partitions.size() + placements.size()));
  }
  if (placements.size() > limits::kPartitionsMax - image_.partition_count_) {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("the cluster would have more than {} partitions", limits::kPartitionsMax));
  }
  log.partitions.reserve(log.partitions.size() + placements.size());
  for (const PartitionPlacement& placement : placements) {
    PYRALOG_TRY(check_replicas(image_, placement.replicas));
    const NodeMetadata* leader = image_.find_node(placement.replicas.front());
    log.partitions.push_back({image_.next_incarnation_, -leader->start_epoch.value, placement.replicas});
    ++image_.next_incarnation_.value;
  }
  image_.partition_count_ += placements.size();
  return {};
}

Result<> ImageChange::change_settings(Settings& settings, std::span<const SettingChange> changes) const {
  for (const SettingChange& change : changes) {
    PYRALOG_TRY(check_setting(change.name, change.value.has_value() ? *change.value : std::string_view()));
  }
  settings.apply(changes);
  return check_settings_count(settings);
}

void ImageChange::replace_log(LogMetadata log) {
  auto shared = std::make_shared<const LogMetadata>(std::move(log));
  image_.by_name_ = image_.by_name_.with(shared);
  image_.by_id_ = image_.by_id_.with(std::move(shared));
}

Result<ImagePtr> MetadataImage::apply(MetadataIndex index, const Command& command) const {
  if (index <= applied_index_) {
    return Error(ErrorCode::kOutOfRange, fmt::format("metadata index {} has been applied: the image stands at {}",
                                                     index.value, applied_index_.value));
  }
  if (cluster_id_.is_zero() && !std::holds_alternative<FoundCluster>(command)) {
    return Error(ErrorCode::kInvalidArgument, "no cluster has been founded");
  }
  ImageChange change(*this, index);
  PYRALOG_TRY(std::visit(change, command));
  return change.take();
}

}  // namespace pyralog::cluster
