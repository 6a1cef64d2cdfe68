#include <algorithm>
#include <utility>

#include "raft/group.h"
#include "raft/planted.h"

namespace pyralog::raft {
namespace {

std::size_t payload_bytes(const Entry& entry) { return entry.payload == nullptr ? 0 : entry.payload->size(); }

Error unavailable(const char* why) { return Error(ErrorCode::kUnavailable, why); }

}  // namespace

// Replication.

const Progress* Group::progress(const ReplicaId& member) const noexcept {
  return const_cast<Group*>(this)->find_progress(member);
}

Progress* Group::find_progress(const ReplicaId& member) noexcept {
  if (leading_ == nullptr) return nullptr;
  const auto found = std::ranges::find(leading_->members, member, &Progress::id);
  return found == leading_->members.end() ? nullptr : &*found;
}

Result<> Group::on(const Message& from, const AppendReply& reply, MonotonicTime now) {
  if (reply.term > term_) return become_follower(reply.term, now), Result<>();
  Progress* member = find_progress(from.from);
  if (reply.term < term_ || member == nullptr) return {};
  if (reply.accepted) {
    if (reply.matched > log_.last_index()) return Error(ErrorCode::kCorrupt, "append reply: has what was never sent");
    member->accepted(reply.matched);
    count_copies(now);
  } else if (member->is_refusal_new(reply.previous)) {
    step_back(*member, reply);
  }
  replicate_to(*member);
  advance_transfer(now);
  arm_retry(now);
  return {};
}

/// Skips the whole of a term that the two logs cannot share, from either side, so that finding where they part takes as
/// many messages as they have terms.
void Group::step_back(Progress& member, const AppendReply& reply) {
  RaftIndex next = reply.conflict_first;
  if (reply.conflict_term > Term(0)) {
    const RaftIndex last = log_.last_up_to_term(reply.conflict_term);
    next = log_.has({reply.conflict_term, last}) ? last + 1 : std::min(next, last + 1);
  }
  member.refused(std::max(std::min(next, reply.previous), member.match() + 1));
}

void Group::replicate(MonotonicTime now) {
  for (Progress& member : leading_->members) replicate_to(member);
  hand_over(now);
  arm_retry(now);
}

void Group::replicate_to(Progress& member) {
  if (is_suspected(member.id())) return;
  while (member.may_send(options_.appends_in_flight_max)) {
    if (member.next() <= log_.base().index) {
      send(member.id(), InstallSnapshot{.term = term_, .snapshot = log_.base()});
      return member.begin_snapshot(log_.base().index);
    }
    Append append = next_append(member);
    if (append.entries.empty() && member.state() == Progress::State::kStream) return;
    member.sent(append.previous.index + static_cast<std::int64_t>(append.entries.size()));
    send(member.id(), std::move(append));
  }
}

Append Group::next_append(const Progress& member) const {
  const RaftIndex previous = member.next() - 1;
  Append append{.term = term_, .previous = {log_.term_at(previous).value_or(Term(0)), previous}, .commit = commit_};
  std::size_t bytes = 0;
  for (RaftIndex i = member.next(); i <= log_.last_index(); i = i + 1) {
    const Entry& entry = log_.at(i);
    bytes += payload_bytes(entry);
    if (!append.entries.empty() && bytes > options_.append_bytes_max) break;
    if (append.entries.size() == kEntriesPerAppendMax) break;
    append.entries.push_back(entry);
  }
  return append;
}

void Group::snapshot_ended(const ReplicaId& member, MonotonicTime now) {
  Progress* progress = find_progress(member);
  if (progress == nullptr || progress->state() != Progress::State::kSnapshot) return;
  progress->restart();
  replicate_to(*progress);
  arm_retry(now);
}

bool Group::owes_answer(const Progress& member) const noexcept {
  if (is_suspected(member.id())) return false;
  const bool is_asked = !leading_->reads.empty() && configuration().has_voter(member.id());
  if (is_asked && member.round() < leading_->round) return true;
  return member.state() == Progress::State::kProbe ||
         (member.state() == Progress::State::kStream && member.match() < log_.last_index());
}

void Group::arm_retry(MonotonicTime now) {
  if (leading_ == nullptr) return;
  const bool awaits = std::ranges::any_of(leading_->members, [&](const Progress& member) { return owes_answer(member); });
  if (!awaits) {
    leading_->retry_at.reset();
  } else if (!leading_->retry_at) {
    leading_->retry_at = now + options_.retry_interval;
  }
}

void Group::retry(MonotonicTime now) {
  leading_->retry_at.reset();
  for (Progress& member : leading_->members) {
    if (!owes_answer(member)) {
      member.owes_nothing();
    } else if (member.is_stuck()) {
      if (member.state() != Progress::State::kSnapshot) member.restart();
      replicate_to(member);
      if (!leading_->reads.empty()) {
        send(member.id(), Heartbeat{.term = term_, .commit = commit_, .round = leading_->round});
      }
    }
  }
  arm_retry(now);
}

void Group::count_copies(MonotonicTime now) {
  const bool counts_unsynced = planted(Bug::kLeaderCountsUnsynced);
  const auto copied = [&](const ReplicaId& id) {
    if (id == self_) return (counts_unsynced ? log_.last_index() : durable_).value;
    const Progress* member = find_progress(id);
    return member == nullptr ? 0 : member->match().value;
  };
  Configuration counted;
  if (planted(Bug::kJointNeedsOneSide) || planted(Bug::kLearnerCounts)) {
    counted = configuration();
    counted.is_joint = counted.is_joint && !planted(Bug::kJointNeedsOneSide);
    for (Member& member : counted.members) member.is_voter |= planted(Bug::kLearnerCounts);
  }
  const RaftIndex agreed((counted.members.empty() ? configuration() : counted).agreed(copied));
  // Entries of older terms are committed by one of this term above them, never by their own copies (Raft §5.4.2).
  if (agreed <= commit_ || (log_.term_at(agreed) != term_ && !planted(Bug::kCommitOfOlderTerm))) return;
  advance_commit(agreed);
  answer_reads();
  if (log_.configuration_index() <= commit_ && !configuration().may_lead(self_) && !leading_->is_caretaker) {
    leading_->is_caretaker = true;
    output().roles.push_back({.term = term_, .role = role_, .leader = leader_, .is_caretaker = true});
    hand_over(now);
  }
}

// Proposals.

void Group::append_entry(Entry entry) {
  entry.term = term_;
  leading_->uncommitted_bytes += payload_bytes(entry);
  const bool changes_members = entry.configuration != nullptr;
  log_.append(std::move(entry));
  log_changed_from(log_.last_index());
  if (changes_members) match_members_to_configuration();
}

void Group::match_members_to_configuration() {
  std::vector<Progress> members;
  for (const Member& member : configuration().members) {
    if (member.id == self_) continue;
    Progress* known = find_progress(member.id);
    members.push_back(known != nullptr ? std::move(*known) : Progress(member.id, log_.last_index() + 1));
  }
  leading_->members = std::move(members);
}

Result<> Group::check_leads() const {
  if (role_ != Role::kLeader) return Error(ErrorCode::kNotLeader);
  if (leading_->is_caretaker) return unavailable("this replica only leads until it has handed over");
  return {};
}

Result<RaftIndex> Group::propose_entry(Entry entry, MonotonicTime now) {
  PYRALOG_TRY(check_leads());
  if (leading_->transfer) return unavailable("leadership is being transferred");
  if (payload_bytes(entry) > options_.append_bytes_max) return Error(ErrorCode::kTooLarge, "the entry does not fit an append");
  if (leading_->uncommitted_bytes + payload_bytes(entry) > options_.uncommitted_bytes_max) {
    return Error(ErrorCode::kLimitExceeded, "too much is not committed yet");
  }
  append_entry(std::move(entry));
  const RaftIndex index = log_.last_index();
  replicate(now);
  return index;
}

Result<RaftIndex> Group::propose(Payload payload, MonotonicTime now) {
  return propose_entry({.term = {}, .payload = std::move(payload), .configuration = nullptr}, now);
}

Result<> Group::check_may_change() const {
  PYRALOG_TRY(check_leads());
  if (!is_term_open()) return unavailable("nothing of this term is committed yet");
  if (log_.configuration_index() > commit_ && !planted(Bug::kJointLeftUncommitted)) {
    return unavailable("the last change of members is not committed yet");
  }
  return {};
}

Result<RaftIndex> Group::change_members(const Configuration& target, Payload payload, MonotonicTime now) {
  PYRALOG_TRY(check_may_change());
  if (configuration().is_joint) return unavailable("another change of members is under way");
  PYRALOG_ASSIGN(Configuration next, change_configuration(configuration(), target));
  return propose_entry({.term = {},
                        .payload = std::move(payload),
                        .configuration = std::make_shared<const Configuration>(std::move(next))},
                       now);
}

Result<RaftIndex> Group::leave_joint(Side side, Payload payload, MonotonicTime now) {
  PYRALOG_TRY(check_may_change());
  if (!configuration().is_joint) return Error(ErrorCode::kInvalidArgument, "no change of members is under way");
  Configuration next = raft::leave_joint(configuration(), side);
  return propose_entry({.term = {},
                        .payload = std::move(payload),
                        .configuration = std::make_shared<const Configuration>(std::move(next))},
                       now);
}

// Transfer of leadership.

Result<> Group::transfer(const ReplicaId& target, MonotonicTime now) {
  PYRALOG_TRY(check_leads());
  if (target == self_) return Error(ErrorCode::kInvalidArgument, "it leads already");
  if (!configuration().may_lead(target)) return Error(ErrorCode::kInvalidArgument, "only a voter with data may lead");
  if (is_suspected(target)) return unavailable("the target does not seem to live");
  begin_transfer(target, now);
  arm_retry(now);
  return {};
}

void Group::begin_transfer(const ReplicaId& target, MonotonicTime now) {
  leading_->transfer = Transfer{.target = target, .deadline = now + options_.transfer_timeout};
  advance_transfer(now);
}

void Group::advance_transfer(MonotonicTime now) {
  if (!leading_->transfer) return hand_over(now);
  Transfer& transfer = *leading_->transfer;
  const Progress* target = find_progress(transfer.target);
  if (target == nullptr || !configuration().may_lead(transfer.target)) return end_transfer(now);
  if (transfer.is_sent || target->match() != log_.last_index()) return;
  send(transfer.target, TimeoutNow{.term = term_});
  transfer.is_sent = true;
}

void Group::end_transfer(MonotonicTime now) {
  leading_->transfer.reset();
  if (leading_->is_caretaker) {
    hand_over(now);
  } else {
    output().transfer_failed = true;
  }
}

/// A caretaker tries those in turn that have its whole log.
void Group::hand_over(MonotonicTime now) {
  if (!leading_->is_caretaker || leading_->transfer) return;
  std::vector<ReplicaId> fit;
  for (const Progress& member : leading_->members) {
    const bool is_level = member.state() == Progress::State::kStream && member.match() == log_.last_index();
    if (is_level && configuration().may_lead(member.id()) && !is_suspected(member.id())) fit.push_back(member.id());
  }
  if (!fit.empty()) begin_transfer(fit[leading_->handovers++ % fit.size()], now);
}

// Reads and contact.

Result<> Group::read(ReadId id, MonotonicTime now) {
  PYRALOG_TRY(check_leads());
  if (leading_->reads.size() >= options_.reads_max) return Error(ErrorCode::kLimitExceeded, "too many reads wait");
  if (planted(Bug::kReadWithoutRound)) return output().reads.push_back({.id = id, .index = commit_}), Result<>();
  // A round that began before the read says nothing about it; while one is on its way, those that come wait together.
  const bool is_idle = leading_->reads.empty();
  leading_->reads.push_back({.id = id, .round = leading_->round + 1});
  if (is_idle) begin_round();
  arm_retry(now);
  return {};
}

void Group::begin_round() {
  ++leading_->round;
  for (const Progress& member : leading_->members) {
    if (!configuration().has_voter(member.id()) || is_suspected(member.id())) continue;
    send(member.id(), Heartbeat{.term = term_, .commit = commit_, .round = leading_->round});
  }
  answer_reads();
}

void Group::answer_reads() {
  const std::uint64_t round = leading_->round;
  const auto answered = [&](const ReplicaId& id) {
    const Progress* member = find_progress(id);
    return static_cast<std::int64_t>(id == self_ ? round : member == nullptr ? 0 : member->round());
  };
  const auto confirmed = static_cast<std::uint64_t>(configuration().agreed(answered));
  // Before an entry of this term is committed, what is known to be committed may lag behind what earlier leaders told.
  if (is_term_open() || planted(Bug::kReadBeforeFirstCommit)) {
    std::erase_if(leading_->reads, [&](const WaitingRead& waiting) {
      if (waiting.round > confirmed) return false;
      output().reads.push_back({.id = waiting.id, .index = commit_});
      return true;
    });
  }
  const bool has_waiting = std::ranges::any_of(leading_->reads, [&](const WaitingRead& read) { return read.round > round; });
  if (confirmed >= round && has_waiting) begin_round();
}

Result<> Group::on(const Message& from, const HeartbeatReply& reply, MonotonicTime now) {
  if (reply.term > term_) return become_follower(reply.term, now), Result<>();
  Progress* member = find_progress(from.from);
  if (reply.term < term_ || member == nullptr) return {};
  if (reply.round > leading_->round) return Error(ErrorCode::kCorrupt, "heartbeat reply: of a round that never was");
  member->answered(reply.round);
  answer_reads();
  arm_retry(now);
  return {};
}

bool Group::has_live_quorum() const {
  return configuration().has_quorum([&](const ReplicaId& id) { return id == self_ || !is_suspected(id); });
}

}  // namespace pyralog::raft
