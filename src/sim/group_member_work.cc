// What a member does once it has its place: reads, commits, and misbehaves. See group_member.h.
#include <algorithm>

#include "protocol/kafka/heartbeat.h"
#include "protocol/kafka/leave_group.h"
#include "sim/group_member.h"

namespace pyralog::sim {

using namespace protocol;

namespace {

constexpr ApiVersion kCommitByName(9);
constexpr std::int32_t kFetchWaitMs = 50;
constexpr std::uint64_t kMischiefOneIn = 40;  // of what a member does between two pauses

}  // namespace

io::Task<> GroupMember::take_part(client::BrokerConnection& connection) {
  // Who is slower to notice a rebalance than that may take is put out of each.
  const std::int32_t shortest_ms = std::min(plan().session_timeout_ms, plan().rebalance_timeout_ms);
  if (stage_.now() - beat_at_ >= std::chrono::milliseconds(shortest_ms / 4)) co_await beat(connection);
  if (connection.failed() || !has_joined_) co_return;
  co_await read(connection);
  if (connection.failed()) co_return;
  if (conduct_ == Conduct::kSteady || random_.chance(1, 2)) co_await commit_positions(connection);
  if (sees_new_partitions()) has_joined_ = false;
  if (connection.failed() || conduct_ == Conduct::kSteady) co_return;
  co_await misbehave(connection);
  co_await pause_for(random_, stage_.plan.pause_max / 2);
}

bool GroupMember::sees_new_partitions() const {
  return leads_ && std::ranges::any_of(counts_, [&](const auto& entry) {
    return stage_.history.log(log_of(entry.first)).partitions_min != entry.second;
  });
}

io::Task<> GroupMember::beat(client::BrokerConnection& connection) {
  const MemberClaim claim = claim_;
  const bool was_fenced = stage_.groups.is_fenced(group_, claim);
  HeartbeatRequest request{.group_id = group_id(), .generation_id = claim.generation, .member_id = claim.member_id};
  if (instance_.has_value()) request.group_instance_id = *instance_;
  const auto reply = co_await connection.call<HeartbeatRequest, HeartbeatResponse>(request);
  if (!reply.ok()) co_return;
  const KafkaError error = reply->message.error_code;
  if (was_fenced && error == KafkaError::kNone) stage_.groups.granted_to_fenced(group_, claim, "a heartbeat");
  beat_at_ = stage_.now();
  take_error(error, "heartbeat");
}

io::Task<> GroupMember::read(client::BrokerConnection& connection) {
  std::map<std::size_t, std::vector<FetchRequest::Partition>> asked;
  const auto bytes_max = static_cast<std::int32_t>(random_.chance(1, 4) ? random_.between(1, 2000) : 200'000);
  for (const auto& [place, part] : parts_) {
    asked[place.first].push_back({.partition = place.second, .fetch_offset = part.next, .partition_max_bytes = bytes_max});
  }
  std::vector<FetchRequest::Topic> topics;
  for (const auto& [log, partitions] : asked) {
    const LogFacts& facts = stage_.history.log(log);
    topics.push_back({.topic = facts.name, .topic_id = facts.id, .partitions = partitions});
  }
  if (topics.empty()) co_return co_await pause_for(random_, std::chrono::milliseconds(kFetchWaitMs));
  const FetchRequest request{.max_wait_ms = kFetchWaitMs, .min_bytes = 1, .topics = topics};
  const auto reply = co_await connection.call<FetchRequest, FetchResponse>(request);
  if (reply.ok()) take(reply->message, reply->frame);
}

void GroupMember::take(const FetchResponse& message, const Slice& frame) {
  if (message.error_code != KafkaError::kNone) {
    return stage_.history.violate("a member's fetch is answered with " + std::string(kafka_error_name(message.error_code)));
  }
  for (const auto& topic : message.responses) {
    for (const std::size_t log : plan().logs) {
      if (stage_.history.log(log).id != topic.topic_id) continue;
      for (const auto& partition : topic.partitions) take_partition(log, partition, frame);
    }
  }
}

void GroupMember::take_partition(std::size_t log, const FetchResponse::Partition& answer, const Slice& frame) {
  const LogPlace place{log, answer.partition_index};
  const auto at = parts_.find(place);
  if (at == parts_.end()) return stage_.history.violate("a member is sent a partition that it did not ask for");
  const std::string name = stage_.history.log(log).name + "/" + std::to_string(place.second.value);
  if (answer.error_code == KafkaError::kCorruptMessage || answer.error_code == KafkaError::kKafkaStorageError) return;
  if (answer.error_code != KafkaError::kNone) {
    return stage_.history.violate("a member reads " + name + " from offset " + std::to_string(at->second.next.value) +
                                  ": " + std::string(kafka_error_name(answer.error_code)));
  }
  const Offset before = at->second.next;
  const client::FetchedPartition fetched{.partition = place.second, .position = before,
                                         .high_watermark = answer.high_watermark, .frame = frame,
                                         .records = answer.records.bytes()};
  if (!cursor(log).take(fetched)) return cursor(log).begin(place.second, before);
  at->second.next = cursor(log).next(place.second);
  if (at->second.next > before) stage_.groups.delivered(group_, place, before, at->second.next);
}

std::map<LogPlace, Offset> GroupMember::positions() const {
  std::map<LogPlace, Offset> offsets;
  for (const auto& [place, part] : parts_) {
    if (part.is_known) offsets[place] = part.next;
  }
  return offsets;
}

io::Task<> GroupMember::commit_positions(client::BrokerConnection& connection) {
  if (has_place_) co_await commit(connection, claim_, positions());
}

io::Task<> GroupMember::commit(client::BrokerConnection& connection, MemberClaim claim, std::map<LogPlace, Offset> offsets) {
  if (offsets.empty()) co_return;
  std::map<LogPlace, std::pair<CommitId, std::string>> ids;
  std::map<std::size_t, std::vector<OffsetCommitRequest::Partition>> partitions;
  for (const auto& [place, offset] : offsets) {
    const CommitId id = stage_.groups.commit(group_, place, offset, claim, stage_.now());
    const auto& metadata = ids.emplace(place, std::pair(id, std::to_string(id.value))).first->second.second;
    partitions[place.first].push_back({.partition_index = place.second, .committed_offset = offset,
                                       .committed_metadata = metadata});
  }
  std::vector<OffsetCommitRequest::Topic> topics;
  for (const auto& [log, of] : partitions) {
    topics.push_back({.name = stage_.history.log(log).name, .topic_id = {}, .partitions = of});
  }
  OffsetCommitRequest request{.group_id = group_id(), .generation_id_or_member_epoch = claim.generation};
  request.member_id = claim.member_id;
  if (instance_.has_value()) request.group_instance_id = *instance_;
  request.topics = topics;
  const auto reply = co_await connection.call<OffsetCommitRequest, OffsetCommitResponse>(request, kCommitByName);
  if (!reply.ok()) co_return;
  KafkaError first = KafkaError::kNone;
  for (const auto& topic : reply->message.topics) {
    for (const auto& partition : topic.partitions) {
      const CommitId id = ids.at({log_of(std::string(topic.name)), partition.partition_index}).first;
      if (first == KafkaError::kNone) first = partition.error_code;
      switch (partition.error_code) {
        case KafkaError::kNone: stage_.groups.committed(id, stage_.now()); break;
        case KafkaError::kIllegalGeneration:
        case KafkaError::kUnknownMemberId:
        case KafkaError::kFencedInstanceId:
        case KafkaError::kGroupIdNotFound:
        case KafkaError::kRebalanceInProgress: stage_.groups.refused(id); break;
        default: break;  // it may have been carried out
      }
    }
  }
  if (claim == claim_) take_error(first, "commit");
}

io::Task<> GroupMember::misbehave(client::BrokerConnection& connection) {
  switch (random_.below(kMischiefOneIn)) {
    case 0: co_return co_await stall(connection);
    case 1: co_return co_await leave(connection);
    case 2: co_return vanish();
    case 3: co_return change_subscription();
    case 4:
    case 5: co_return co_await commit_as_zombie(connection);
    case 6: {
      if (parts_.empty()) co_return;
      const auto& [place, part] = *std::next(parts_.begin(), static_cast<std::ptrdiff_t>(random_.below(parts_.size())));
      const Offset lower(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(part.next.value) + 1)));
      if (lower < part.next) stage_.coverage.add(Happened::kCommittedLower);
      std::map<LogPlace, Offset> offsets{{place, lower}};
      co_return co_await commit(connection, claim_, std::move(offsets));
    }
    default: co_return;
  }
}

/// Longer than its session, or nearly. Then it goes on as if nothing had happened.
io::Task<> GroupMember::stall(client::BrokerConnection& connection) {
  stage_.coverage.add(Happened::kMemberStalled);
  const auto session = static_cast<std::uint64_t>(plan().session_timeout_ms);
  co_await pause_for(random_, std::chrono::milliseconds(random_.between(session / 2, session * 3)));
  if (random_.chance(1, 2)) co_await commit_positions(connection);
}

io::Task<> GroupMember::leave(client::BrokerConnection& connection) {
  if (claim_.member_id.empty()) co_return;
  const std::string member_id = claim_.member_id;
  LeaveGroupRequest::Member leaver{.member_id = member_id, .group_instance_id = {}, .reason = {}};
  if (instance_.has_value()) leaver.group_instance_id = *instance_;
  const std::vector<LeaveGroupRequest::Member> leavers{leaver};
  const LeaveGroupRequest request{.group_id = group_id(), .member_id = {}, .members = leavers};
  const auto reply = co_await connection.call<LeaveGroupRequest, LeaveGroupResponse>(request);
  step_down();
  if (!reply.ok()) co_return;
  take_error(reply->message.error_code, "leaving");
  stage_.coverage.add(Happened::kMemberLeft);
}

/// As a process that was killed and started again: the coordinator learns of it by the end of the session, or, of a static
/// member, when that is back.
void GroupMember::vanish() {
  if (claim_.generation < 0) return;
  if (instance_.has_value()) given_up_id_ = claim_.member_id;
  step_down();
}

void GroupMember::change_subscription() {
  std::vector<std::string> logs;
  for (const std::size_t log : plan().logs) {
    if (random_.chance(1, 2)) logs.push_back(stage_.history.log(log).name);
  }
  if (logs.empty() || logs == logs_) return;
  logs_ = std::move(logs);
  has_joined_ = false;
  stage_.coverage.add(Happened::kSubscriptionChanged);
}

/// What it believed to be once, it may not be any more: then this must be refused.
io::Task<> GroupMember::commit_as_zombie(client::BrokerConnection& connection) {
  if (!former_.has_value()) co_return;
  const std::size_t log = plan().logs[random_.below(plan().logs.size())];
  const LogPlace place{log, stage_.pick_partition(random_, log)};
  const auto end = static_cast<std::uint64_t>(stage_.groups.delivered_end(group_, place).value);
  std::map<LogPlace, Offset> offsets{{place, Offset(static_cast<std::int64_t>(random_.below(end + 1)))}};
  co_await commit(connection, *former_, std::move(offsets));
}

}  // namespace pyralog::sim
