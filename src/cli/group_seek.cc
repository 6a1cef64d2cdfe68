#include "cli/group_seek.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <set>

#include "cli/chosen_partitions.h"
#include "client/admin.h"
#include "client/groups.h"
#include "protocol/kafka/list_offsets.h"

namespace pyralog::cli {

using client::ClusterClient;
using client::GroupOffsets;

Result<Offset> seek_offset(const SeekTarget& target, const SeekPartition& partition) {
  const auto within = [&](Offset wanted) { return std::clamp(wanted, partition.start, partition.end); };
  switch (target.kind) {
    case SeekTarget::Kind::kStart: return partition.start;
    case SeekTarget::Kind::kEnd: return partition.end;
    case SeekTarget::Kind::kTime: return within(partition.at_time.value_or(partition.end));
    case SeekTarget::Kind::kOffset: return within(Offset(target.value));
    case SeekTarget::Kind::kShift: break;
  }
  if (!partition.committed.has_value()) {
    return Error(ErrorCode::kInvalidArgument, "nothing is committed that could be shifted");
  }
  const std::int64_t from = partition.committed->value;
  const bool overflows = target.value > 0 && from > std::numeric_limits<std::int64_t>::max() - target.value;
  return overflows ? partition.end : within(Offset(from + target.value));
}

namespace {

/// Members that come back between their removal and the commit are removed again so often.
constexpr int kRemovalsMax = 20;

struct Plan {
  GroupOffsets offsets;
  Table table{{"log", "partition", "committed", "seek_to", "change"}};
};

/// A shift starts from what is committed.
void keep_committed(client::LogInfo& log, const GroupOffsets& committed) {
  std::erase_if(log.partitions, [&](const client::PartitionInfo& partition) {
    return !committed.contains({log.name, partition.index});
  });
}

io::Task<Result<>> plan_log(ClusterClient& cluster, const SeekGroup& command, const GroupOffsets& committed,
                            std::string name, Plan& plan) {
  PYRALOG_CO_ASSIGN(client::LogInfo log, co_await cluster.describe_log(std::move(name)));
  if (command.logs.empty() && command.target->kind == SeekTarget::Kind::kShift) keep_committed(log, committed);
  PYRALOG_CO_TRY(keep_chosen(log, command.partitions));
  const auto starts = co_await client::list_offsets(cluster, log, protocol::kTimestampEarliest);
  const auto ends = co_await client::list_offsets(cluster, log, protocol::kTimestampLatest);
  std::vector<client::OffsetInfo> at_time;
  const bool needs_time = command.target->kind == SeekTarget::Kind::kTime;
  if (needs_time) at_time = co_await client::list_offsets(cluster, log, command.target->value);
  for (std::size_t i = 0; i < log.partitions.size(); ++i) {
    PYRALOG_CO_TRY(starts[i].outcome);
    PYRALOG_CO_TRY(ends[i].outcome);
    const client::LogPartition place{log.name, log.partitions[i].index};
    SeekPartition partition{.start = starts[i].offset, .end = ends[i].offset};
    if (const auto found = committed.find(place); found != committed.end()) partition.committed = found->second;
    if (needs_time) {
      PYRALOG_CO_TRY(at_time[i].outcome);
      if (at_time[i].offset != Offset(-1)) partition.at_time = at_time[i].offset;
    }
    auto offset = seek_offset(*command.target, partition);
    if (!offset.ok()) co_return offset.error().with_context(fmt::format("{}/{}", place.first, place.second.value));
    plan.offsets[place] = *offset;
    const bool was_committed = partition.committed.has_value();
    plan.table.add({place.first, std::int64_t{place.second.value},
                    was_committed ? Cell(partition.committed->value) : Cell(), offset->value,
                    was_committed ? Cell((*offset - *partition.committed).value) : Cell()});
  }
  co_return Result<>();
}

io::Task<Result<Plan>> make_plan(ClusterClient& cluster, const SeekGroup& command) {
  PYRALOG_CO_ASSIGN(const GroupOffsets committed, co_await client::committed_offsets(cluster, command.name));
  std::set<std::string> logs(command.logs.begin(), command.logs.end());
  if (logs.empty()) {
    for (const auto& [place, offset] : committed) logs.insert(place.first);
  }
  if (logs.empty()) {
    co_return Error(ErrorCode::kNotFound, fmt::format("group {} has committed nothing: name logs with --log", command.name));
  }
  Plan plan;
  for (const std::string& log : logs) PYRALOG_CO_TRY(co_await plan_log(cluster, command, committed, log, plan));
  co_return std::move(plan);
}

/// Those who would go on from where they are, whatever is committed; none in a group that there is not.
io::Task<Result<std::vector<client::GroupMember>>> members_of(ClusterClient& cluster, const std::string& name) {
  auto group = co_await client::describe_group(cluster, name);
  if (group.ok()) co_return std::move(group->members);
  if (group.error() == ErrorCode::kNotFound) co_return std::vector<client::GroupMember>();
  co_return std::move(group).error();
}

/// Removes whoever is there and commits before they are back, which fences them: their next request tells them that their
/// generation is over, and they join anew and ask what is committed.
io::Task<Result<>> remove_and_commit(ClusterClient& cluster, const SeekGroup& command, const GroupOffsets& offsets) {
  for (int attempt = 1;; ++attempt) {
    PYRALOG_CO_ASSIGN(auto members, co_await members_of(cluster, command.name));
    if (!members.empty()) {
      fmt::print(stderr, "removing {} members of group {}\n", members.size(), command.name);
      PYRALOG_CO_TRY(co_await client::remove_members(cluster, command.name, std::move(members)));
    }
    Result<> done = co_await client::commit_offsets(cluster, command.name, offsets);
    if (done.ok() || attempt == kRemovalsMax) co_return done;
    PYRALOG_CO_ASSIGN(members, co_await members_of(cluster, command.name));
    if (members.empty()) co_return done;  // something else is wrong
  }
}

io::Task<Result<>> execute(ClusterClient& cluster, const SeekGroup& command, const GroupOffsets& offsets) {
  if (command.members == MemberTreatment::kRemove) co_return co_await remove_and_commit(cluster, command, offsets);
  PYRALOG_CO_ASSIGN(const auto members, co_await members_of(cluster, command.name));
  if (!members.empty()) {
    co_return Error(ErrorCode::kInvalidArgument,
                    fmt::format("group {} has {} members, who would go on from where they are: stop them, or give --force to "
                                "remove them first",
                                command.name, members.size()));
  }
  co_return co_await client::commit_offsets(cluster, command.name, offsets);
}

io::Task<Result<>> seek(ClusterClient& cluster, const SeekGroup& command) {
  PYRALOG_CO_ASSIGN(const Plan plan, co_await make_plan(cluster, command));
  plan.table.print(command.format);
  if (command.mode == SeekMode::kPlan) {
    fmt::print(stderr, "nothing is changed yet: --execute carries this out\n");
    co_return Result<>();
  }
  std::fflush(stdout);
  PYRALOG_CO_TRY(co_await execute(cluster, command, plan.offsets));
  fmt::print(stderr, "group {} goes on from there in {} partitions\n", command.name, plan.offsets.size());
  co_return Result<>();
}

}  // namespace

int seek_group(const SeekGroup& command) {
  return run_session(command.session, [&](ClusterClient& cluster) { return seek(cluster, command); });
}

}  // namespace pyralog::cli
