// A member's place in its group: finding, joining, sharing out. What it does there: group_member_work.cc.
#include "sim/group_member.h"

#include <algorithm>

#include "protocol/kafka/find_coordinator.h"
#include "protocol/kafka/offset_fetch.h"
#include "protocol/kafka/sync_group.h"

namespace pyralog::sim {

using namespace protocol;

namespace {

constexpr std::string_view kProtocolType = "consumer";
constexpr ApiVersion kFetchOneGroup(7);
constexpr Duration kRetryPause = std::chrono::milliseconds(100);
// A join waits for all others, at most as long as a rebalance and the delay of an empty group take.
constexpr Duration kRequestTimeout = std::chrono::seconds(15);

}  // namespace

GroupMember::GroupMember(Stage& stage, std::size_t group, std::optional<std::string> instance, Conduct conduct,
                         const bool& ended, std::uint64_t seed)
    : stage_(stage), group_(group), instance_(std::move(instance)), conduct_(conduct), ended_(ended), random_(seed) {
  for (const std::size_t log : plan().logs) logs_.push_back(stage_.history.log(log).name);
}

io::Task<> GroupMember::run() {
  while (!ended_) {
    client::BrokerConnection::Options options{.connect_timeout = std::chrono::seconds(2), .request_timeout = kRequestTimeout};
    auto connection = co_await client::BrokerConnection::connect(stage_.server.kafka(), std::move(options));
    if (connection.ok()) {
      co_await use(**connection);
      co_await (*connection)->close();
    }
    co_await pause_for(random_, std::chrono::milliseconds(300));
  }
}

std::size_t GroupMember::log_of(const std::string& name) const {
  const auto is_it = [&](std::size_t log) { return stage_.history.log(log).name == name; };
  const auto found = std::ranges::find_if(plan().logs, is_it);
  PYRALOG_ASSERT(found != plan().logs.end(), "a leader of the simulation shares out what nobody subscribes to");
  return *found;
}

PartitionCursor& GroupMember::cursor(std::size_t log) {
  return cursors_.try_emplace(log, stage_, log, true).first->second;
}

io::Task<bool> GroupMember::find_coordinator(client::BrokerConnection& connection) {
  const std::vector<std::string_view> keys{group_id()};
  FindCoordinatorRequest request;
  request.coordinator_keys = keys;
  const auto reply = co_await connection.call<FindCoordinatorRequest, FindCoordinatorResponse>(request);
  if (!reply.ok()) co_return false;
  const KafkaError error = reply->message.coordinators[0].error_code;
  if (error != KafkaError::kNone) take_error(error, "find coordinator");
  co_return error == KafkaError::kNone;
}

/// What the coordinator's errors mean for who asks, whatever it asked.
void GroupMember::take_error(KafkaError error, const std::string& of) {
  switch (error) {
    case KafkaError::kNone:
    case KafkaError::kCoordinatorLoadInProgress:
    case KafkaError::kCoordinatorNotAvailable:
    case KafkaError::kNotCoordinator:
      return;
    case KafkaError::kRebalanceInProgress:
    case KafkaError::kIllegalGeneration:
      has_joined_ = false;
      return;
    case KafkaError::kUnknownMemberId:
    case KafkaError::kFencedInstanceId:
    case KafkaError::kGroupIdNotFound:
      return step_down();
    default:
      stage_.history.violate("group " + group_id() + ": " + of + " is answered with " + std::string(kafka_error_name(error)));
  }
}

/// It is no member any more; what it was, a zombie may still believe to be.
void GroupMember::step_down() {
  if (claim_.generation >= 0) former_ = claim_;
  claim_ = {};
  has_joined_ = false;
  has_place_ = false;
  parts_.clear();
}

io::Task<bool> GroupMember::enter(client::BrokerConnection& connection) {
  if (!has_joined_ && !co_await join(connection)) co_return false;
  if (!has_place_ && !co_await sync(connection)) co_return false;
  co_return co_await ask_offsets(connection);
}

io::Task<bool> GroupMember::join(client::BrokerConnection& connection) {
  Subscription subscription{.logs = logs_, .owned = {}};
  if (plan().balance == Balance::kEager) parts_.clear();
  for (const auto& [place, part] : parts_) {
    subscription.owned.emplace_back(stage_.history.log(place.first).name, place.second);
  }
  const std::string metadata = encode_subscription(subscription);
  const std::vector<JoinGroupRequest::Protocol> protocols{
      {.name = strategy_name(plan().balance), .metadata = {as_bytes(metadata)}}};
  const std::string member_id = claim_.member_id;
  JoinGroupRequest request{.group_id = group_id(), .session_timeout_ms = plan().session_timeout_ms};
  request.rebalance_timeout_ms = plan().rebalance_timeout_ms;
  request.member_id = member_id;
  if (instance_.has_value()) request.group_instance_id = *instance_;
  request.protocol_type = kProtocolType;
  request.protocols = protocols;
  has_place_ = false;
  const auto reply = co_await connection.call<JoinGroupRequest, JoinGroupResponse>(request);
  if (!reply.ok()) co_return false;
  const JoinGroupResponse& answer = reply->message;
  if (answer.error_code == KafkaError::kMemberIdRequired) {
    claim_ = {.generation = -1, .member_id = std::string(answer.member_id)};
    co_return false;
  }
  take_error(answer.error_code, "join");
  if (answer.error_code != KafkaError::kNone) co_return false;
  if (claim_.generation >= 0) former_ = claim_;
  claim_ = {.generation = answer.generation_id, .member_id = std::string(answer.member_id)};
  strategy_ = answer.protocol_name.value_or("");
  has_joined_ = true;
  beat_at_ = stage_.now();
  share(answer);
  co_return true;
}

void GroupMember::share(const JoinGroupResponse& answer) {
  shares_.clear();
  counts_.clear();
  leads_ = answer.leader == answer.member_id && !answer.skip_assignment;
  if (!leads_) return;
  Subscriptions members;
  for (const auto& member : answer.members) {
    const auto subscription = decode_subscription(member.metadata.view);
    if (!subscription.has_value()) {
      return stage_.history.violate("group " + group_id() + ": the leader is told another subscription than was sent");
    }
    for (const std::string& log : subscription->logs) counts_[log] = stage_.history.log(log_of(log)).partitions_min;
    members[std::string(member.member_id)] = *subscription;
  }
  for (const auto& [id, partitions] : share_out(members, counts_, plan().balance)) shares_[id] = encode_assignment(partitions);
}

io::Task<bool> GroupMember::sync(client::BrokerConnection& connection) {
  std::vector<SyncGroupRequest::Assignment> assignments;
  for (const auto& [id, bytes] : shares_) assignments.push_back({.member_id = id, .assignment = {as_bytes(bytes)}});
  const MemberClaim claim = claim_;
  SyncGroupRequest request{.group_id = group_id(), .generation_id = claim.generation, .member_id = claim.member_id};
  if (instance_.has_value()) request.group_instance_id = *instance_;
  request.protocol_type = kProtocolType;
  request.protocol_name = strategy_;
  request.assignments = assignments;
  const auto reply = co_await connection.call<SyncGroupRequest, SyncGroupResponse>(request);
  if (!reply.ok()) co_return false;
  take_error(reply->message.error_code, "sync");
  if (reply->message.error_code != KafkaError::kNone) co_return false;
  const auto partitions = client::parse_assignment(reply->message.assignment.view);
  if (!partitions.ok()) {
    stage_.history.violate("group " + group_id() + ": another assignment than was sent: " + partitions.error().to_string());
    co_return false;
  }
  beat_at_ = stage_.now();
  has_place_ = true;
  take_assignment(*partitions);
  co_return true;
}

void GroupMember::take_assignment(const std::vector<LogPartition>& partitions) {
  std::vector<LogPlace> places;
  for (const auto& [log, partition] : partitions) places.emplace_back(log_of(log), partition);
  stage_.groups.assigned(group_, claim_, instance_.value_or(claim_.member_id), places);
  if (given_up_id_.has_value()) stage_.groups.replaced(group_, *given_up_id_);
  given_up_id_.reset();
  const std::size_t owned = parts_.size();
  const auto is_given_up = [&](const auto& entry) { return std::ranges::find(places, entry.first) == places.end(); };
  const std::size_t given_up = std::erase_if(parts_, is_given_up);
  if (owned > given_up) stage_.coverage.add(Happened::kPartitionKept);
  for (const LogPlace& place : places) parts_[place];
  // Others get what was given up in the next round.
  if (given_up > 0) has_joined_ = false;
}

io::Task<bool> GroupMember::ask_offsets(client::BrokerConnection& connection) {
  std::map<std::size_t, std::vector<PartitionIndex>> wanted;
  for (const auto& [place, part] : parts_) {
    if (!part.is_known) wanted[place.first].push_back(place.second);
  }
  if (wanted.empty()) co_return true;
  std::vector<OffsetFetchRequest::Topic> topics;
  for (const auto& [log, partitions] : wanted) {
    topics.push_back({.name = stage_.history.log(log).name, .partition_indexes = partitions});
  }
  const OffsetFetchRequest request{.group_id = group_id(), .topics = ArrayView<OffsetFetchRequest::Topic>(topics)};
  const MonotonicTime asked = stage_.now();
  const std::uint32_t life = stage_.server.life();
  const auto reply = co_await connection.call<OffsetFetchRequest, OffsetFetchResponse>(request, kFetchOneGroup);
  if (!reply.ok()) co_return false;
  take_error(reply->message.error_code, "fetch of offsets");
  if (reply->message.error_code != KafkaError::kNone) co_return false;
  for (const auto& topic : reply->message.topics) {
    for (const auto& partition : topic.partitions) {
      const LogPlace place{log_of(std::string(topic.name)), partition.partition_index};
      const bool is_committed = partition.committed_offset >= Offset(0);
      GroupHistory::Told told{.offset = {}, .metadata = std::string(partition.metadata.value_or(""))};
      if (is_committed) told.offset = partition.committed_offset;
      stage_.groups.saw(group_, place, told, asked, stage_.now(), life);
      Part& part = parts_[place];
      part = {.next = told.offset.value_or(Offset(0)), .is_known = true};
      cursor(place.first).begin(place.second, part.next);
    }
  }
  co_return true;
}

io::Task<> GroupMember::use(client::BrokerConnection& connection) {
  if (!co_await find_coordinator(connection)) co_return;
  while (!ends(connection) && !stage_.history.violation().has_value()) {
    const bool knows_all = std::ranges::all_of(parts_, [](const auto& entry) { return entry.second.is_known; });
    if (has_joined_ && has_place_ && knows_all) {
      co_await take_part(connection);
    } else if (!co_await enter(connection)) {
      co_await pause_for(random_, kRetryPause);
    }
  }
  if (ended_ && !connection.failed() && (conduct_ == Conduct::kSteady || random_.chance(1, 2))) {
    co_await commit_positions(connection);
    co_await leave(connection);
  }
}

}  // namespace pyralog::sim
