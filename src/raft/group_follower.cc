#include <algorithm>
#include <utility>

#include "raft/group.h"
#include "raft/planted.h"

namespace pyralog::raft {

Result<> Group::check_leader(const ReplicaId& leader, Term term) const {
  if (term != term_) return {};
  if (role_ == Role::kLeader || (leader_ && *leader_ != leader)) return Error(ErrorCode::kCorrupt, "two leaders of one term");
  return {};
}

Result<> Group::on(const Message& from, const Append& append, MonotonicTime now) {
  if (append.term < term_) {
    send(from.from, refusal(append));
    return {};
  }
  PYRALOG_TRY(check_leader(from.from, append.term));
  PYRALOG_TRY(check_against_log(append));
  follow_leader(append.term, from.from, now);
  const bool agrees = append.previous.index < log_.base().index || log_.has(append.previous) ||
                      (planted(Bug::kPreviousNotChecked) && append.previous.index <= log_.last_index());
  if (!agrees) {
    send(from.from, refusal(append));
    return {};
  }
  take_entries(append);
  const RaftIndex matched = append.previous.index + static_cast<std::int64_t>(append.entries.size());
  verified_ = std::max(verified_, matched);
  advance_commit(std::min(append.commit, planted(Bug::kCommitBeyondVerified) ? log_.last_index() : verified_));
  promise({.from = self_,
           .to = from.from,
           .body = AppendReply{.term = term_, .accepted = true, .previous = append.previous.index, .matched = matched}});
  return {};
}

/// A leader has everything that is committed: one that contradicts it is none.
Result<> Group::check_against_log(const Append& append) const {
  RaftIndex index = append.previous.index;
  Term term = append.previous.term;
  for (std::size_t i = 0;; ++i) {
    const auto here = log_.term_at(index);
    if (index <= commit_ && here && *here != term) return Error(ErrorCode::kCorrupt, "append: contradicts what is committed");
    if (i == append.entries.size()) return {};
    index = index + 1;
    term = append.entries[i].term;
  }
}

AppendReply Group::refusal(const Append& append) const {
  AppendReply reply{.term = term_, .accepted = false, .previous = append.previous.index};
  if (append.previous.index > log_.last_index()) {
    reply.conflict_first = log_.last_index() + 1;
  } else if (append.previous.index > log_.base().index) {
    reply.conflict_term = log_.at(append.previous.index).term;
    reply.conflict_first = log_.first_of_term_at(append.previous.index);
  }
  return reply;
}

/// Appends what is new. Only what contradicts the leader's entries goes: an append that was long on its way tells
/// nothing about what lies behind its last entry.
void Group::take_entries(const Append& append) {
  RaftIndex index = append.previous.index;
  if (planted(Bug::kStaleAppendTruncates) && index >= commit_) {
    log_.truncate_from(index + 1);
    log_changed_from(index + 1);
    verified_ = index;
  }
  for (const Entry& entry : append.entries) {
    index = index + 1;
    if (index <= log_.base().index || log_.has({entry.term, index})) continue;
    if (index <= log_.last_index()) log_.truncate_from(index);
    log_.append(entry);
    log_changed_from(index);
  }
}

Result<> Group::on(const Message& from, const Heartbeat& heartbeat, MonotonicTime now) {
  if (!heartbeat.leads) {
    if (heartbeat.term >= term_ && leader_ == from.from) lose_leader(now);
    return {};
  }
  if (heartbeat.term < term_) {
    // Without the round: the sender may lead this term by now, and count rounds anew.
    send(from.from, HeartbeatReply{.term = term_});
    return {};
  }
  PYRALOG_TRY(check_leader(from.from, heartbeat.term));
  follow_leader(heartbeat.term, from.from, now);
  advance_commit(std::min(heartbeat.commit, planted(Bug::kCommitBeyondVerified) ? log_.last_index() : verified_));
  if (heartbeat.round != 0) send(from.from, HeartbeatReply{.term = term_, .round = heartbeat.round});
  return {};
}

Result<> Group::on(const Message& from, const InstallSnapshot& install, MonotonicTime now) {
  const SnapshotMeta& snapshot = install.snapshot;
  if (install.term < term_) {
    send(from.from, AppendReply{.term = term_});
    return {};
  }
  PYRALOG_TRY(check_leader(from.from, install.term));
  const auto here = log_.term_at(snapshot.index);
  if (snapshot.index <= commit_ && here && *here != snapshot.term) {
    return Error(ErrorCode::kCorrupt, "snapshot: contradicts what is committed");
  }
  follow_leader(install.term, from.from, now);
  const bool is_old = snapshot.index <= commit_ && !planted(Bug::kOldSnapshotInstalled);
  if (!is_old) {
    log_.install(snapshot);
    base_dirty_ = true;
    // With what lay behind it, if that is gone.
    if (log_.last_index() == snapshot.index) log_changed_from(snapshot.index + 1);
    commit_ = std::max(commit_, snapshot.index);
    applied_ = snapshot.index;
    verified_ = std::max(verified_, snapshot.index);
    output().committed.clear();
    output().restored = snapshot;
    hand_out_committed();
  }
  promise({.from = self_,
           .to = from.from,
           .body = AppendReply{.term = term_, .accepted = true, .matched = is_old ? commit_ : snapshot.index}});
  return {};
}

}  // namespace pyralog::raft
