#include "sim/group_check.h"

#include "client/admin.h"
#include "client/groups.h"
#include "io/task_scope.h"
#include "protocol/kafka/list_offsets.h"
#include "sim/group_member.h"

namespace pyralog::sim {
namespace {

constexpr std::size_t kMembers = 2;
/// Longer than the sessions and rebalances of members that are gone, one after another, and the wait for one that vanished
/// in its first join.
constexpr Duration kStableMax = std::chrono::seconds(40);
constexpr Duration kPoll = std::chrono::milliseconds(100);

using Ends = std::map<LogPlace, Offset>;

io::Task<Result<Ends>> read_ends(Stage& stage, client::ClusterClient& cluster, const GroupPlan& plan) {
  Ends ends;
  for (const std::size_t log : plan.logs) {
    PYRALOG_CO_ASSIGN(const auto info, co_await cluster.describe_log(stage.history.log(log).name));
    const auto offsets = co_await client::list_offsets(cluster, info, protocol::kTimestampLatest);
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      PYRALOG_CO_TRY(offsets[i].outcome);
      // Of a partition that nobody was told of, no member knows.
      if (info.partitions[i].index.value >= stage.history.log(log).partitions_min) continue;
      ends[{log, info.partitions[i].index}] = offsets[i].offset;
    }
  }
  co_return std::move(ends);
}

io::Task<> take_part(Stage& stage, std::size_t group, const bool& ended, std::uint64_t seed, std::size_t& running) {
  GroupMember member(stage, group, std::nullopt, Conduct::kSteady, ended, seed);
  co_await member.run();
  --running;
}

bool has_read_all(const Stage& stage, std::size_t group, const Ends& ends) {
  return std::ranges::all_of(ends, [&](const auto& entry) {
    return stage.groups.delivered_end(group, entry.first) >= entry.second;
  });
}

/// Nothing: the group is theirs, and has read everything.
io::Task<std::string> look(Stage& stage, client::ClusterClient& cluster, std::size_t group, const Ends& ends) {
  const auto info = co_await client::describe_group(cluster, stage.groups.id(group));
  if (!info.ok()) co_return info.error().to_string();
  if (info->state != "Stable") co_return "is in the state " + info->state;
  if (info->members.size() != kMembers) co_return "has " + std::to_string(info->members.size()) + " members";
  for (const auto& member : info->members) {
    if (!member.partitions.ok()) co_return "has a member with an assignment that nobody made";
  }
  co_return has_read_all(stage, group, ends) ? "" : "has not read all of its logs";
}

io::Task<Result<>> check_committed(Stage& stage, client::ClusterClient& cluster, std::size_t group, const Ends& ends) {
  PYRALOG_CO_ASSIGN(const auto committed, co_await client::committed_offsets(cluster, stage.groups.id(group)));
  for (const auto& [place, end] : ends) {
    const std::string& log = stage.history.log(place.first).name;
    const auto found = committed.find({log, place.second});
    const Offset offset = found != committed.end() ? found->second : Offset(0);
    if (offset == end) continue;
    stage.history.violate("group " + stage.groups.id(group) + ": has committed offset " + std::to_string(offset.value) +
                          " of " + log + "/" + std::to_string(place.second.value) + " after it read up to " +
                          std::to_string(end.value));
  }
  stage.coverage.add(Happened::kGroupDrained);
  co_return Result<>();
}

io::Task<Result<>> check_group(Stage& stage, client::ClusterClient& cluster, std::size_t group, std::uint64_t seed) {
  PYRALOG_CO_ASSIGN(const Ends ends, co_await read_ends(stage, cluster, stage.plan.groups[group]));
  bool ended = false;
  std::size_t running = kMembers;
  io::TaskScope scope;
  for (std::size_t i = 0; i < kMembers; ++i) scope.spawn(take_part(stage, group, ended, seed + i, running));
  const MonotonicTime deadline = stage.now() + kStableMax;
  io::AbortSource never;
  std::string missing;
  for (;;) {
    missing = co_await look(stage, cluster, group, ends);
    if (missing.empty() || stage.history.violation().has_value()) break;
    if (stage.now() > deadline) {
      stage.history.violate("group " + stage.groups.id(group) + " " + missing + ", long after the last fault");
      break;
    }
    (void)co_await io::sleep_for(kPoll, never);
  }
  ended = true;
  while (running > 0) (void)co_await io::sleep_for(kPoll, never);
  co_await scope.close();
  if (stage.history.violation().has_value()) co_return Result<>();
  co_return co_await check_committed(stage, cluster, group, ends);
}

}  // namespace

io::Task<Result<>> check_groups(Stage& stage, client::ClusterClient& cluster, std::uint64_t seed) {
  for (std::size_t group = 0; group < stage.groups.group_count(); ++group) {
    stage.note("checking group " + stage.groups.id(group));
    PYRALOG_CO_TRY(co_await check_group(stage, cluster, group, seed + group * kMembers));
  }
  co_return Result<>();
}

}  // namespace pyralog::sim
