// Joining a group, and its rebalances. See group.h.
#include <algorithm>

#include "coordinator/group.h"

namespace pyralog::coordinator {
namespace {

std::string fresh_member_id(const JoinRequest& request) {
  const std::string& prefix = request.instance_id ? *request.instance_id : request.client_id;
  return prefix.substr(0, kMemberIdPrefixBytesMax) + "-" + request.fresh_id.to_string();
}

}  // namespace

void Group::refuse_join(WaiterId waiter, std::string_view member_id, KafkaError error) {
  context_.reply(waiter, JoinAnswer{.error = error, .member_id = std::string(member_id)});
}

JoinAnswer Group::current_generation(const Member& member) const {
  JoinAnswer answer{.generation = generation_,
                    .protocol_type = protocol_type_,
                    .protocol_name = protocol_name_,
                    .leader = leader_,
                    .member_id = member.id};
  if (member.id != leader_) return answer;
  for (const auto& [member_id, other] : members_) {
    JoinedMember& joined = answer.members.emplace_back();
    joined = {.member_id = member_id, .instance_id = other.instance_id};
    for (const Strategy& strategy : other.strategies) {
      if (strategy.name == protocol_name_) joined.metadata = strategy.metadata;
    }
  }
  return answer;
}

bool Group::accepts(std::string_view member_id) const {
  const std::size_t members_max = context_.options.members_max;
  const auto found = members_.find(member_id);
  switch (state_) {
    case GroupState::kEmpty:
    case GroupState::kDead:
      return true;
    case GroupState::kPreparingRebalance:
      // Those who wait count, not the members: after the limit was lowered, the last to come back are left out.
      return (found != members_.end() && found->second.joining) || joining_count_ < members_max;
    case GroupState::kCompletingRebalance:
    case GroupState::kStable:
      return found != members_.end() || members_.size() < members_max;
  }
  return false;
}

bool Group::has_room(const JoinRequest& request) const {
  const auto known = request.instance_id ? static_members_.find(*request.instance_id) : static_members_.end();
  const auto member = members_.find(known != static_members_.end() ? known->second : request.member_id);
  const std::size_t replaced = member != members_.end() ? member->second.bytes : 0;
  const std::size_t said = bytes_said(request.client_id, request.client_host, request.instance_id, request.strategies);
  return member_bytes_ - replaced + said <= context_.options.member_bytes_max;
}

bool Group::supports(std::string_view protocol_type, const std::vector<Strategy>& strategies) const {
  if (protocol_type.empty() || strategies.empty()) return false;
  if (members_.empty()) return true;
  if (protocol_type_ != protocol_type) return false;
  return std::ranges::any_of(strategies, [&](const Strategy& offered) {
    const auto count = offered_.find(offered.name);
    return count != offered_.end() && count->second == members_.size();
  });
}

void Group::join(JoinRequest request, WaiterId waiter, Now now) {
  if (state_ == GroupState::kDead) {
    refuse_join(waiter, request.member_id, KafkaError::kCoordinatorNotAvailable);
  } else if (!accepts(request.member_id) || !has_room(request)) {
    refuse_join(waiter, "", KafkaError::kGroupMaxSizeReached);
    if (!members_.contains(request.member_id)) return;
    remove_member(request.member_id);
    complete_join_if_all(now);
  } else if (!supports(request.protocol_type, request.strategies)) {
    refuse_join(waiter, request.member_id, KafkaError::kInconsistentGroupProtocol);
  } else if (request.member_id.empty()) {
    join_new(request, waiter, now);
  } else {
    join_known(request, waiter, now);
  }
}

void Group::join_new(JoinRequest& request, WaiterId waiter, Now now) {
  std::string member_id = fresh_member_id(request);
  if (request.instance_id) {
    if (static_members_.contains(*request.instance_id)) return join_replacing(request, std::move(member_id), waiter, now);
    return add_member(request, std::move(member_id), waiter, now);
  }
  if (!request.must_know_its_id) return add_member(request, std::move(member_id), waiter, now);
  // So that a client that repeats its first request does not become many members.
  if (pending_.size() >= kPendingMembersMax) return refuse_join(waiter, "", KafkaError::kGroupMaxSizeReached);
  pending_[member_id] = due(now.monotonic + request.session_timeout);
  refuse_join(waiter, member_id, KafkaError::kMemberIdRequired);
}

void Group::join_known(JoinRequest& request, WaiterId waiter, Now now) {
  if (pending_.contains(request.member_id) && !request.instance_id) {
    return add_member(request, std::string(request.member_id), waiter, now);
  }
  if (const auto wrong = check_member(request.member_id, request.instance_id); wrong != KafkaError::kNone) {
    return refuse_join(waiter, request.member_id, wrong);
  }
  rejoin(members_.find(request.member_id)->second, request, waiter, now);
}

void Group::rejoin(Member& member, JoinRequest& request, WaiterId waiter, Now now) {
  const bool unchanged = member.strategies == request.strategies;
  const bool leads = member.id == leader_;
  // A repeated request of one that missed the answer. A stable group's leader asks for a rebalance that way: it has seen
  // what only the assignment depends on change.
  if ((state_ == GroupState::kCompletingRebalance && unchanged) || (state_ == GroupState::kStable && unchanged && !leads)) {
    return context_.reply(waiter, current_generation(member));
  }
  update_member(member, request, waiter);
  rebalance_or_complete(leads && unchanged ? RebalanceCause::kLeaderRejoined : RebalanceCause::kSubscriptionChanged, now);
}

void Group::add_member(JoinRequest& request, std::string member_id, WaiterId waiter, Now now) {
  pending_.erase(member_id);
  if (members_.empty()) protocol_type_ = request.protocol_type;
  Member& member = members_[member_id];
  member.id = member_id;
  member.instance_id = request.instance_id;
  member.client_id = std::move(request.client_id);
  member.client_host = std::move(request.client_host);
  member.is_new = true;
  update_member(member, request, waiter);
  member.deadline = due(now.monotonic + context_.options.new_member_join_timeout);
  if (member.instance_id) static_members_[*member.instance_id] = member_id;
  if (leader_.empty()) leader_ = member_id;
  if (state_ == GroupState::kPreparingRebalance && is_initial_) member_added_ = true;
  rebalance_or_complete(RebalanceCause::kMemberJoined, now);
}

void Group::update_member(Member& member, JoinRequest& request, WaiterId waiter) {
  // An earlier wait of the same member: its client has given it up, and asks again.
  if (member.joining) refuse_join(*member.joining, member.id, KafkaError::kRebalanceInProgress);
  begin_join(member, waiter);
  set_strategies(member, std::move(request.strategies));
  count_bytes(member);
  member.session_timeout = request.session_timeout;
  member.rebalance_timeout = request.rebalance_timeout;
}

Group::Member& Group::replace_static(const std::string& instance_id, const std::string& new_id) {
  const std::string old_id = std::exchange(static_members_[instance_id], new_id);
  auto node = members_.extract(old_id);
  Member& member = node.mapped();
  if (const auto waiter = end_join(member)) refuse_join(*waiter, old_id, KafkaError::kFencedInstanceId);
  if (member.syncing) context_.reply(*member.syncing, SyncAnswer{.error = KafkaError::kFencedInstanceId});
  member.syncing.reset();
  member.id = new_id;
  node.key() = new_id;
  members_.insert(std::move(node));
  if (leader_ == old_id) leader_ = new_id;
  return member;
}

void Group::join_replacing(JoinRequest& request, std::string new_id, WaiterId waiter, Now now) {
  const std::string leader_before = leader_;
  const bool may_skip = request.may_skip_assignment;
  Member& member = replace_static(*request.instance_id, new_id);
  keep_alive(member, now);
  update_member(member, request, waiter);
  if (state_ == GroupState::kStable && select_strategy() == protocol_name_) {
    store_replacement(member, leader_before, may_skip, waiter);
  } else if (state_ == GroupState::kPreparingRebalance) {
    complete_join_if_all(now);
  } else {
    // While the leader assigns, it may have been told of the old id.
    prepare_rebalance(RebalanceCause::kStaticMemberReplaced, now);
  }
}

void Group::store_replacement(const Member& member, const std::string& leader_before, bool may_skip, WaiterId waiter) {
  // A client that cannot be told to skip its assignment must not find itself the leader, or it would assign anew.
  const std::string leader_told = may_skip ? leader_ : leader_before;
  GroupContext& context = context_;
  auto settled = [&context, group_id = id_, member_id = member.id, generation = generation_, leader_told, may_skip,
                  waiter](KafkaError outcome, Now) {
    Group* group = context.find(group_id);
    if (group == nullptr) return;
    const auto found = group->members_.find(member_id);
    // If a rebalance has begun meanwhile, the join waits for that one's end.
    if (found == group->members_.end() || found->second.joining != waiter) return;
    if (group->generation_ != generation || group->state_ != GroupState::kStable) return;
    group->end_join(found->second);
    if (outcome != KafkaError::kNone) return group->refuse_join(waiter, "", outcome);
    group->answer_replacement(member_id, leader_told, may_skip, waiter);
  };
  store(nullptr, std::move(settled));
}

void Group::answer_replacement(const std::string& member_id, const std::string& leader_told, bool may_skip,
                               WaiterId waiter) {
  JoinAnswer answer = current_generation(members_.find(member_id)->second);
  answer.leader = leader_told;
  answer.skip_assignment = may_skip && member_id == leader_;
  if (!may_skip) answer.members.clear();
  context_.reply(waiter, std::move(answer));
}

bool Group::all_joined() const {
  return pending_.empty() && joining_count_ == members_.size();
}

void Group::rebalance_or_complete(RebalanceCause cause, Now now) {
  if (can_rebalance()) {
    prepare_rebalance(cause, now);
  } else {
    complete_join_if_all(now);
  }
}

void Group::complete_join_if_all(Now now) {
  if (state_ == GroupState::kPreparingRebalance && !is_initial_ && all_joined()) complete_join(now);
}

void Group::prepare_rebalance(RebalanceCause cause, Now now) {
  if (state_ == GroupState::kCompletingRebalance) {
    fail_syncs(KafkaError::kRebalanceInProgress, now);
  } else {
    rebalance_began_ = now.monotonic;
  }
  ++context_.counters.rebalances[static_cast<std::size_t>(cause)];
  sync_deadline_.reset();
  for (auto& [member_id, member] : members_) member.must_sync = false;
  is_initial_ = state_ == GroupState::kEmpty;
  move_to(GroupState::kPreparingRebalance, now);
  if (is_initial_) {
    member_added_ = false;
    initial_delay_ = context_.options.initial_rebalance_delay;
    initial_remaining_ = std::max(rebalance_timeout() - initial_delay_, Milliseconds(0));
    join_deadline_ = due(now.monotonic + initial_delay_);
  } else if (all_joined()) {
    complete_join(now);
  } else {
    join_deadline_ = due(now.monotonic + rebalance_timeout());
  }
}

void Group::extend_or_complete_join(Now now) {
  if (!is_initial_ || !member_added_ || initial_remaining_ == Milliseconds(0)) return complete_join(now);
  member_added_ = false;
  const Milliseconds waited = initial_delay_;
  initial_delay_ = std::min(context_.options.initial_rebalance_delay, initial_remaining_);
  initial_remaining_ = std::max(initial_remaining_ - waited, Milliseconds(0));
  join_deadline_ = due(now.monotonic + initial_delay_);
}

void Group::complete_join(Now now) {
  join_deadline_.reset();
  std::vector<std::string> absent;
  for (const auto& [member_id, member] : members_) {
    if (!member.joining && !member.instance_id) absent.push_back(member_id);
  }
  for (const std::string& member_id : absent) remove_member(member_id);
  if (!members_.empty() && !elect_joined_leader()) {
    // Only static members are left, and none has come back: until their sessions end, they are waited for.
    join_deadline_ = due(now.monotonic + std::max(rebalance_timeout(), kRejoinWaitMin));
    return;
  }
  begin_generation(now);
  if (members_.empty()) {
    // If this cannot be stored, the generation before is found after a restart, without anybody in it.
    return store(nullptr, [](KafkaError, Now) {});
  }
  for (auto& [member_id, member] : members_) {
    if (const auto waiter = end_join(member)) context_.reply(*waiter, current_generation(member));
    member.is_new = false;
    member.must_sync = true;
    keep_alive(member, now);
  }
  sync_deadline_ = due(now.monotonic + rebalance_timeout());
}

bool Group::elect_joined_leader() {
  const auto leads = members_.find(leader_);
  if (leads != members_.end() && leads->second.joining) return true;
  const auto joined = std::ranges::find_if(members_, [](const auto& entry) { return entry.second.joining.has_value(); });
  if (joined == members_.end()) return false;
  leader_ = joined->first;
  return true;
}

void Group::begin_generation(Now now) {
  is_initial_ = false;
  generation_.value = generation_.value == INT32_MAX ? 1 : generation_.value + 1;
  if (members_.empty()) {
    protocol_name_.reset();
    move_to(GroupState::kEmpty, now);
  } else {
    protocol_name_ = select_strategy();
    move_to(GroupState::kCompletingRebalance, now);
  }
  find_subscribed();
}

std::string Group::select_strategy() const {
  // Each member votes for the first of its strategies that all have; of several with as many votes, the one that the
  // leader likes best wins.
  std::map<std::string_view, std::size_t> votes;
  const auto leads = members_.find(leader_);
  const Member& chooser = leads != members_.end() ? leads->second : members_.begin()->second;
  std::vector<std::string_view> candidates;
  for (const Strategy& strategy : chooser.strategies) {
    if (offered_.find(strategy.name)->second == members_.size()) candidates.push_back(strategy.name);
  }
  if (candidates.empty()) return {};
  for (const auto& [member_id, member] : members_) {
    const auto vote = std::ranges::find_if(member.strategies, [&](const Strategy& strategy) {
      return std::ranges::find(candidates, strategy.name) != candidates.end();
    });
    ++votes[vote->name];
  }
  return std::string(*std::ranges::max_element(candidates, {}, [&](std::string_view name) { return votes[name]; }));
}

void Group::find_subscribed() {
  subscribed_.reset();
  if (!is_consumer_group()) return;
  std::set<std::string, std::less<>> topics;
  for (const auto& [member_id, member] : members_) {
    const auto chosen = std::ranges::find_if(
        member.strategies, [&](const Strategy& strategy) { return strategy.name == protocol_name_; });
    if (chosen == member.strategies.end()) return;
    auto theirs = subscribed_topics(chosen->metadata);
    if (!theirs.ok()) return;
    for (std::string& topic : *theirs) topics.insert(std::move(topic));
  }
  subscribed_ = std::move(topics);
}

Milliseconds Group::rebalance_timeout() const {
  Milliseconds longest{0};
  for (const auto& [member_id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

void Group::move_to(GroupState state, Now now) {
  state_ = state;
  state_since_ = now.wall;
}

}  // namespace pyralog::coordinator
