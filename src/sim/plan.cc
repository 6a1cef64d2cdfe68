#include "sim/plan.h"

#include <algorithm>

#include "core/random.h"
#include "sim/keyed_history.h"

namespace pyralog::sim {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kCrashKinds = 3;         // the first ones
constexpr std::uint64_t kPlanSalt = 0x73696D;  // keeps the plan's draws apart from the world's

Duration draw(Random& random, milliseconds low, milliseconds high) {
  return milliseconds(random.between(static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count())));
}

LogPlan plan_log(Random& random, std::size_t index) {
  LogPlan log{.name = "log-" + std::to_string(index)};
  log.partitions = static_cast<std::int32_t>(random.chance(1, 3) ? random.between(2, 6) : 1);
  log.is_cached = random.chance(1, 5);
  if (log.is_cached) {
    log.settings.emplace_back("write.caching", "true");
    log.settings.emplace_back("flush.ms", std::to_string(random.between(10, 2000)));
  }
  if (random.chance(1, 2)) log.settings.emplace_back("segment.ms", std::to_string(random.between(100, 4000)));
  if (random.chance(1, 2)) log.settings.emplace_back("segment.bytes", "1048576");
  log.may_shrink = random.chance(1, 4);
  if (log.may_shrink && random.chance(1, 2)) {
    log.settings.emplace_back("retention.bytes", std::to_string(random.between(0, 300'000)));
  } else if (log.may_shrink) {
    log.settings.emplace_back("retention.ms", std::to_string(random.between(500, 5000)));
  }
  if (random.chance(1, 6)) log.settings.emplace_back("message.timestamp.type", "LogAppendTime");
  return log;
}

/// A log of which every record must reach each group.
LogPlan plan_group_log(Random& random, std::size_t index) {
  LogPlan log{.name = "queue-" + std::to_string(index), .use = LogUse::kGroups};
  log.partitions = static_cast<std::int32_t>(random.between(1, 4));
  log.settings.emplace_back("write.caching", "false");
  if (random.chance(1, 2)) log.settings.emplace_back("segment.ms", std::to_string(random.between(100, 4000)));
  return log;
}

LogPlan plan_keyed_log(Random& random, std::size_t index) {
  LogPlan log{.name = std::string(kKeyedLogPrefix) + std::to_string(index), .use = LogUse::kKeyed};
  log.partitions = static_cast<std::int32_t>(random.between(1, 2));
  log.settings = {{"write.caching", "false"},
                  {"cleanup.policy", "compact"},
                  {"min.cleanable.dirty.ratio", "0.01"},
                  {"segment.bytes", "1048576"},
                  {"segment.ms", std::to_string(random.between(50, 800))},
                  {"delete.retention.ms", std::to_string(std::chrono::duration_cast<milliseconds>(kDeletionsKept).count())}};
  return log;
}

void plan_groups(Random& random, Plan& plan) {
  const std::size_t first = plan.logs.size();
  for (std::uint64_t i = 0, count = random.between(1, 2); i < count; ++i) plan.logs.push_back(plan_group_log(random, i));
  for (std::uint64_t i = 0, count = random.between(1, 2); i < count; ++i) {
    GroupPlan group{.id = "group-" + std::to_string(i)};
    group.balance = random.chance(1, 2) ? Balance::kEager : Balance::kCooperative;
    for (std::size_t log = first; log < plan.logs.size(); ++log) group.logs.push_back(log);
    group.session_timeout_ms = static_cast<std::int32_t>(random.between(400, random.chance(1, 3) ? 6000 : 1500));
    group.rebalance_timeout_ms = static_cast<std::int32_t>(random.between(400, 3000));
    group.members_per_client_max = random.between(1, 2);
    group.has_static_members = random.chance(1, 3);
    plan.groups.push_back(std::move(group));
  }
  plan.server.initial_rebalance_delay = milliseconds(random.chance(1, 2) ? 0 : random.between(50, 500));
  plan.server.group_log_partitions = static_cast<std::int32_t>(random.between(1, 3));
}

void plan_faults(Random& random, Plan& plan) {
  std::vector<FaultKind> kinds;
  for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
    // Crashes are what this is about: they are left out rarely.
    if (random.chance(kind < kCrashKinds ? 4 : 2, 5)) kinds.push_back(static_cast<FaultKind>(kind));
  }
  if (kinds.empty()) return;
  const std::uint64_t count = random.between(0, 8);
  for (std::uint64_t i = 0; i < count; ++i) {
    plan.faults.push_back({.at = draw(random, milliseconds(50), std::chrono::duration_cast<milliseconds>(plan.length)),
                           .kind = kinds[random.below(kinds.size())],
                           .span = draw(random, milliseconds(50), milliseconds(3000)),
                           .detail = random.next()});
  }
  std::ranges::sort(plan.faults, {}, &Fault::at);
}

}  // namespace

std::string_view fault_name(FaultKind kind) noexcept {
  static constexpr std::string_view kNames[kFaultKinds] = {
      "crash",       "crash at a step", "crash in a write", "orderly stop", "failed sync", "failed write",
      "failed read", "rot",             "disk full",        "slow disk",    "cut",         "reset",
      "lossy link",  "slow link",       "client vanishes",  "server paused", "clock jump"};
  return kNames[static_cast<std::size_t>(kind)];
}

io::CrashMode crash_mode(std::uint64_t detail) noexcept {
  switch (detail % 4) {
    case 0: return io::CrashMode::kKill;
    case 1: return io::CrashMode::kPowerLossDestroyingBlocks;
    default: return io::CrashMode::kPowerLoss;
  }
}

Plan make_plan(std::uint64_t seed) {
  Random random(Random(seed ^ kPlanSalt).next());
  Plan plan{.seed = seed};
  plan.server.shards = static_cast<std::uint32_t>(random.between(1, 3));
  plan.server.journal_file_bytes = random.chance(1, 2) ? 256u << 10 : 512u << 10;
  plan.server.bypass_bytes_min = random.chance(1, 3) ? UINT64_MAX : 16u << 10;
  plan.server.tail_cache_bytes_max = random.chance(1, 2) ? 0 : 128u << 10;
  plan.server.retention_check_interval = milliseconds(random.between(100, 2000));
  if (random.chance(2, 3)) plan.server.upkeep_delay_max = draw(random, milliseconds(20), milliseconds(1500));
  const std::size_t logs = random.between(1, 4);
  for (std::size_t i = 0; i < logs; ++i) plan.logs.push_back(plan_log(random, i));
  plan.clients = static_cast<std::uint32_t>(random.between(1, 4));
  plan.length = draw(random, milliseconds(1000), milliseconds(12'000));
  plan.pause_max = draw(random, milliseconds(5), milliseconds(200));
  plan.value_bytes_max = random.chance(1, 4) ? 8000 : random.between(20, 600);
  plan.batch_records_max = static_cast<std::uint32_t>(random.between(1, 12));
  plan.crash_in_recovery_per_hundred = random.chance(1, 2) ? 30 : 0;
  plan.other_shards_per_hundred = random.chance(1, 3) ? 40 : 0;
  plan.has_admin = random.chance(2, 3);
  plan.changes_class = random.chance(1, 3);
  plan.changes_class_default = random.chance(1, 6);
  plan.last_stop = static_cast<LastStop>(random.below(4));
  plan_faults(random, plan);
  if (random.chance(2, 3)) plan_groups(random, plan);
  if (random.chance(1, 2)) plan.logs.push_back(plan_keyed_log(random, 0));
  plan.server.compaction_interval = milliseconds(random.between(20, 800));
  return plan;
}

}  // namespace pyralog::sim
