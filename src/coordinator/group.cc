// A group's members: sessions, syncs, leaving, storing. Joining and rebalancing: group_join.cc.
#include "coordinator/group.h"

#include <algorithm>

namespace pyralog::coordinator {

std::string_view group_state_name(GroupState state) noexcept {
  switch (state) {
    case GroupState::kEmpty:
      return "Empty";
    case GroupState::kPreparingRebalance:
      return "PreparingRebalance";
    case GroupState::kCompletingRebalance:
      return "CompletingRebalance";
    case GroupState::kStable:
      return "Stable";
    case GroupState::kDead:
      return "Dead";
  }
  return "Unknown";
}

std::size_t bytes_said(std::string_view client_id, std::string_view client_host, const std::optional<std::string>& instance_id,
                       const std::vector<Strategy>& strategies) noexcept {
  std::size_t bytes = client_id.size() + client_host.size() + (instance_id.has_value() ? instance_id->size() : 0);
  for (const Strategy& strategy : strategies) bytes += sizeof(Strategy) + strategy.name.size() + strategy.metadata.size();
  return bytes;
}

std::string_view rebalance_cause_name(RebalanceCause cause) noexcept {
  switch (cause) {
    case RebalanceCause::kMemberJoined:
      return "member_joined";
    case RebalanceCause::kMemberLeft:
      return "member_left";
    case RebalanceCause::kSessionExpired:
      return "session_expired";
    case RebalanceCause::kConnectionLost:
      return "connection_lost";
    case RebalanceCause::kSyncExpired:
      return "sync_expired";
    case RebalanceCause::kSubscriptionChanged:
      return "subscription_changed";
    case RebalanceCause::kLeaderRejoined:
      return "leader_rejoined";
    case RebalanceCause::kStaticMemberReplaced:
      return "static_member_replaced";
    case RebalanceCause::kAppendFailed:
      return "append_failed";
    case RebalanceCause::kGroupTooLarge:
      return "group_too_large";
  }
  return "unknown";
}

KafkaError Group::check_member(std::string_view member_id, const std::optional<std::string>& instance_id) const {
  if (instance_id.has_value()) {
    const auto found = static_members_.find(*instance_id);
    if (found == static_members_.end()) return KafkaError::kUnknownMemberId;
    if (found->second != member_id) return KafkaError::kFencedInstanceId;
  }
  return members_.contains(member_id) ? KafkaError::kNone : KafkaError::kUnknownMemberId;
}

KafkaError Group::heartbeat(const MemberIdentity& member, ConnectionId connection, Now now) {
  if (state_ == GroupState::kDead) return KafkaError::kCoordinatorNotAvailable;
  if (const auto wrong = check_member(member.member_id, member.instance_id); wrong != KafkaError::kNone) return wrong;
  if (member.generation != generation_) return KafkaError::kIllegalGeneration;
  Member& alive = members_.find(member.member_id)->second;
  keep_alive(alive, now);
  alive.pulse.beat(connection, now.monotonic);
  return state_ == GroupState::kPreparingRebalance ? KafkaError::kRebalanceInProgress : KafkaError::kNone;
}

void Group::lose_connection(std::string_view member_id, ConnectionId connection, Now now) {
  const auto found = members_.find(member_id);
  if (found == members_.end() || !context_.options.notices_lost_connections) return;
  Member& member = found->second;
  // A static member is expected to be away for as long as its session.
  if (member.instance_id.has_value() || !member.deadline.has_value()) return;
  const auto grace = member.pulse.grace_after(connection);
  if (grace.has_value()) member.deadline = due(std::min(*member.deadline, now.monotonic + *grace));
}

void Group::Pulse::beat(ConnectionId by, MonotonicTime at) {
  if (last.has_value()) interval = std::max(interval - interval / 8, at - *last);
  last = at;
  connection = by;
}

std::optional<Duration> Group::Pulse::grace_after(ConnectionId ended) {
  if (connection != ended || interval == Duration::zero()) return std::nullopt;
  is_lost = true;
  return std::max<Duration>(2 * interval, kConnectionGraceMin);
}

KafkaError Group::admit_commit(const MemberIdentity& member, Now now) {
  if (state_ == GroupState::kDead) return KafkaError::kCoordinatorNotAvailable;
  const bool has_generation = member.generation.value >= 0;
  if (!has_generation && state_ == GroupState::kEmpty) return KafkaError::kNone;
  // Without any claim to membership, only a group without members may be committed to.
  if (!has_generation && member.member_id.empty() && !member.instance_id.has_value()) return KafkaError::kUnknownMemberId;
  if (const auto wrong = check_member(member.member_id, member.instance_id); wrong != KafkaError::kNone) return wrong;
  if (member.generation != generation_) return KafkaError::kIllegalGeneration;
  if (state_ == GroupState::kCompletingRebalance) return KafkaError::kRebalanceInProgress;
  keep_alive(members_.find(member.member_id)->second, now);
  return KafkaError::kNone;
}

KafkaError Group::check_sync(const SyncRequest& request) const {
  if (state_ == GroupState::kDead) return KafkaError::kCoordinatorNotAvailable;
  if (const auto wrong = check_member(request.member.member_id, request.member.instance_id); wrong != KafkaError::kNone) {
    return wrong;
  }
  if (request.member.generation != generation_) return KafkaError::kIllegalGeneration;
  const auto differs = [](const std::optional<std::string>& told, const std::optional<std::string>& ours) {
    return told.has_value() && ours.has_value() && *told != *ours;
  };
  if (differs(request.protocol_type, protocol_type_) || differs(request.protocol_name, protocol_name_)) {
    return KafkaError::kInconsistentGroupProtocol;
  }
  return state_ == GroupState::kPreparingRebalance ? KafkaError::kRebalanceInProgress : KafkaError::kNone;
}

void Group::sync(SyncRequest request, WaiterId waiter, Now now) {
  if (const KafkaError wrong = check_sync(request); wrong != KafkaError::kNone) {
    return context_.reply(waiter, SyncAnswer{.error = wrong});
  }
  Member& member = members_.find(request.member.member_id)->second;
  member.must_sync = false;
  if (std::ranges::none_of(members_, [](const auto& entry) { return entry.second.must_sync; })) sync_deadline_.reset();
  if (state_ == GroupState::kStable) {
    return context_.reply(waiter, SyncAnswer{.protocol_type = protocol_type_,
                                             .protocol_name = protocol_name_,
                                             .assignment = member.assignment});
  }
  // An earlier wait of the same member: its client has given it up, and asks again.
  if (member.syncing) context_.reply(*member.syncing, SyncAnswer{.error = KafkaError::kRebalanceInProgress});
  member.syncing = waiter;
  if (member.id == leader_) take_assignments(request, now);
}

void Group::take_assignments(const SyncRequest& request, Now) {
  std::map<std::string, Blob> assignments;
  for (const auto& [member_id, member] : members_) assignments[member_id];
  for (const auto& assigned : request.assignments) {
    if (members_.contains(assigned.member_id)) assignments[assigned.member_id] = assigned.assignment;
  }
  const std::map<std::string, Blob>* stored = &assignments;
  GroupContext& context = context_;
  auto settled = [&context, id = id_, generation = generation_, assignments](KafkaError outcome, Now now) {
    Group* group = context.find(id);
    // Another rebalance may have begun meanwhile: what was assigned is then of no use.
    if (group == nullptr || group->generation_ != generation) return;
    if (group->state_ != GroupState::kCompletingRebalance) return;
    if (outcome == KafkaError::kNone) return group->assign(assignments, now);
    // Of its own record, which can be too large, no client knows.
    group->fail_syncs(outcome == KafkaError::kInvalidCommitOffsetSize ? KafkaError::kUnknownServerError : outcome, now);
    group->rebalance_or_complete(RebalanceCause::kAppendFailed, now);
  };
  store(stored, std::move(settled));
}

void Group::assign(const std::map<std::string, Blob>& assignments, Now now) {
  for (auto& [member_id, member] : members_) {
    const auto found = assignments.find(member_id);
    member.assignment = found != assignments.end() ? found->second : Blob();
    if (!member.syncing) continue;
    context_.reply(*member.syncing, SyncAnswer{.protocol_type = protocol_type_,
                                               .protocol_name = protocol_name_,
                                               .assignment = member.assignment});
    member.syncing.reset();
    keep_alive(member, now);
  }
  move_to(GroupState::kStable, now);
  ++context_.counters.rebalances_completed;
  context_.counters.rebalancing += now.monotonic - rebalance_began_;
}

void Group::fail_syncs(KafkaError error, Now now) {
  for (auto& [member_id, member] : members_) {
    member.assignment.clear();
    if (!member.syncing) continue;
    context_.reply(*member.syncing, SyncAnswer{.error = error});
    member.syncing.reset();
    keep_alive(member, now);
  }
}

void Group::expire_sync(Now now) {
  sync_deadline_.reset();
  std::vector<std::string> silent;
  for (const auto& [member_id, member] : members_) {
    if (member.must_sync) silent.push_back(member_id);
  }
  if (silent.empty()) return;
  for (const std::string& member_id : silent) remove_member(member_id);
  prepare_rebalance(RebalanceCause::kSyncExpired, now);
}

void Group::leave(const LeaveRequest& request, WaiterId waiter, Now now) {
  LeaveAnswer answer;
  if (state_ == GroupState::kDead) {
    answer.error = KafkaError::kCoordinatorNotAvailable;
    return context_.reply(waiter, std::move(answer));
  }
  const std::size_t appends_before = context_.output.appends.size();
  bool any = false;
  for (const auto& leaver : request.members) {
    answer.members.push_back(leave_one(leaver));
    any |= answer.members.back() == KafkaError::kNone;
  }
  if (any && (state_ == GroupState::kStable || state_ == GroupState::kCompletingRebalance)) {
    prepare_rebalance(RebalanceCause::kMemberLeft, now);
  } else if (any) {
    complete_join_if_all(now);
  }
  if (context_.output.appends.size() == appends_before) return context_.reply(waiter, std::move(answer));
  // The group's end is on its way to the log; the answer follows it there.
  GroupContext& context = context_;
  auto settled = [&context, waiter, answer = std::move(answer)](KafkaError, Now) mutable {
    context.reply(waiter, std::move(answer));
  };
  context_.append(id_, {}, std::move(settled));
}

KafkaError Group::leave_one(const LeaveRequest::Leaver& leaver) {
  if (leaver.member_id.empty()) {
    if (!leaver.instance_id.has_value()) return KafkaError::kUnknownMemberId;
    const auto found = static_members_.find(*leaver.instance_id);
    if (found == static_members_.end()) return KafkaError::kUnknownMemberId;
    remove_member(std::string(found->second));
    return KafkaError::kNone;
  }
  if (pending_.erase(leaver.member_id) > 0) return KafkaError::kNone;
  const KafkaError wrong = check_member(leaver.member_id, leaver.instance_id);
  if (wrong == KafkaError::kNone) remove_member(leaver.member_id);
  return wrong;
}

void Group::remove_member(const std::string& member_id) {
  pending_.erase(member_id);
  const auto found = members_.find(member_id);
  if (found == members_.end()) return;
  Member& member = found->second;
  // Whoever still waits learns that it is no member, and joins anew.
  if (const auto waiter = end_join(member)) refuse_join(*waiter, "", KafkaError::kUnknownMemberId);
  set_strategies(member, {});
  if (member.syncing) context_.reply(*member.syncing, SyncAnswer{.error = KafkaError::kUnknownMemberId});
  if (member.instance_id) static_members_.erase(*member.instance_id);
  const bool was_leader = member.id == leader_;
  member_bytes_ -= member.bytes;
  members_.erase(found);
  if (was_leader) leader_ = members_.empty() ? std::string() : members_.begin()->first;
}

void Group::after_removal(RebalanceCause cause, Now now) {
  if (state_ == GroupState::kStable || state_ == GroupState::kCompletingRebalance) {
    prepare_rebalance(cause, now);
  } else if (state_ == GroupState::kPreparingRebalance && all_joined()) {
    complete_join(now);
  }
}

MonotonicTime Group::due(MonotonicTime at) {
  if (!soonest_.has_value() || at < *soonest_) soonest_ = at;
  return at;
}

void Group::begin_join(Member& member, WaiterId waiter) {
  if (!member.joining) ++joining_count_;
  member.pulse.last.reset();  // it sends none while it waits
  member.joining = waiter;
}

std::optional<WaiterId> Group::end_join(Member& member) {
  if (member.joining) --joining_count_;
  return std::exchange(member.joining, std::nullopt);
}

void Group::set_strategies(Member& member, std::vector<Strategy> strategies) {
  const auto count = [&](std::size_t change) {
    std::set<std::string_view> names;
    for (const Strategy& strategy : member.strategies) names.insert(strategy.name);
    for (const std::string_view name : names) {
      if ((offered_[std::string(name)] += change) == 0) offered_.erase(offered_.find(name));
    }
  };
  count(static_cast<std::size_t>(-1));
  member.strategies = std::move(strategies);
  count(1);
}

/// Of what it says of itself, whatever came of it.
void Group::count_bytes(Member& member) {
  member_bytes_ -= member.bytes;
  member.bytes = bytes_said(member.client_id, member.client_host, member.instance_id, member.strategies);
  member_bytes_ += member.bytes;
}

std::optional<MonotonicTime> Group::find_soonest() const {
  std::optional<MonotonicTime> next;
  const auto consider = [&next](std::optional<MonotonicTime> at) {
    if (at.has_value() && (!next.has_value() || *at < *next)) next = at;
  };
  consider(join_deadline_);
  consider(sync_deadline_);
  for (const auto& [member_id, until] : pending_) consider(until);
  for (const auto& [member_id, member] : members_) consider(member.deadline);
  return next;
}

void Group::expire(Now now) {
  soonest_.reset();
  if (state_ == GroupState::kDead) return;
  expire_members(now);
  if (join_deadline_ && *join_deadline_ <= now.monotonic) extend_or_complete_join(now);
  if (sync_deadline_ && *sync_deadline_ <= now.monotonic) expire_sync(now);
  soonest_ = find_soonest();
}

void Group::expire_members(Now now) {
  std::vector<std::string> gone;
  for (auto& [member_id, member] : members_) {
    if (!member.deadline || *member.deadline > now.monotonic) continue;
    // Who waits for an answer cannot send heartbeats; its session goes on with the answer. A new member's wait is bounded.
    if (!member.is_new && (member.joining || member.syncing)) {
      member.deadline.reset();
    } else {
      gone.push_back(member_id);
    }
  }
  const std::size_t members_gone = gone.size();
  const bool all_lost = std::ranges::all_of(gone, [this](const auto& id) { return members_.find(id)->second.pulse.is_lost; });
  for (const auto& [member_id, until] : pending_) {
    if (until <= now.monotonic) gone.push_back(member_id);
  }
  if (gone.empty()) return;
  for (const std::string& member_id : gone) remove_member(member_id);
  const RebalanceCause cause = all_lost ? RebalanceCause::kConnectionLost : RebalanceCause::kSessionExpired;
  if (members_gone > 0) return after_removal(cause, now);
  if (state_ == GroupState::kPreparingRebalance && all_joined()) complete_join(now);
}

void Group::restore(const StoredGroup& stored) {
  members_.clear();
  static_members_.clear();
  offered_.clear();
  member_bytes_ = 0;
  protocol_type_ = stored.protocol_type.empty() ? std::nullopt : std::optional(stored.protocol_type);
  protocol_name_ = stored.protocol_name;
  leader_ = stored.leader.value_or(std::string());
  generation_ = stored.generation;
  state_since_ = stored.state_since;
  for (const StoredMember& from : stored.members) {
    Member& member = members_[from.member_id];
    member.id = from.member_id;
    member.instance_id = from.instance_id;
    member.client_id = from.client_id;
    member.client_host = from.client_host;
    member.session_timeout = Milliseconds(from.session_timeout_ms);
    member.rebalance_timeout =
        Milliseconds(from.rebalance_timeout_ms == -1 ? from.session_timeout_ms : from.rebalance_timeout_ms);
    set_strategies(member, {{.name = protocol_name_.value_or(std::string()), .metadata = from.subscription}});
    count_bytes(member);
    member.assignment = from.assignment;
    if (member.instance_id) static_members_[*member.instance_id] = member.id;
  }
  if (!members_.contains(leader_)) leader_ = members_.empty() ? std::string() : members_.begin()->first;
  state_ = members_.empty() ? GroupState::kEmpty : GroupState::kStable;
  find_subscribed();
}

void Group::start_sessions(Now now) {
  for (auto& [member_id, member] : members_) keep_alive(member, now);
  if (members_.size() > context_.options.members_max) prepare_rebalance(RebalanceCause::kGroupTooLarge, now);
}

void Group::release_waiters() {
  for (auto& [member_id, member] : members_) {
    if (const auto waiter = end_join(member)) refuse_join(*waiter, member_id, KafkaError::kNotCoordinator);
    if (member.syncing) context_.reply(*member.syncing, SyncAnswer{.error = KafkaError::kNotCoordinator});
    member.syncing.reset();
  }
}

StoredGroup Group::stored(const std::map<std::string, Blob>* assignments) const {
  StoredGroup to{.protocol_type = protocol_type_.value_or(std::string()),
                 .generation = generation_,
                 .protocol_name = protocol_name_,
                 .state_since = state_since_};
  if (!leader_.empty()) to.leader = leader_;
  for (const auto& [member_id, member] : members_) {
    const auto strategy = std::ranges::find(member.strategies, protocol_name_, [](const Strategy& s) {
      return std::optional<std::string>(s.name);
    });
    to.members.push_back({.member_id = member_id,
                          .instance_id = member.instance_id,
                          .client_id = member.client_id,
                          .client_host = member.client_host,
                          .rebalance_timeout_ms = static_cast<std::int32_t>(member.rebalance_timeout.count()),
                          .session_timeout_ms = static_cast<std::int32_t>(member.session_timeout.count()),
                          .subscription = strategy != member.strategies.end() ? strategy->metadata : Blob(),
                          .assignment = assignments != nullptr ? assignments->at(member_id) : member.assignment});
  }
  return to;
}

void Group::store(const std::map<std::string, Blob>* assignments, Settled settled) {
  std::vector<LogRecord> records;
  records.push_back(group_record(id_, stored(assignments)));
  context_.append(id_, std::move(records), std::move(settled));
}

bool Group::is_subscribed(std::string_view topic) const {
  return subscribed_.has_value() ? subscribed_->contains(topic) : is_consumer_group();
}

DescribedGroup Group::describe() const {
  DescribedGroup to{.group_id = id_, .state = state_, .protocol_type = protocol_type_.value_or(std::string())};
  const bool stable = state_ == GroupState::kStable;
  if (stable) to.protocol_name = protocol_name_.value_or(std::string());
  for (const auto& [member_id, member] : members_) {
    DescribedMember& described = to.members.emplace_back();
    described = {.member_id = member_id,
                 .instance_id = member.instance_id,
                 .client_id = member.client_id,
                 .client_host = member.client_host};
    if (!stable) continue;
    described.assignment = member.assignment;
    for (const Strategy& strategy : member.strategies) {
      if (strategy.name == to.protocol_name) described.metadata = strategy.metadata;
    }
  }
  return to;
}

}  // namespace pyralog::coordinator
