#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/random.h"
#include "core/result.h"
#include "core/time.h"
#include "raft/group_options.h"
#include "raft/log.h"
#include "raft/messages.h"
#include "raft/output.h"
#include "raft/progress.h"

namespace pyralog::raft {

/// What a restart found durable. A new replica has an empty log that begins at index 0 (see SnapshotMeta).
struct Restored {
  HardState hard;
  SnapshotMeta snapshot;
  std::vector<Entry> entries;
};

/// How a candidate's data compares with what is here; who can tell is the caller.
enum class CandidateTail : std::uint8_t { kNotShorter, kShorter };

/// One replica of one consensus group: Raft (the extended paper and chapters 3, 4 and 6 of the thesis) as a state machine.
/// Pure: after any call take `take_output` and carry it out; at `next_deadline`, call `tick`. Time never goes back.
///
/// Persistence. What promises something (votes, acknowledgements, requests for votes) stays inside until `persisted` says
/// that what it promises is durable; the caller cannot send it earlier. A leader sends entries before they are durable
/// with itself, but does not count itself until they are. What is handed out as committed is durable here too.
///
/// Liveness. A group has no heartbeats of its own and, while it has a live leader and nothing unacknowledged, no deadline:
/// whoever watches the nodes calls `suspect` and `trust` for each replica, and carries `heartbeat` of each leader to the
/// other members until it has arrived: when its output says it changed, and all of them when a suspicion has ended. A node
/// that restarted was suspected in between.
class Group {
 public:
  /// kCorrupt: what was restored contradicts itself; the replica must not take part.
  static Result<std::unique_ptr<Group>> open(const GroupOptions& options, ReplicaId self, Restored restored, Random random,
                                             MonotonicTime now);

  Output take_output();
  /// All records up to `id` are durable.
  void persisted(PersistId id, MonotonicTime now);

  /// kForeign: not meant for this replica. kCorrupt: it cannot be true; nothing has changed. The caller closes the
  /// connection and raises an alarm.
  Result<> step(const Message& message, MonotonicTime now, CandidateTail tail = CandidateTail::kNotShorter);
  std::optional<MonotonicTime> next_deadline() const;
  void tick(MonotonicTime now);
  void suspect(const ReplicaId& replica, MonotonicTime now);
  void trust(const ReplicaId& replica, MonotonicTime now);
  /// What to tell the other members by heartbeat.
  Heartbeat heartbeat() const;

  // Of the leader. kNotLeader: ask `leader`. kUnavailable: not now (what is awaited is in the detail), or a caretaker.
  /// Where the entry is, if `committed` shows it there in this term. kLimitExceeded: too much is uncommitted. kTooLarge.
  Result<RaftIndex> propose(Payload payload, MonotonicTime now);
  /// Begins a change to `target` (change_configuration), by an entry that takes `payload` along.
  Result<RaftIndex> change_members(const Configuration& target, Payload payload, MonotonicTime now);
  /// Ends a joint configuration whose entry is committed; when is the caller's to say (replication.md §9).
  Result<RaftIndex> leave_joint(Side side, Payload payload, MonotonicTime now);
  /// Hands leadership to `target`, a voter with data. Meanwhile nothing may be proposed.
  Result<> transfer(const ReplicaId& target, MonotonicTime now);
  /// Answered in `Output::reads`: it led after the call, and what was committed before lies within the answer's index.
  Result<> read(ReadId id, MonotonicTime now);
  /// The transfer of the snapshot to `member` is over, well or ill.
  void snapshot_ended(const ReplicaId& member, MonotonicTime now);
  void step_down(MonotonicTime now);

  /// Stands for election without asking whether it would win: a leader for its own next term (the graceful path of
  /// replication.md §5), or a voter at an operator's word. kUnavailable: may not lead.
  Result<> stand(MonotonicTime now);
  /// A snapshot of the state after `index` (handed out as committed) is durable: the log need not go back so far.
  /// kUnavailable: on a replica that was added to the group above `index`; try again with a later one.
  Result<> compact(RaftIndex index);

  const ReplicaId& self() const noexcept { return self_; }
  Role role() const noexcept { return role_; }
  Term term() const noexcept { return term_; }
  std::optional<ReplicaId> leader() const noexcept { return leader_; }
  RaftIndex commit() const noexcept { return commit_; }
  bool is_caretaker() const noexcept { return leading_ != nullptr && leading_->is_caretaker; }
  /// An entry of this leader's term is committed.
  bool is_term_open() const noexcept { return role_ == Role::kLeader && log_.term_at(commit_) == term_; }
  const Log& log() const noexcept { return log_; }
  /// In force here: the newest in the log, committed or not.
  const Configuration& configuration() const;
  /// The leader's knowledge of a member; null if there is none.
  const Progress* progress(const ReplicaId& member) const noexcept;

 private:
  struct Campaign {
    Term term;  // stood for
    bool is_transfer = false;
    std::vector<ReplicaId> granted;
  };
  struct Transfer {
    ReplicaId target;
    MonotonicTime deadline;
    bool is_sent = false;
  };
  struct WaitingRead {
    ReadId id;
    std::uint64_t round;
  };
  struct Leading {
    bool is_caretaker = false;
    std::vector<Progress> members;
    std::optional<Transfer> transfer;
    std::size_t handovers = 0;
    std::size_t uncommitted_bytes = 0;
    std::uint64_t round = 0;            // of read barriers: the last one begun
    std::vector<WaitingRead> reads;
    std::optional<MonotonicTime> retry_at;
  };
  struct Persisting {
    PersistId id;
    RaftIndex last;  // the log up to here is what the record says
    std::vector<Message> promises;
  };
  struct DelayedVote {
    Message request;
    MonotonicTime due;
  };

  Group(const GroupOptions& options, ReplicaId self, Restored restored, Random random);

  /// Gives the memory back too: there are thousands of idle groups.
  template <class T>
  static void release(std::vector<T>& from) {
    std::vector<T>().swap(from);
  }

  // group.cc: persistence, terms, roles.
  Output& output();
  void promise(Message message);
  void log_changed_from(RaftIndex index);
  void make_persist(Output& out);
  void become_follower(Term term, MonotonicTime now);
  void enter_term(Term term);
  void follow_leader(Term term, const ReplicaId& leader, MonotonicTime now);
  void set_role(Role role, std::optional<ReplicaId> leader);
  void leave_leading();
  void advance_commit(RaftIndex commit);
  void hand_out_committed();
  bool is_suspected(const ReplicaId& replica) const noexcept;
  template <class Body>
  void send(const ReplicaId& to, Body body) {
    output().messages.push_back({.from = self_, .to = to, .body = std::move(body)});
  }

  // group_election.cc
  bool has_live_leader() const noexcept { return leader_ && !is_suspected(*leader_); }
  bool may_stand() const noexcept;
  Duration standing_delay();
  Duration random_timeout();
  void await_leader(MonotonicTime at);
  void lose_leader(MonotonicTime now);
  void campaign(bool is_pre, bool is_transfer, MonotonicTime now);
  void count_vote(const ReplicaId& voter, MonotonicTime now);
  void become_leader(MonotonicTime now);
  void on(const Message& from, const VoteRequest& request, MonotonicTime now, CandidateTail tail);
  void decide_vote(const ReplicaId& candidate, const VoteRequest& request, MonotonicTime now);
  void answer_vote(const ReplicaId& candidate, const VoteRequest& request, bool granted);
  void refuse_older_log(MonotonicTime now);
  void on(const Message& from, const VoteReply& reply, MonotonicTime now);
  void on(const Message& from, const TimeoutNow& timeout, MonotonicTime now);

  // group_follower.cc
  Result<> on(const Message& from, const Append& append, MonotonicTime now);
  Result<> check_leader(const ReplicaId& leader, Term term) const;
  Result<> check_against_log(const Append& append) const;
  AppendReply refusal(const Append& append) const;
  void take_entries(const Append& append);
  Result<> on(const Message& from, const Heartbeat& heartbeat, MonotonicTime now);
  Result<> on(const Message& from, const InstallSnapshot& install, MonotonicTime now);

  // group_leader.cc
  Progress* find_progress(const ReplicaId& member) noexcept;
  Result<> on(const Message& from, const AppendReply& reply, MonotonicTime now);
  Result<> on(const Message& from, const HeartbeatReply& reply, MonotonicTime now);
  void step_back(Progress& member, const AppendReply& reply);
  void replicate(MonotonicTime now);
  void replicate_to(Progress& member);
  Append next_append(const Progress& member) const;
  bool owes_answer(const Progress& member) const noexcept;
  void arm_retry(MonotonicTime now);
  void retry(MonotonicTime now);
  void count_copies(MonotonicTime now);
  void append_entry(Entry entry);
  Result<> check_leads() const;
  Result<> check_may_change() const;
  Result<RaftIndex> propose_entry(Entry entry, MonotonicTime now);
  void match_members_to_configuration();
  void begin_transfer(const ReplicaId& target, MonotonicTime now);
  void advance_transfer(MonotonicTime now);
  void end_transfer(MonotonicTime now);
  void hand_over(MonotonicTime now);
  void begin_round();
  void answer_reads();
  bool has_live_quorum() const;

  const GroupOptions& options_;
  const ReplicaId self_;
  Random random_;
  Log log_;
  Term term_;
  Role role_ = Role::kFollower;
  bool must_stand_ = false;       // refused a candidate whose log is older: stands whatever it is
  bool hard_dirty_ = false;       // term or vote
  bool base_dirty_ = false;
  bool gives_vote_ = false;
  std::optional<ReplicaId> vote_;
  std::optional<ReplicaId> leader_;
  RaftIndex commit_;
  RaftIndex applied_;             // handed out
  RaftIndex durable_;
  RaftIndex verified_;            // up to here the log is that of the term's leader
  std::optional<RaftIndex> dirty_from_;
  PersistId persist_last_{0};
  std::optional<MonotonicTime> election_at_;  // while there is no live leader
  std::vector<ReplicaId> suspected_;
  std::vector<Message> promises_;             // since the last output
  std::vector<Persisting> persisting_;
  std::vector<DelayedVote> delayed_;
  std::unique_ptr<Campaign> campaign_;
  std::unique_ptr<Leading> leading_;
  std::unique_ptr<Output> output_;
};

}  // namespace pyralog::raft
