#include "raft/group.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "raft/planted.h"

namespace pyralog::raft {
namespace {

Result<> check_restored(const Restored& restored) {
  const auto corrupt = [](const char* why) { return Error(ErrorCode::kCorrupt, why); };
  const SnapshotMeta& base = restored.snapshot;
  if (base.configuration == nullptr) return corrupt("a replica's log begins with no configuration");
  const bool is_blank = base.index == RaftIndex(0) && base.configuration->members.empty();
  if (!is_blank && !base.configuration->check().ok()) return corrupt("a replica's log begins with an impossible configuration");
  Term least = base.term;
  for (const Entry& entry : restored.entries) {
    if (entry.term < least) return corrupt("the terms of a replica's entries go back");
    least = entry.term;
  }
  if (least > restored.hard.term) return corrupt("a replica's entries are newer than its term");
  if (base.index < RaftIndex(0) || base.index > kIndexMax) return corrupt("a replica's log begins at an impossible index");
  const RaftIndex last = base.index + static_cast<std::int64_t>(restored.entries.size());
  if (restored.hard.commit_hint > last) {
    return corrupt("committed entries of a replica are gone: it must not vote; give its disk a new identity and add it anew");
  }
  return {};
}

}  // namespace

Group::Group(const GroupOptions& options, ReplicaId self, Restored restored, Random random)
    : options_(options),
      self_(self),
      random_(random),
      log_(std::move(restored.snapshot), std::move(restored.entries)),
      term_(restored.hard.term),
      vote_(restored.hard.vote),
      commit_(std::max(restored.hard.commit_hint, log_.base().index)),
      applied_(log_.base().index),
      durable_(log_.last_index()) {}

Result<std::unique_ptr<Group>> Group::open(const GroupOptions& options, ReplicaId self, Restored restored, Random random,
                                           MonotonicTime now) {
  PYRALOG_TRY(check_restored(restored));
  std::unique_ptr<Group> group(new Group(options, self, std::move(restored), random));
  group->hand_out_committed();
  const bool is_alone = group->configuration().has_quorum([&](const ReplicaId& id) { return id == self; });
  group->await_leader(is_alone ? now : now + group->random_timeout() + group->standing_delay());
  return group;
}

Output Group::take_output() {
  Output out;
  if (output_ != nullptr) {
    out = std::move(*output_);
    output_.reset();
  }
  if (hard_dirty_ || base_dirty_ || dirty_from_) make_persist(out);
  if (!promises_.empty()) {
    auto& to = persisting_.empty() ? out.messages : persisting_.back().promises;
    std::ranges::move(promises_, std::back_inserter(to));
    release(promises_);
  }
  return out;
}

void Group::make_persist(Output& out) {
  Persist persist{.id = PersistId(++persist_last_.value),
                  .hard = {.term = term_, .vote = vote_, .commit_hint = std::min(commit_, durable_)},
                  .gives_vote = std::exchange(gives_vote_, false)};
  if (base_dirty_) persist.snapshot = log_.base();
  const RaftIndex behind_snapshot = log_.base().index + 1;
  persist.first = std::max(dirty_from_.value_or(log_.last_index() + 1), behind_snapshot);
  for (RaftIndex i = persist.first; i <= log_.last_index(); i = i + 1) persist.entries.push_back(log_.at(i));
  hard_dirty_ = base_dirty_ = false;
  dirty_from_.reset();
  persisting_.push_back({.id = persist.id, .last = log_.last_index(), .promises = {}});
  out.persist = std::move(persist);
}

void Group::persisted(PersistId id, MonotonicTime now) {
  PYRALOG_ASSERT(id <= persist_last_, "a record that was never handed out");
  std::size_t done = 0;
  std::vector<Message> kept;
  while (done < persisting_.size() && persisting_[done].id <= id) {
    durable_ = std::max(durable_, persisting_[done].last);
    std::ranges::move(persisting_[done].promises, std::back_inserter(kept));
    ++done;
  }
  if (done == persisting_.size()) {
    release(persisting_);
  } else {
    persisting_.erase(persisting_.begin(), persisting_.begin() + static_cast<std::ptrdiff_t>(done));
  }
  for (Message& message : kept) {
    if (message.to == self_) {
      on(message, std::get<VoteReply>(message.body), now);
    } else {
      output().messages.push_back(std::move(message));
    }
  }
  if (role_ == Role::kLeader) count_copies(now);
  hand_out_committed();
}

Output& Group::output() {
  if (output_ == nullptr) output_ = std::make_unique<Output>();
  return *output_;
}

void Group::promise(Message message) {
  const bool leaves_early = planted(Bug::kVoteBeforePersist) ? std::holds_alternative<VoteReply>(message.body)
                            : planted(Bug::kAppendAnswerBeforePersist) ? std::holds_alternative<AppendReply>(message.body)
                                                                       : false;
  if (leaves_early && message.to != self_) {
    output().messages.push_back(std::move(message));
  } else {
    promises_.push_back(std::move(message));
  }
}

void Group::log_changed_from(RaftIndex index) {
  dirty_from_ = std::min(dirty_from_.value_or(index), index);
  if (planted(Bug::kPersistOfTruncatedCounts)) return;
  durable_ = std::min(durable_, index - 1);
  // What is on its way to the disk says something else from here on.
  for (Persisting& persisting : persisting_) persisting.last = std::min(persisting.last, index - 1);
}

Result<> Group::step(const Message& message, MonotonicTime now, CandidateTail tail) {
  if (message.to != self_) return Error(ErrorCode::kForeign, "a message for another replica");
  PYRALOG_TRY(check_message(message));
  return std::visit(
      [&]<class Body>(const Body& body) -> Result<> {
        if constexpr (std::is_same_v<Body, VoteRequest>) {
          return on(message, body, now, tail), Result<>();
        } else if constexpr (std::is_same_v<Body, VoteReply> || std::is_same_v<Body, TimeoutNow>) {
          return on(message, body, now), Result<>();
        } else {
          return on(message, body, now);
        }
      },
      message.body);
}

std::optional<MonotonicTime> Group::next_deadline() const {
  std::optional<MonotonicTime> next = election_at_;
  const auto add = [&](MonotonicTime at) { next = next ? std::min(*next, at) : at; };
  for (const DelayedVote& delayed : delayed_) add(delayed.due);
  if (leading_ != nullptr && leading_->retry_at) add(*leading_->retry_at);
  if (leading_ != nullptr && leading_->transfer) add(leading_->transfer->deadline);
  return next;
}

void Group::tick(MonotonicTime now) {
  while (!delayed_.empty() && delayed_.front().due <= now) {
    const Message request = std::move(delayed_.front().request);
    delayed_.erase(delayed_.begin());
    on(request, std::get<VoteRequest>(request.body), now, CandidateTail::kNotShorter);
  }
  if (delayed_.empty()) release(delayed_);
  if (election_at_ && *election_at_ <= now) {
    election_at_.reset();
    if (may_stand() && role_ != Role::kLeader && has_live_quorum()) campaign(true, false, now);
  }
  if (leading_ != nullptr && leading_->transfer && leading_->transfer->deadline <= now) end_transfer(now);
  if (leading_ != nullptr && leading_->retry_at && *leading_->retry_at <= now) retry(now);
}

void Group::suspect(const ReplicaId& replica, MonotonicTime now) {
  if (replica == self_ || is_suspected(replica)) return;
  suspected_.push_back(replica);
  if (role_ == Role::kLeader) {
    if (!options_.leads_without_majority && !has_live_quorum()) become_follower(term_, now);
  } else if (leader_ == replica) {
    lose_leader(now);
  }
}

void Group::trust(const ReplicaId& replica, MonotonicTime now) {
  if (std::erase(suspected_, replica) == 0) return;
  if (suspected_.empty()) release(suspected_);
  if (leader_ == replica) {
    election_at_.reset();
  } else if (!has_live_leader() && !election_at_) {
    await_leader(now + standing_delay());
  }
  if (Progress* member = find_progress(replica)) {
    member->restart();
    replicate_to(*member);
    hand_over(now);
    arm_retry(now);
  }
}

Heartbeat Group::heartbeat() const { return {.term = term_, .leads = role_ == Role::kLeader, .commit = commit_}; }

void Group::step_down(MonotonicTime now) {
  if (role_ == Role::kLeader) become_follower(term_, now);
}

Result<> Group::compact(RaftIndex index) {
  if (index > applied_) return Error(ErrorCode::kInvalidArgument, "a snapshot of what is not applied yet");
  if (index <= log_.base().index) return {};
  SnapshotMeta meta = log_.meta_at(index);
  // A replica that was added later learns the members from an entry; a snapshot below it would not tell them to others.
  if (meta.configuration->members.empty()) return Error(ErrorCode::kUnavailable, "the members at that index are not known");
  log_.install(std::move(meta));
  base_dirty_ = true;
  return {};
}

const Configuration& Group::configuration() const {
  if (planted(Bug::kConfigurationUsedOnceCommitted) && log_.configuration_index() > commit_) {
    return commit_ > log_.base().index ? *log_.meta_at(commit_).configuration : *log_.base().configuration;
  }
  return *log_.configuration();
}

void Group::enter_term(Term term) {
  term_ = term;
  vote_.reset();
  verified_ = RaftIndex(0);
  hard_dirty_ = true;
}

void Group::become_follower(Term term, MonotonicTime now) {
  if (term > term_) enter_term(term);
  campaign_.reset();
  leave_leading();
  set_role(Role::kFollower, std::nullopt);
  await_leader(now + random_timeout());
}

void Group::follow_leader(Term term, const ReplicaId& leader, MonotonicTime now) {
  if (term > term_) enter_term(term);
  campaign_.reset();
  leave_leading();
  set_role(Role::kFollower, leader);
  must_stand_ = false;
  release(delayed_);
  if (has_live_leader()) {
    election_at_.reset();
  } else if (!election_at_) {
    await_leader(now + random_timeout());
  }
}

void Group::set_role(Role role, std::optional<ReplicaId> leader) {
  if (role_ == role && leader_ == leader) return;
  if (role_ == Role::kLeader || role == Role::kLeader) output().heartbeat_changed = true;
  role_ = role;
  leader_ = leader;
  output().roles.push_back({.term = term_, .role = role, .leader = leader, .is_caretaker = is_caretaker()});
}

void Group::leave_leading() {
  if (leading_ == nullptr) return;
  for (const WaitingRead& waiting : leading_->reads) output().reads.push_back({.id = waiting.id, .index = std::nullopt});
  leading_.reset();
}

void Group::advance_commit(RaftIndex commit) {
  if (commit <= commit_) return;
  PYRALOG_ASSERT(commit <= log_.last_index(), "committed beyond the log");
  if (leading_ != nullptr) {
    for (RaftIndex i = commit_ + 1; i <= commit; i = i + 1) {
      if (const Payload& payload = log_.at(i).payload) leading_->uncommitted_bytes -= payload->size();
    }
    output().heartbeat_changed = true;
  }
  commit_ = commit;
  hand_out_committed();
}

void Group::hand_out_committed() {
  const RaftIndex end = std::min(commit_, durable_);
  while (applied_ < end) {
    applied_ = applied_ + 1;
    output().committed.push_back({.index = applied_, .entry = log_.at(applied_)});
  }
}

bool Group::is_suspected(const ReplicaId& replica) const noexcept {
  return std::ranges::find(suspected_, replica) != suspected_.end();
}

}  // namespace pyralog::raft
