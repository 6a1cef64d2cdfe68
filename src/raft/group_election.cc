#include <algorithm>
#include <utility>

#include "raft/group.h"
#include "raft/planted.h"

namespace pyralog::raft {
namespace {

constexpr std::size_t kDelayedVotesMax = 2 * kVotersMax;

}  // namespace

bool Group::may_stand() const noexcept { return configuration().has_voter(self_) || must_stand_; }

/// Those who may lead stand in the order of the configuration, as far as they live; then everybody else.
Duration Group::standing_delay() {
  const bool leads_for_good = configuration().may_lead(self_);
  std::int64_t rank = 0;
  for (const Member& member : configuration().members) {
    if (leads_for_good && member.id == self_) break;
    if (configuration().may_lead(member.id) && !is_suspected(member.id)) ++rank;
  }
  const auto jitter = static_cast<std::uint64_t>(options_.rank_jitter.count());
  return rank * options_.rank_step + Duration(static_cast<std::int64_t>(random_.below(jitter + 1)));
}

Duration Group::random_timeout() {
  const auto least = static_cast<std::uint64_t>(options_.election_timeout.count());
  return Duration(static_cast<std::int64_t>(random_.between(least, 2 * least)));
}

/// Without a majority to ask there is nothing to do; `trust` comes back to it.
void Group::await_leader(MonotonicTime at) {
  election_at_.reset();
  if (may_stand() && has_live_quorum()) election_at_ = at;
}

void Group::lose_leader(MonotonicTime now) {
  set_role(Role::kFollower, std::nullopt);
  await_leader(now + standing_delay());
}

Result<> Group::stand(MonotonicTime now) {
  if (!configuration().may_lead(self_)) return Error(ErrorCode::kUnavailable, "only a voter with data stands for election");
  campaign(false, true, now);
  return {};
}

void Group::campaign(bool is_pre, bool is_transfer, MonotonicTime now) {
  if (term_ == kTermMax) return;
  leave_leading();
  if (is_pre) {
    set_role(Role::kPreCandidate, std::nullopt);
  } else {
    enter_term(Term(term_.value + 1));
    vote_ = self_;
    gives_vote_ = true;
    set_role(Role::kCandidate, std::nullopt);
  }
  await_leader(now + random_timeout());
  const Term asked = is_pre ? Term(term_.value + 1) : term_;
  campaign_ = std::make_unique<Campaign>(Campaign{.term = asked, .is_transfer = is_transfer, .granted = {}});
  const VoteRequest request{
      .term = asked, .is_pre = is_pre, .is_transfer = is_transfer, .last = log_.last(), .tail = nullptr};
  for (const Member& member : configuration().members) {
    if (member.id == self_ || !configuration().has_voter(member.id)) continue;
    // What a candidate says of its log and its own vote must survive it, or two lives of it would gather votes.
    if (is_pre) {
      send(member.id, request);
    } else {
      promise({.from = self_, .to = member.id, .body = request});
    }
  }
  if (is_pre) {
    count_vote(self_, now);
  } else {
    promise({.from = self_, .to = self_, .body = VoteReply{.term = term_, .asked = term_, .granted = true}});
  }
}

void Group::count_vote(const ReplicaId& voter, MonotonicTime now) {
  auto& granted = campaign_->granted;
  if (std::ranges::find(granted, voter) == granted.end()) granted.push_back(voter);
  const auto has_granted = [&](const ReplicaId& id) { return std::ranges::find(granted, id) != granted.end(); };
  bool is_won = configuration().has_quorum(has_granted);
  if (planted(Bug::kAnyVoteCounts)) {
    const auto voters = static_cast<std::size_t>(std::ranges::count(configuration().members, true, &Member::is_voter));
    is_won = granted.size() > voters / 2;
  }
  if (!is_won) return;
  if (role_ == Role::kPreCandidate) {
    campaign(false, false, now);
  } else {
    become_leader(now);
  }
}

void Group::become_leader(MonotonicTime now) {
  campaign_.reset();
  election_at_.reset();
  must_stand_ = false;
  release(delayed_);
  leading_ = std::make_unique<Leading>();
  leading_->is_caretaker = !configuration().may_lead(self_);
  for (RaftIndex i = commit_ + 1; i <= log_.last_index(); i = i + 1) {
    if (const Payload& payload = log_.at(i).payload) leading_->uncommitted_bytes += payload->size();
  }
  match_members_to_configuration();
  set_role(Role::kLeader, self_);
  if (options_.opens_term && !leading_->is_caretaker) append_entry(Entry{});
  replicate(now);
}

void Group::on(const Message& from, const VoteRequest& request, MonotonicTime now, CandidateTail tail) {
  if (request.term < term_) return answer_vote(from.from, request, false);
  // Who stands for a later term does not lead any more.
  if (request.term > term_ && leader_ == from.from) lose_leader(now);
  if (has_live_leader() && !request.is_transfer) {
    answer_vote(from.from, request, false);
    if (Progress* member = find_progress(from.from)) {  // it has not heard who leads
      member->restart();
      replicate_to(*member);
      arm_retry(now);
    }
    return;
  }
  const bool is_soft = request.is_pre && !request.is_transfer && tail == CandidateTail::kShorter;
  if (!is_soft || request.last < log_.last()) return decide_vote(from.from, request, now);
  if (delayed_.size() < kDelayedVotesMax) delayed_.push_back({.request = from, .due = now + options_.tail_delay});
}

void Group::decide_vote(const ReplicaId& candidate, const VoteRequest& request, MonotonicTime now) {
  if (request.term > term_ && !request.is_pre) become_follower(request.term, now);
  const bool is_free = request.term > term_ || (!leader_ && (!vote_ || vote_ == candidate)) || planted(Bug::kVotesTwice);
  const bool is_older = request.last < log_.last() && !planted(Bug::kVoteIgnoresLog);
  if (!is_free || is_older) {
    answer_vote(candidate, request, false);
    if (is_older) refuse_older_log(now);
    return;
  }
  if (request.is_pre) {
    // Leave the one that asks the time to win.
    if (election_at_ && role_ == Role::kFollower) election_at_ = std::max(*election_at_, now + random_timeout());
    return answer_vote(candidate, request, true);
  }
  become_follower(request.term, now);
  vote_ = candidate;
  hard_dirty_ = true;
  gives_vote_ = true;
  answer_vote(candidate, request, true);
}

void Group::answer_vote(const ReplicaId& candidate, const VoteRequest& request, bool granted) {
  const VoteReply reply{.term = term_, .asked = request.term, .is_pre = request.is_pre, .granted = granted, .tail = nullptr};
  if (granted && !request.is_pre) {
    promise({.from = self_, .to = candidate, .body = reply});
  } else {
    send(candidate, reply);
  }
}

/// Somebody must bring the newest log to those who may lead, and it can only be one who has it: a learner or a removed
/// voter, too.
void Group::refuse_older_log(MonotonicTime now) {
  if (role_ != Role::kFollower) return;
  must_stand_ = true;
  const MonotonicTime at = now + standing_delay();
  if (!election_at_ || at < *election_at_) election_at_ = at;
}

void Group::on(const Message& from, const VoteReply& reply, MonotonicTime now) {
  if (reply.term > term_) {
    become_follower(reply.term, now);
    await_leader(now + standing_delay());
    return;
  }
  if (!reply.granted) return;
  if (reply.asked == term_ && !reply.is_pre && (role_ == Role::kCandidate || role_ == Role::kLeader)) {
    output().seals.push_back({.voter = from.from, .term = term_, .tail = reply.tail});
  }
  if (campaign_ == nullptr || reply.asked != campaign_->term) return;
  const bool is_of_phase = reply.is_pre == (role_ == Role::kPreCandidate);
  if (is_of_phase || planted(Bug::kPreVoteCountsAsVote)) count_vote(from.from, now);
}

void Group::on(const Message& from, const TimeoutNow& timeout, MonotonicTime now) {
  if (timeout.term < term_) {
    send(from.from, AppendReply{.term = term_});  // it does not lead any more
  } else if (timeout.term == term_ && leader_ == from.from && configuration().may_lead(self_)) {
    campaign(false, true, now);
  }
}

}  // namespace pyralog::raft
