#include "cli/group_commands.h"

#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "cli/group_progress.h"
#include "client/groups.h"

namespace pyralog::cli {
namespace {

using client::ClusterClient;

io::Task<Result<>> list(ClusterClient& cluster, const ListGroups& command) {
  PYRALOG_CO_ASSIGN(const auto groups, co_await client::list_groups(cluster));
  Table table({"group", "state", "protocol_type", "coordinator"});
  for (const client::GroupSummary& group : groups) {
    table.add({group.id, group.state, group.protocol_type, std::int64_t{group.coordinator.value}});
  }
  table.print(command.format);
  co_return Result<>();
}

/// What `group describe` shows.
struct Description {
  client::GroupInfo group;
  Table members{{"member", "instance", "client", "host", "partitions"}};
  Table partitions{{"log", "partition", "committed", "end", "lag", "lag_seconds", "member"}};
  std::int64_t lag = 0;
  std::vector<std::string> problems;
};

Cell number(const std::optional<Offset>& offset) { return offset.has_value() ? Cell(offset->value) : Cell(); }
Cell number(const std::optional<std::int64_t>& count) { return count.has_value() ? Cell(*count) : Cell(); }

void add_rows(Description& description, const std::vector<GroupProgress>& progress, WallTime now) {
  for (const client::GroupMember& member : description.group.members) {
    const bool is_known = member.partitions.ok();
    description.members.add({member.id, member.instance_id.has_value() ? Cell(*member.instance_id) : Cell(),
                             member.client_id, member.host,
                             is_known ? Cell(static_cast<std::int64_t>(member.partitions->size())) : Cell()});
  }
  for (const GroupProgress& one : progress) {
    description.lag += one.lag().value_or(0);
    description.partitions.add({one.place.first, std::int64_t{one.place.second.value}, number(one.committed),
                                number(one.end), number(one.lag()), number(one.lag_seconds(now)),
                                one.owner == nullptr ? Cell() : Cell(one.owner->id)});
  }
}

void print_text(const Description& description) {
  const client::GroupInfo& group = description.group;
  fmt::print("group {}  state {}  coordinator {}", group.id, group.state, group.coordinator.value);
  if (!group.protocol.empty()) fmt::print("  balancer {}", group.protocol);
  fmt::print("\n");
  if (!group.members.empty()) fmt::print("\n{}", description.members.text());
  fmt::print("\n{}", description.partitions.text());
  fmt::print("\nlag {}\n", description.lag);
  for (const std::string& problem : description.problems) fmt::print("! {}\n", problem);
}

void print_json(const Description& description) {
  const client::GroupInfo& group = description.group;
  JsonWriter json;
  json.begin_object();
  json.field("group", group.id);
  json.field("state", group.state);
  json.field("protocol_type", group.protocol_type);
  json.field("balancer", group.protocol);
  json.field("coordinator", group.coordinator.value);
  json.key("members");
  description.members.write_json(json);
  json.key("partitions");
  description.partitions.write_json(json);
  json.field("lag", description.lag);
  json.key("problems");
  json.begin_array();
  for (const std::string& problem : description.problems) json.value(problem);
  json.end_array();
  json.end_object();
  fmt::print("{}\n", json.text());
}

io::Task<Result<>> describe(ClusterClient& cluster, const DescribeGroup& command) {
  Description description;
  PYRALOG_CO_ASSIGN(description.group, co_await client::describe_group(cluster, command.name));
  PYRALOG_CO_ASSIGN(const auto progress, co_await group_progress(cluster, description.group));
  add_rows(description, progress, io::Reactor::current().wall_now());
  description.problems = group_problems(description.group, progress);
  command.format == OutputFormat::kJson ? print_json(description) : print_text(description);
  co_return Result<>();
}

io::Task<Result<>> remove(ClusterClient& cluster, const DeleteGroups& command) {
  for (const std::string& name : command.names) {
    PYRALOG_CO_TRY(co_await client::delete_group(cluster, name));
    fmt::print(stderr, "deleted group {}\n", name);
  }
  co_return Result<>();
}

}  // namespace

int list_groups(const ListGroups& command) {
  return run_session(command.session, [&](ClusterClient& cluster) { return list(cluster, command); });
}
int describe_group(const DescribeGroup& command) {
  return run_session(command.session, [&](ClusterClient& cluster) { return describe(cluster, command); });
}
int delete_groups(const DeleteGroups& command) {
  return run_session(command.session, [&](ClusterClient& cluster) { return remove(cluster, command); });
}

}  // namespace pyralog::cli
