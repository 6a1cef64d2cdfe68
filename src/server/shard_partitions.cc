// The partitions of a shard: what the metadata says, made so. See shard.h.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <unordered_set>

#include "io/when_all.h"
#include "server/group_service.h"
#include "server/node.h"
#include "server/partition_use.h"
#include "server/shard.h"

namespace pyralog::server {
namespace {

// A change of the class waits for rounds, which all that change at the same time share.
constexpr std::size_t kRefreshedAtOnceMax = 128;

std::int64_t milliseconds_or_unbounded(const std::optional<std::chrono::milliseconds>& duration) {
  return duration.has_value() ? duration->count() : storage::LogSettings::kUnbounded;
}

storage::LogSettings storage_settings(const cluster::LogSettings& from, Duration producer_expiry) {
  storage::LogSettings to;
  to.segment_bytes = from.segment_bytes;
  to.segment_ms = from.segment_age.count();
  to.segment_jitter_ms = from.segment_jitter.count();
  to.retention_ms = milliseconds_or_unbounded(from.retention);
  to.retention_bytes = from.retention_bytes.has_value() ? static_cast<std::int64_t>(*from.retention_bytes)
                                                        : storage::LogSettings::kUnbounded;
  to.deletes_old = from.retention_deletes;
  to.compacts = from.compacts;
  to.compaction_lag_ms_min = from.compaction_lag_min.count();
  to.compaction_lag_ms_max = from.compaction_lag_max.count();
  to.dirty_ratio_min = from.dirty_ratio_min;
  to.delete_retention_ms = from.delete_retention.count();
  to.batch_bytes_max = from.batch_bytes_max;
  to.timestamp_type = from.timestamp_type == cluster::TimestampType::kLogAppendTime ? record::TimestampType::kLogAppendTime
                                                                                    : record::TimestampType::kCreateTime;
  to.timestamp_before_ms_max = from.timestamp_before_max.count();
  to.timestamp_after_ms_max = from.timestamp_after_max.count();
  to.validation = from.record_validation == cluster::RecordValidation::kFull ? record::RecordValidation::kFull
                                                                             : record::RecordValidation::kStructure;
  to.write_caching = from.write_caching;
  to.flush_ms = from.flush_interval.count();
  to.flush_bytes = from.flush_bytes;
  to.flush_messages = from.flush_messages;
  to.producer_expiry_ms = std::chrono::duration_cast<std::chrono::milliseconds>(producer_expiry).count();
  return to;
}

/// Under the data directory. The id makes it unique; of the name, which is for people, there may be no room for all.
std::string partition_directory(const cluster::LogMetadata& log, PartitionIndex index) {
  constexpr std::size_t kFileNameBytesMax = 255;
  const std::string id = log.id.to_string();
  const std::size_t name_bytes_max = kFileNameBytesMax - 1 - id.size();
  return fmt::format("logs/{}~{}/{}", std::string_view(log.name).substr(0, name_bytes_max), id, index.value);
}

}  // namespace

std::shared_ptr<const LogRules> Shard::rules_of(const cluster::LogMetadata& log) {
  std::weak_ptr<const LogRules>& shared = rules_[log.id];
  if (auto rules = shared.lock()) return rules;
  auto rules = std::make_shared<LogRules>();
  rules->settings = cluster::LogSettings::resolve(log.settings, layers());
  // What groups are told is stored, is.
  if (is_internal_log(log.name)) rules->settings.write_caching = false;
  rules->storage = std::make_shared<const storage::LogSettings>(storage_settings(rules->settings, info().producer_expiry));
  shared = rules;
  return rules;
}

void Shard::install(const cluster::LogPtr& log, PartitionIndex index, storage::PartitionFiles& files) {
  auto partition = std::make_unique<Partition>();
  partition->log = log->id;
  partition->index = index;
  partition->rules = rules_of(*log);
  partition->data = std::make_unique<storage::PartitionLog>(*logs_, files, partition->rules->storage);
  WatchList* watchers = &partition->watchers;
  partition->data->set_on_advance([watchers] { watchers->notify(); });
  if (leads_) partition->data->lead(image_->leader_epoch(*log->find(index)));
  partitions_.emplace(files.incarnation(), std::move(partition));
}

io::Task<> Shard::create_partition(storage::PartitionSpec spec, cluster::LogPtr log, PartitionIndex index,
                                   Result<>& outcome) {
  auto files = co_await store_->create(std::move(spec));
  if (files.ok()) {
    install(log, index, **files);
  } else if (outcome.ok()) {
    outcome = files.error().with_context(log->name + "-" + std::to_string(index.value));
  }
}

io::Task<Result<>> Shard::create_missing(cluster::LogPtr log) {
  Result<> outcome;
  std::vector<io::Task<>> creations;
  for (std::size_t i = 0; i < log->partitions.size(); ++i) {
    const cluster::PartitionMetadata& partition = log->partitions[i];
    if (!owns(partition) || partitions_.contains(partition.incarnation)) continue;
    const PartitionIndex index(static_cast<std::int32_t>(i));
    if (storage::PartitionFiles* files = store_->find(partition.incarnation)) {
      install(log, index, *files);
      // A change of its class that a crash kept from this shard.
      const bool caches = files->durability() == storage::DurabilityClass::kCached;
      if (caches == rules_of(*log)->settings.write_caching) continue;
      PYRALOG_CO_TRY(co_await find(partition.incarnation)->data->apply_settings(rules_of(*log)->storage));
      continue;
    }
    storage::PartitionSpec spec{.incarnation = partition.incarnation, .directory = partition_directory(*log, index)};
    if (rules_of(*log)->settings.write_caching) spec.durability = storage::DurabilityClass::kCached;
    creations.push_back(create_partition(std::move(spec), log, index, outcome));
  }
  co_await io::when_all(std::move(creations));
  co_return outcome;
}

io::Task<Result<>> Shard::adopt_image(cluster::ImagePtr image) {
  image_ = std::move(image);
  std::unordered_set<Incarnation> wanted{kMetadataIncarnation};
  std::vector<cluster::LogPtr> logs;
  image_->for_each_log([&](const cluster::LogPtr& log) { logs.push_back(log); });
  for (const cluster::LogPtr& log : logs) {
    for (const auto& partition : log->partitions) wanted.insert(partition.incarnation);
    PYRALOG_CO_TRY(co_await create_missing(log));
  }
  for (storage::PartitionFiles* files : store_->partitions()) {
    if (wanted.contains(files->incarnation())) continue;
    // A deletion that a crash interrupted.
    spdlog::info("storage: removing {}: its log was deleted", files->directory());
    PYRALOG_CO_TRY(co_await store_->remove(files->incarnation()));
  }
  co_return Result<>();
}

io::Task<Result<>> Shard::apply(cluster::ImagePtr image, const cluster::Command& command) {
  const cluster::ImagePtr before = std::exchange(image_, std::move(image));
  if (const auto* create = std::get_if<cluster::CreateLog>(&command)) {
    auto created = co_await create_missing(image_->find_log_ptr(create->id));
    if (serving_) groups_->refresh();
    co_return created;
  }
  if (const auto* add = std::get_if<cluster::AddPartitions>(&command)) {
    co_return co_await create_missing(image_->find_log_ptr(add->id));
  }
  if (const auto* remove = std::get_if<cluster::DeleteLog>(&command)) {
    const cluster::LogPtr log = before->find_log_ptr(remove->id);
    rules_.erase(remove->id);
    groups_->forget_topic(log->name);
    std::vector<io::Task<>> removals;
    for (const auto& partition : log->partitions) {
      if (owns(partition)) removals.push_back(remove_partition(partition.incarnation));
    }
    co_await io::when_all(std::move(removals));
  } else if (const auto* alter = std::get_if<cluster::AlterLogSettings>(&command)) {
    rules_.erase(alter->id);
    std::vector<cluster::LogPtr> logs{image_->find_log_ptr(alter->id)};
    co_return co_await refresh_settings(std::move(logs));
  } else if (std::holds_alternative<cluster::AlterNodeSettings>(command)) {
    rules_.clear();
    std::vector<cluster::LogPtr> logs;
    image_->for_each_log([&](const cluster::LogPtr& log) { logs.push_back(log); });
    co_return co_await refresh_settings(std::move(logs));
  } else if (std::holds_alternative<cluster::NodeStarted>(command)) {
    lead_all();
  }
  co_return Result<>();
}

void Shard::lead_all() {
  leads_ = true;
  for (auto& [incarnation, partition] : partitions_) {
    partition->data->lead(image_->leader_epoch(*image_->find_partition(partition->log, partition->index)));
  }
}

io::Task<> Shard::remove_partition(Incarnation incarnation) {
  const auto found = partitions_.find(incarnation);
  if (found == partitions_.end()) co_return;
  Partition& partition = *found->second;
  partition.removed = true;
  partition.removal.abort();
  partition.watchers.notify();
  while (partition.users > 0) co_await partition.unused.wait();
  co_await partition.data->close();
  const std::string directory = partition.data->files().directory();
  compaction_failed_.erase(incarnation);
  partitions_.erase(incarnation);
  if (auto removed = co_await store_->remove(incarnation); !removed.ok()) {
    // The log is gone from the metadata; the next start removes what is left.
    spdlog::error("storage: removing {}: {}", directory, removed.error().to_string());
  }
}

io::Task<Result<>> Shard::refresh_settings(std::vector<cluster::LogPtr> logs) {
  std::vector<Incarnation> changing;
  for (const cluster::LogPtr& log : logs) {
    for (const auto& metadata : log->partitions) {
      Partition* partition = find(metadata.incarnation);
      if (partition == nullptr || partition->removed) continue;
      partition->rules = rules_of(*log);
      compaction_failed_.erase(metadata.incarnation);  // perhaps they were what was wrong
      changing.push_back(metadata.incarnation);
    }
  }
  Result<> outcome;
  for (std::size_t begin = 0; begin < changing.size(); begin += kRefreshedAtOnceMax) {
    std::vector<io::Task<>> tasks;
    for (std::size_t i = begin; i < std::min(changing.size(), begin + kRefreshedAtOnceMax); ++i) {
      tasks.push_back(refresh_partition(changing[i], outcome));
    }
    co_await io::when_all(std::move(tasks));
  }
  co_return outcome;
}

io::Task<> Shard::refresh_partition(Incarnation incarnation, Result<>& outcome) {
  PartitionUse partition(*this, incarnation);
  if (!partition) co_return;
  const Result<> applied = co_await partition->data->apply_settings(partition->rules->storage);
  if (applied.ok()) co_return;
  const std::string& directory = partition->data->files().directory();
  spdlog::error("settings: {}: {}", directory, applied.error().to_string());
  if (outcome.ok()) outcome = applied.error().with_context(directory);
}

io::Task<> Shard::housekeeping_loop() {
  while (co_await io::sleep_for(info().retention_check_interval, scope_.abort()) == io::WaitOutcome::kTimedOut) {
    co_await retain_all();
  }
}

io::Task<> Shard::retain_all() {
  const WallTime wall = reactor_.wall_now();
  const auto trusted = clock_guard_.observe(wall, reactor_.now());
  std::vector<Incarnation> incarnations;
  incarnations.reserve(partitions_.size());
  for (const auto& [incarnation, partition] : partitions_) incarnations.push_back(incarnation);
  for (const Incarnation incarnation : incarnations) {
    if (scope_.closing()) co_return;
    PartitionUse partition(*this, incarnation);
    if (!partition) continue;
    partition->data->expire_producers(wall);
    auto deleted = co_await partition->data->retain(trusted);
    if (!deleted.ok()) {
      spdlog::error("retention: {}: {}", partition->data->files().directory(), deleted.error().to_string());
    } else if (*deleted > 0) {
      spdlog::info("retention: {}: {} segments deleted, starts at {}", partition->data->files().directory(), *deleted,
                   partition->data->start().value);
    }
    const bool caches = partition->data->files().durability() == storage::DurabilityClass::kCached;
    if (caches != partition->rules->settings.write_caching) {
      Result<> outcome;
      co_await refresh_partition(incarnation, outcome);
    }
    co_await reactor_.yield();
  }
}

}  // namespace pyralog::server
