#include "client/groups.h"

#include <algorithm>
#include <chrono>
#include <tuple>

#include "client/kafka_failure.h"
#include "protocol/kafka/delete_groups.h"
#include "protocol/kafka/describe_groups.h"
#include "protocol/kafka/find_coordinator.h"
#include "protocol/kafka/leave_group.h"
#include "protocol/kafka/list_groups.h"
#include "protocol/kafka/offset_commit.h"
#include "protocol/kafka/offset_fetch.h"
#include "protocol/kafka/reader.h"

namespace pyralog::client {

using namespace protocol;

namespace {

/// A coordinator that is being moved, or reads its log after a start.
constexpr Duration kCoordinatorWaitMax = std::chrono::seconds(20);
constexpr Duration kCoordinatorPoll = std::chrono::milliseconds(100);

// The last versions that name one group and logs by name: what is asked here needs no more.
constexpr ApiVersion kFindOneGroup(3);
constexpr ApiVersion kFetchOneGroup(7);
constexpr ApiVersion kCommitByName(9);
constexpr ApiVersion kAny(32'767);

std::string subject(const std::string& group) { return "group " + group; }

io::Task<Result<NodeId>> find_coordinator(ClusterClient& cluster, const std::string& group) {
  PYRALOG_CO_TRY(co_await cluster.describe_nodes());  // the addresses, of which some may be new
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster.any_connection());
  PYRALOG_CO_ASSIGN(const ApiVersion version, connection->version_of(kFindCoordinatorApi));
  const FindCoordinatorRequest request{.key = group, .coordinator_keys = {}};
  PYRALOG_CO_ASSIGN(const auto reply, (co_await connection->call<FindCoordinatorRequest, FindCoordinatorResponse>(
                                          request, std::min(version, kFindOneGroup))));
  PYRALOG_CO_TRY(check_answer(reply.message.error_code, "coordinator of " + subject(group), reply.message.error_message));
  co_return reply.message.node_id;
}

/// `attempt()` again and again while there is no coordinator, for a bounded time. `attempt` outlives the call.
template <class Attempt>
auto patiently(Attempt& attempt) -> decltype(attempt()) {
  const io::Reactor& reactor = io::Reactor::current();
  const MonotonicTime deadline = reactor.now() + kCoordinatorWaitMax;
  io::AbortSource never;
  for (;;) {
    auto answer = co_await attempt();
    if (answer.ok() || answer.error() != ErrorCode::kUnavailable || reactor.now() >= deadline) co_return std::move(answer);
    (void)co_await io::sleep_for(kCoordinatorPoll, never);
  }
}

template <class Response>
struct CoordinatorReply {
  NodeId coordinator;
  Reply<Response> reply;
};

/// What a user can do about it, where the error's name does not say.
std::optional<std::string_view> remedy(KafkaError error) {
  if (error == KafkaError::kNonEmptyGroup) return "it has members: stop them first";
  if (error == KafkaError::kUnknownMemberId) return "it has members, or had when this arrived";
  return std::nullopt;
}

template <class Response>
using ErrorOf = KafkaError (*)(const Response& response);

template <class Request, class Response>
io::Task<Result<CoordinatorReply<Response>>> ask_once(ClusterClient& cluster, const std::string& group, Request request,
                                                      ApiVersion version_max, ErrorOf<Response> error_of) {
  CoordinatorReply<Response> answer;
  PYRALOG_CO_ASSIGN(answer.coordinator, co_await find_coordinator(cluster, group));
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster.connection_to(answer.coordinator));
  PYRALOG_CO_ASSIGN(const ApiVersion version, connection->version_of(Request::kApi));
  PYRALOG_CO_ASSIGN(answer.reply, (co_await connection->template call<Request, Response>(
                                      request, std::min(version, version_max))));
  const KafkaError error = error_of(answer.reply.message);
  PYRALOG_CO_TRY(check_answer(error, subject(group), remedy(error)));
  co_return std::move(answer);
}

/// The answer of the group's coordinator. Views in `request` outlive the call.
template <class Request, class Response>
io::Task<Result<CoordinatorReply<Response>>> ask(ClusterClient& cluster, const std::string& group, Request request,
                                                 ApiVersion version_max, ErrorOf<Response> error_of) {
  const auto once = [&] { return ask_once<Request, Response>(cluster, group, request, version_max, error_of); };
  co_return co_await patiently(once);
}

/// The only element of an answer about one thing, or why there is none.
template <class T>
KafkaError error_of_only(ArrayView<T> items) {
  return items.size() == 1 ? items[0].error_code : KafkaError::kCorruptMessage;
}

io::Task<Result<>> list_groups_of(ClusterClient& cluster, NodeId node, std::vector<GroupSummary>& groups) {
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster.connection_to(node));
  const ListGroupsRequest request;
  PYRALOG_CO_ASSIGN(const auto reply, (co_await connection->call<ListGroupsRequest, ListGroupsResponse>(request)));
  PYRALOG_CO_TRY(check_answer(reply.message.error_code, "groups of node " + std::to_string(node.value)));
  for (const auto& group : reply.message.groups) {
    groups.push_back({.id = std::string(group.group_id), .state = std::string(group.group_state),
                      .protocol_type = std::string(group.protocol_type), .coordinator = node});
  }
  co_return Result<>();
}

GroupMember group_member(const DescribeGroupsResponse::Member& member, bool is_consumer) {
  GroupMember result{.id = std::string(member.member_id), .instance_id = std::nullopt,
                     .client_id = std::string(member.client_id), .host = std::string(member.client_host),
                     .partitions = std::vector<LogPartition>()};
  if (member.group_instance_id.has_value()) result.instance_id = std::string(*member.group_instance_id);
  if (is_consumer) result.partitions = parse_assignment(member.member_assignment.view);
  return result;
}

/// Topics with their partitions, as OffsetCommit wants them; lives as long as `offsets`.
class CommitTopics {
 public:
  explicit CommitTopics(const GroupOffsets& offsets) {
    for (const auto& [place, offset] : offsets) partitions_[place.first].push_back({place.second, offset});
    for (const auto& [log, partitions] : partitions_) {
      topics_.push_back({.name = log, .topic_id = {}, .partitions = partitions});
    }
  }
  const std::vector<OffsetCommitRequest::Topic>& view() const noexcept { return topics_; }

 private:
  std::map<std::string_view, std::vector<OffsetCommitRequest::Partition>> partitions_;
  std::vector<OffsetCommitRequest::Topic> topics_;
};

/// The first failure among an answer's partitions; the coordinator gives the same one to all when it concerns the group.
KafkaError commit_error(const OffsetCommitResponse& response) {
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code != KafkaError::kNone) return partition.error_code;
    }
  }
  return KafkaError::kNone;
}

}  // namespace

io::Task<Result<NodeId>> coordinator_of(ClusterClient& cluster, std::string group) {
  const auto find = [&] { return find_coordinator(cluster, group); };
  co_return co_await patiently(find);
}

io::Task<Result<std::vector<GroupSummary>>> list_groups(ClusterClient& cluster) {
  PYRALOG_CO_ASSIGN(const ClusterInfo nodes, co_await cluster.describe_nodes());
  std::vector<GroupSummary> groups;
  for (const BrokerInfo& broker : nodes.brokers) PYRALOG_CO_TRY(co_await list_groups_of(cluster, broker.id, groups));
  std::ranges::sort(groups, {}, &GroupSummary::id);
  co_return std::move(groups);
}

io::Task<Result<GroupInfo>> describe_group(ClusterClient& cluster, std::string group) {
  const std::vector<std::string_view> names{group};
  const DescribeGroupsRequest request{.groups = names};
  const auto error_of = [](const DescribeGroupsResponse& response) { return error_of_only(response.groups); };
  PYRALOG_CO_ASSIGN(const auto answer, (co_await ask<DescribeGroupsRequest, DescribeGroupsResponse>(cluster, group, request,
                                                                                                    kAny, error_of)));
  const auto& described = answer.reply.message.groups[0];
  // Up to version 5 a group that there is not is described as dead.
  if (described.group_state == "Dead") co_return failure_of(KafkaError::kGroupIdNotFound, subject(group));
  GroupInfo info{.id = group, .state = std::string(described.group_state),
                 .protocol_type = std::string(described.protocol_type), .protocol = std::string(described.protocol_data),
                 .coordinator = answer.coordinator, .members = {}};
  for (const auto& member : described.members) {
    info.members.push_back(group_member(member, info.protocol_type == "consumer"));
  }
  std::ranges::sort(info.members, {}, [](const GroupMember& member) { return std::tie(member.client_id, member.id); });
  co_return std::move(info);
}

io::Task<Result<GroupOffsets>> committed_offsets(ClusterClient& cluster, std::string group) {
  const OffsetFetchRequest request{.group_id = group, .topics = std::nullopt, .groups = {}};
  const auto error_of = [](const OffsetFetchResponse& response) { return response.error_code; };
  PYRALOG_CO_ASSIGN(const auto answer, (co_await ask<OffsetFetchRequest, OffsetFetchResponse>(cluster, group, request,
                                                                                              kFetchOneGroup, error_of)));
  GroupOffsets offsets;
  for (const auto& topic : answer.reply.message.topics) {
    for (const auto& partition : topic.partitions) {
      PYRALOG_CO_TRY(check_answer(partition.error_code, subject(group)));
      if (partition.committed_offset < Offset(0)) continue;
      offsets[{std::string(topic.name), partition.partition_index}] = partition.committed_offset;
    }
  }
  co_return std::move(offsets);
}

io::Task<Result<>> commit_offsets(ClusterClient& cluster, std::string group, GroupOffsets offsets) {
  const CommitTopics topics(offsets);
  const OffsetCommitRequest request{.group_id = group, .member_id = "", .group_instance_id = std::nullopt,
                                    .topics = topics.view()};
  PYRALOG_CO_TRY((co_await ask<OffsetCommitRequest, OffsetCommitResponse>(cluster, group, request, kCommitByName,
                                                                          commit_error)));
  co_return Result<>();
}

io::Task<Result<>> remove_members(ClusterClient& cluster, std::string group, std::vector<GroupMember> members) {
  std::vector<LeaveGroupRequest::Member> leaving;
  for (const GroupMember& member : members) {
    LeaveGroupRequest::Member one{.member_id = member.id, .group_instance_id = std::nullopt,
                                  .reason = "removed by an administrator"};
    if (member.instance_id.has_value()) one.group_instance_id = *member.instance_id;
    leaving.push_back(one);
  }
  const LeaveGroupRequest request{.group_id = group, .member_id = "", .members = leaving};
  const auto error_of = [](const LeaveGroupResponse& response) { return response.error_code; };
  PYRALOG_CO_ASSIGN(const auto answer,
                    (co_await ask<LeaveGroupRequest, LeaveGroupResponse>(cluster, group, request, kAny, error_of)));
  for (const auto& member : answer.reply.message.members) {
    if (member.error_code == KafkaError::kUnknownMemberId) continue;
    PYRALOG_CO_TRY(check_answer(member.error_code, subject(group) + ", member " + std::string(member.member_id)));
  }
  co_return Result<>();
}

io::Task<Result<>> delete_group(ClusterClient& cluster, std::string group) {
  const std::vector<std::string_view> names{group};
  const DeleteGroupsRequest request{.groups_names = names};
  const auto error_of = [](const DeleteGroupsResponse& response) { return error_of_only(response.results); };
  PYRALOG_CO_TRY((co_await ask<DeleteGroupsRequest, DeleteGroupsResponse>(cluster, group, request, kAny, error_of)));
  co_return Result<>();
}

Result<std::vector<LogPartition>> parse_assignment(ByteView bytes) {
  std::vector<LogPartition> partitions;
  if (bytes.empty()) return partitions;
  Arena arena;
  Reader reader(bytes, ApiVersion(0), Reader::Lengths::kFixed, arena);
  const auto version = reader.integer<std::int16_t>();
  const std::int64_t logs = reader.array_count(2 + 4);
  for (std::int64_t i = 0; i < logs && !reader.failed(); ++i) {
    const std::string log(reader.string());
    const std::int64_t count = reader.array_count(4);
    for (std::int64_t j = 0; j < count && !reader.failed(); ++j) {
      partitions.emplace_back(log, PartitionIndex(reader.integer<std::int32_t>()));
    }
  }
  if (version < 0) reader.fail("version of an assignment is negative");
  PYRALOG_TRY(reader.result());  // what follows is the balancer's own, and what later versions append
  std::ranges::sort(partitions);
  return partitions;
}

}  // namespace pyralog::client
