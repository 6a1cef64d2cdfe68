#include "sim/administrator.h"

#include <algorithm>

#include "client/admin.h"
#include "client/groups.h"
#include "server/group_service.h"

namespace pyralog::sim {
namespace {

constexpr std::uint32_t kExtraLogsMax = 6;
constexpr std::int32_t kPartitionsMax = 8;
const std::string kClass = "write.caching";

client::BrokerConnection::Options connection_options() {
  return {.connect_timeout = std::chrono::seconds(2), .request_timeout = std::chrono::seconds(8)};
}

}  // namespace

std::size_t Administrator::add(const LogPlan& plan, bool may_be_deleted) {
  LogFacts facts{.name = plan.name,
                 .use = plan.use,
                 .may_shrink = plan.may_shrink,
                 .may_be_deleted = may_be_deleted,
                 .partitions_min = plan.partitions,
                 .partitions_max = plan.partitions};
  for (const auto& [name, value] : plan.settings) facts.settings[name].acknowledged = value;
  const std::size_t log = stage_.history.add_log(std::move(facts));
  if (plan.is_cached || may_become_cached(log)) stage_.history.ask_class(log, true);
  return log;
}

io::Task<> Administrator::create_planned() {
  for (const LogPlan& plan : stage_.plan.logs) {
    const std::size_t log = add(plan, false);
    while (stage_.history.log(log).fate != Fate::kThere) {
      std::vector<io::Endpoint> bootstrap{stage_.server.kafka()};
      auto cluster = co_await client::ClusterClient::connect(std::move(bootstrap), connection_options());
      if (!cluster.ok()) continue;
      co_await create(**cluster, plan, log);
      co_await (*cluster)->close();
    }
  }
  bool is_ready = stage_.plan.groups.empty();
  while (!is_ready) {
    std::vector<io::Endpoint> bootstrap{stage_.server.kafka()};
    auto cluster = co_await client::ClusterClient::connect(std::move(bootstrap), connection_options());
    if (!cluster.ok()) continue;
    is_ready = (co_await prepare_groups(**cluster)).ok();
    co_await (*cluster)->close();
  }
}

/// Has the groups' log made, and compacted within a run.
io::Task<Result<>> Administrator::prepare_groups(client::ClusterClient& cluster) {
  PYRALOG_CO_TRY(co_await client::committed_offsets(cluster, stage_.plan.groups[0].id));
  std::vector<client::SettingChange> changes{{.name = "segment.ms", .value = std::to_string(random_.between(100, 2000))},
                                             {.name = "min.cleanable.dirty.ratio", .value = "0.01"},
                                             {.name = "delete.retention.ms", .value = "100"}};
  co_return co_await client::alter_settings(cluster, std::string(server::kGroupLogName), std::move(changes));
}

io::Task<> Administrator::create(client::ClusterClient& cluster, const LogPlan& plan, std::size_t log) {
  client::LogSpec spec{.name = plan.name, .partitions = plan.partitions, .replication = 1, .settings = plan.settings};
  const Result<> created = co_await client::create_log(cluster, std::move(spec));
  stage_.note("create " + plan.name + ": " + (created.ok() ? "ok" : created.error().to_string()));
  if (!created.ok() && created.error() != ErrorCode::kAlreadyExists) co_return;
  auto info = co_await cluster.describe_log(plan.name);
  if (!info.ok()) {
    if (info.error() == ErrorCode::kNotFound) stage_.history.violate("log " + plan.name + " was created and is not found");
    co_return;
  }
  LogFacts& facts = stage_.history.log(log);
  facts.id = info->id;
  facts.fate = Fate::kThere;
}

io::Task<> Administrator::run() {
  const auto work = [this](client::ClusterClient& cluster) { return use(cluster); };
  co_await keep_using(stage_, random_, connection_options(), work);
}

io::Task<> Administrator::use(client::ClusterClient& cluster) {
  for (std::uint64_t left = random_.between(1, 20); left > 0 && !stage_.stopping; --left) {
    switch (random_.below(8)) {
      case 0:
      case 1: co_await create_extra(cluster); break;
      case 2: co_await remove(cluster); break;
      case 3: co_await grow(cluster); break;
      case 4:
      case 5:
        if (stage_.plan.changes_class_default && random_.chance(1, 3)) {
          co_await alter_class_default(cluster);
        } else if (stage_.plan.changes_class && random_.chance(2, 3)) {
          co_await alter_class(cluster);
        } else {
          co_await alter(cluster);
        }
        break;
      default: co_await delete_records(cluster); break;
    }
    co_await pause_for(random_, 4 * stage_.plan.pause_max);
  }
}

io::Task<> Administrator::create_extra(client::ClusterClient& cluster) {
  if (stage_.extra_logs >= kExtraLogsMax) co_return;
  LogPlan plan{.name = "extra-" + std::to_string(stage_.extra_logs++)};
  for (std::size_t i = 0; i < stage_.history.log_count(); ++i) {
    // A name that is free again: the new log must have nothing of the old one.
    const LogFacts& other = stage_.history.log(i);
    const auto same = [&](std::size_t j) { return j != i && stage_.history.log(j).name == other.name; };
    bool is_taken = false;
    for (std::size_t j = 0; j < stage_.history.log_count(); ++j) is_taken |= same(j);
    if (other.fate == Fate::kDeleted && !is_taken && random_.chance(1, 2)) plan.name = other.name;
  }
  plan.partitions = static_cast<std::int32_t>(random_.between(1, 4));
  plan.may_shrink = random_.chance(1, 3);
  if (plan.may_shrink) plan.settings.emplace_back("retention.bytes", std::to_string(random_.between(0, 100'000)));
  if (random_.chance(1, 2)) plan.settings.emplace_back("segment.ms", std::to_string(random_.between(100, 2000)));
  const std::size_t log = add(plan, true);
  co_await create(cluster, plan, log);
}

io::Task<> Administrator::remove(client::ClusterClient& cluster) {
  const auto log = stage_.pick_log(random_);
  if (!log.has_value() || !stage_.history.log(*log).may_be_deleted) co_return;
  const std::string name = stage_.history.log(*log).name;
  stage_.history.log(*log).fate = Fate::kDeletionAsked;
  const Result<> removed = co_await client::delete_log(cluster, name);
  stage_.note("delete " + name + ": " + (removed.ok() ? "ok" : removed.error().to_string()));
  if (!removed.ok()) co_return;
  stage_.history.log(*log).fate = Fate::kDeleted;
  stage_.coverage.add(Happened::kLogDeleted);
}

io::Task<> Administrator::grow(client::ClusterClient& cluster) {
  const auto log = stage_.pick_log(random_);
  if (!log.has_value()) co_return;
  const std::string name = stage_.history.log(*log).name;
  const std::int32_t partitions = stage_.history.log(*log).partitions_max + 1;
  if (partitions > kPartitionsMax) co_return;
  stage_.history.log(*log).partitions_max = partitions;
  const Result<> grown = co_await client::grow_log(cluster, name, partitions);
  stage_.note("grow " + name + ": " + (grown.ok() ? "ok" : grown.error().to_string()));
  if (!grown.ok()) co_return;
  stage_.history.log(*log).partitions_min = partitions;
  stage_.coverage.add(Happened::kLogGrown);
}

io::Task<> Administrator::alter(client::ClusterClient& cluster) {
  const auto log = stage_.pick_log(random_);
  if (!log.has_value()) co_return;
  const std::string name = stage_.history.log(*log).name;
  const std::string key = random_.chance(1, 2) ? "segment.ms" : "delete.retention.ms";
  const std::string value = std::to_string(random_.between(200, 5000));
  stage_.history.log(*log).settings[key].unanswered.insert(value);
  std::vector<client::SettingChange> changes{{.name = key, .value = value}};
  const Result<> altered = co_await client::alter_settings(cluster, name, std::move(changes));
  stage_.note("alter " + name + " " + key + "=" + value + ": " + (altered.ok() ? "ok" : altered.error().to_string()));
  if (!altered.ok()) co_return;
  LogFacts::Setting& setting = stage_.history.log(*log).settings[key];
  setting.unanswered.erase(value);
  setting.acknowledged = value;
  stage_.coverage.add(Happened::kSettingsAltered);
}

bool Administrator::follows_default(std::size_t log) const {
  const auto own = stage_.history.log(log).settings.find(kClass);
  return own == stage_.history.log(log).settings.end() || own->second.acknowledged.empty();
}

/// Whether what was asked for and not answered, or what holds, makes it cached.
bool Administrator::may_become_cached(std::size_t log) const {
  const LogFacts& facts = stage_.history.log(log);
  const auto own = facts.settings.find(kClass);
  if (own != facts.settings.end() && own->second.unanswered.contains("true")) return true;
  if (!follows_default(log)) return own->second.acknowledged == "true";
  const LogFacts::Setting& node = stage_.history.class_default();
  return node.acknowledged == "true" || node.unanswered.contains("true");
}

io::Task<> Administrator::alter_class(client::ClusterClient& cluster) {
  const auto log = stage_.pick_log(random_);
  if (!log.has_value() || stage_.history.log(*log).use != LogUse::kAny) co_return;
  const bool is_cached = random_.chance(1, 2);
  const std::string name = stage_.history.log(*log).name, value = is_cached ? "true" : "false";
  const bool was_cached = stage_.history.log(*log).may_be_cached;
  const MonotonicTime asked = stage_.now();
  const std::uint32_t life = stage_.server.life();
  stage_.history.ask_class(*log, is_cached);
  stage_.history.log(*log).settings[kClass].unanswered.insert(value);
  std::vector<client::SettingChange> changes{{.name = kClass, .value = value}};
  const Result<> altered = co_await client::alter_settings(cluster, name, std::move(changes));
  stage_.note("alter " + name + " write.caching=" + value + ": " + (altered.ok() ? "ok" : altered.error().to_string()));
  if (!altered.ok()) co_return;
  LogFacts::Setting& setting = stage_.history.log(*log).settings[kClass];
  setting.unanswered.erase(value);
  setting.acknowledged = value;
  if (is_cached != was_cached) stage_.coverage.add(is_cached ? Happened::kMadeCached : Happened::kMadeDurable);
  if (is_cached || may_become_cached(*log)) co_return;
  stage_.history.became_durable(*log, asked, stage_.server.life() == life ? std::optional(life) : std::nullopt);
}

io::Task<> Administrator::alter_class_default(client::ClusterClient& cluster) {
  History& history = stage_.history;
  const bool is_cached = random_.chance(1, 2);
  const std::string value = is_cached ? "true" : "false";
  const MonotonicTime asked = stage_.now();
  const std::uint32_t life = stage_.server.life();
  for (std::size_t log = 0; log < history.log_count(); ++log) {
    if (follows_default(log)) history.ask_class(log, is_cached);
  }
  history.class_default().unanswered.insert(value);
  std::vector<client::SettingChange> changes{{.name = kClass, .value = value}};
  const Result<> altered = co_await client::alter_node_defaults(cluster, std::move(changes));
  stage_.note("alter the node's write.caching=" + value + ": " + (altered.ok() ? "ok" : altered.error().to_string()));
  if (!altered.ok()) co_return;
  history.class_default().unanswered.erase(value);
  history.class_default().acknowledged = value;
  stage_.coverage.add(Happened::kDefaultChanged);
  const auto same_life = stage_.server.life() == life ? std::optional(life) : std::nullopt;
  for (std::size_t log = 0; log < history.log_count(); ++log) {
    if (follows_default(log) && !may_become_cached(log)) history.became_durable(log, asked, same_life);
  }
}

io::Task<> Administrator::delete_records(client::ClusterClient& cluster) {
  const auto log = stage_.pick_log(random_);
  if (!log.has_value() || stage_.history.log(*log).use != LogUse::kAny || random_.chance(1, 2)) co_return;
  const PartitionIndex partition = stage_.pick_partition(random_, *log);
  const std::string name = stage_.history.log(*log).name;
  auto info = co_await cluster.describe_log(name);
  if (!info.ok() || info->id != stage_.history.log(*log).id) co_return;
  const Offset end = stage_.history.floor(*log, partition, stage_.server.life()).end;
  const Offset before(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(end.value) + 1)));
  stage_.history.ask_start(*log, partition, before);
  client::PartitionInfo leader = info->partitions[static_cast<std::size_t>(partition.value)];
  const auto start = co_await client::delete_records(cluster, name, std::move(leader), before);
  stage_.note("delete records of " + name + "/" + std::to_string(partition.value) + " below " + std::to_string(before.value) +
              ": " + (start.ok() ? "ok" : start.error().to_string()));
  if (!start.ok()) co_return;
  if (*start < before) stage_.history.violate("records of " + name + " were to be deleted and are still there");
  stage_.history.start_moved(*log, partition, *start);
}

}  // namespace pyralog::sim
