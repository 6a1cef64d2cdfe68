#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/group_context.h"
#include "coordinator/group_messages.h"

namespace pyralog::coordinator {

/// One classic group as a state machine: who its members are, what they agreed on, whom it awaits. Time is an argument.
/// Answers and records go to the context; an answer that tells of a change in the log is given when the change is durable.
///
///   Empty ──join──▶ PreparingRebalance ──all joined, or time is up──▶ CompletingRebalance ──leader's assignment──▶ Stable
///                     ▲    └─nobody left──▶ Empty                          │                                       │
///                     └──────────── a member comes, goes or changes ◀──────┴───────────────────────────────────────┘
class Group {
 public:
  Group(GroupContext& context, std::string id) : context_(context), id_(std::move(id)) {}
  Group(const Group&) = delete;

  const std::string& id() const noexcept { return id_; }
  GroupState state() const noexcept { return state_; }
  Generation generation() const noexcept { return generation_; }
  const std::optional<std::string>& protocol_type() const noexcept { return protocol_type_; }
  WallTime state_since() const noexcept { return state_since_; }
  std::size_t member_count() const noexcept { return members_.size(); }
  /// What its members say of themselves: GroupOptions::member_bytes_max.
  std::size_t member_bytes() const noexcept { return member_bytes_; }
  /// Nobody is or wants to be a member.
  bool is_deserted() const noexcept { return members_.empty() && pending_.empty(); }

  void join(JoinRequest request, WaiterId waiter, Now now);
  void sync(SyncRequest request, WaiterId waiter, Now now);
  /// `connection`: by which it came.
  KafkaError heartbeat(const MemberIdentity& member, ConnectionId connection, Now now);
  /// A connection by which the member sent heartbeats has ended. Unless it comes back soon, its session ends.
  void lose_connection(std::string_view member_id, ConnectionId connection, Now now);
  void leave(const LeaveRequest& request, WaiterId waiter, Now now);
  /// Whether `member` may commit offsets; if so, it lives.
  KafkaError admit_commit(const MemberIdentity& member, Now now);

  /// Not later than the next moment at which `expire` has something to do; it may have nothing yet.
  std::optional<MonotonicTime> next_deadline() const noexcept { return soonest_; }
  /// Does what is due: ends sessions, joins and syncs.
  void expire(Now now);

  /// Becomes what the log says. Sessions start with `start_sessions`.
  void restore(const StoredGroup& stored);
  void start_sessions(Now now);

  /// An empty group that is being deleted takes no requests.
  void set_dead() noexcept { state_ = GroupState::kDead; }
  void revive() {
    state_ = GroupState::kEmpty;
    soonest_ = find_soonest();
  }
  /// Tells everybody who waits to look for the coordinator again.
  void release_waiters();

  /// Whether its members consume `topic`, as far as their subscriptions can be read: one that cannot counts as all.
  bool is_subscribed(std::string_view topic) const;
  bool knows_subscription() const noexcept { return subscribed_.has_value(); }
  bool is_consumer_group() const noexcept { return protocol_type_ == "consumer"; }
  DescribedGroup describe() const;

 private:
  /// How a member's heartbeats come.
  struct Pulse {
    std::optional<MonotonicTime> last;
    Duration interval{};      ///< the longest of late; zero: not known
    ConnectionId connection;  ///< of the last one
    bool is_lost = false;     ///< that connection has ended

    void beat(ConnectionId by, MonotonicTime at);
    /// How long to wait for it after `ended` has ended; nothing: that says nothing about the member.
    std::optional<Duration> grace_after(ConnectionId ended);
  };
  struct Member {
    std::string id;
    std::optional<std::string> instance_id;
    std::string client_id;
    std::string client_host;
    Milliseconds session_timeout{};
    Milliseconds rebalance_timeout{};
    std::vector<Strategy> strategies;
    Blob assignment;
    std::optional<WaiterId> joining;        ///< waits for the join to complete
    std::optional<WaiterId> syncing;        ///< waits for its assignment
    std::optional<MonotonicTime> deadline;  ///< of its session; none while it waits
    Pulse pulse;
    bool is_new = false;                    ///< in its first join
    bool must_sync = false;                 ///< has not asked for its assignment
    std::size_t bytes = 0;                  ///< of what it says of itself
  };
  using Members = std::map<std::string, Member, std::less<>>;

  // Joining.
  bool accepts(std::string_view member_id) const;
  bool has_room(const JoinRequest& request) const;
  bool supports(std::string_view protocol_type, const std::vector<Strategy>& strategies) const;
  void join_new(JoinRequest& request, WaiterId waiter, Now now);
  void join_known(JoinRequest& request, WaiterId waiter, Now now);
  void rejoin(Member& member, JoinRequest& request, WaiterId waiter, Now now);
  void add_member(JoinRequest& request, std::string member_id, WaiterId waiter, Now now);
  void update_member(Member& member, JoinRequest& request, WaiterId waiter);
  Member& replace_static(const std::string& instance_id, const std::string& new_id);
  void join_replacing(JoinRequest& request, std::string new_id, WaiterId waiter, Now now);
  void store_replacement(const Member& member, const std::string& leader_before, bool may_skip, WaiterId waiter);
  void answer_replacement(const std::string& member_id, const std::string& leader_told, bool may_skip, WaiterId waiter);
  void refuse_join(WaiterId waiter, std::string_view member_id, KafkaError error);
  JoinAnswer current_generation(const Member& member) const;

  // Rebalancing.
  bool can_rebalance() const noexcept { return state_ != GroupState::kPreparingRebalance && state_ != GroupState::kDead; }
  bool all_joined() const;
  void rebalance_or_complete(RebalanceCause cause, Now now);
  void prepare_rebalance(RebalanceCause cause, Now now);
  void complete_join(Now now);
  void complete_join_if_all(Now now);
  void extend_or_complete_join(Now now);
  bool elect_joined_leader();
  void begin_generation(Now now);
  std::string select_strategy() const;
  void find_subscribed();
  Milliseconds rebalance_timeout() const;
  void move_to(GroupState state, Now now);

  // Syncing.
  KafkaError check_sync(const SyncRequest& request) const;
  void take_assignments(const SyncRequest& request, Now now);
  void assign(const std::map<std::string, Blob>& assignments, Now now);
  void fail_syncs(KafkaError error, Now now);
  void expire_sync(Now now);

  // Members.
  KafkaError check_member(std::string_view member_id, const std::optional<std::string>& instance_id) const;
  KafkaError leave_one(const LeaveRequest::Leaver& leaver);
  void remove_member(const std::string& member_id);
  void after_removal(RebalanceCause cause, Now now);
  void expire_members(Now now);
  void keep_alive(Member& member, Now now) {
    member.deadline = due(now.monotonic + member.session_timeout);
    member.pulse.is_lost = false;
  }
  MonotonicTime due(MonotonicTime at);
  std::optional<MonotonicTime> find_soonest() const;
  void begin_join(Member& member, WaiterId waiter);
  std::optional<WaiterId> end_join(Member& member);
  void set_strategies(Member& member, std::vector<Strategy> strategies);
  void count_bytes(Member& member);
  StoredGroup stored(const std::map<std::string, Blob>* assignments) const;
  void store(const std::map<std::string, Blob>* assignments, Settled settled);

  GroupContext& context_;
  const std::string id_;
  GroupState state_ = GroupState::kEmpty;
  WallTime state_since_{-1};
  Generation generation_{0};
  std::optional<std::string> protocol_type_;
  std::optional<std::string> protocol_name_;
  std::string leader_;  // empty: none
  Members members_;
  std::map<std::string, std::string, std::less<>> static_members_;     // instance id → member id
  std::map<std::string, MonotonicTime, std::less<>> pending_;          // members told their id → until when they may come
  std::optional<std::set<std::string, std::less<>>> subscribed_;       // none: not known

  // Of the members: how many wait for the join, and how many offer a strategy.
  std::size_t joining_count_ = 0;
  std::map<std::string, std::size_t, std::less<>> offered_;
  std::size_t member_bytes_ = 0;

  std::optional<MonotonicTime> soonest_;  // of all deadlines since it was last looked at
  std::optional<MonotonicTime> join_deadline_;
  std::optional<MonotonicTime> sync_deadline_;
  MonotonicTime rebalance_began_{};
  // The first rebalance of an empty group waits for more members, and longer as they come.
  bool is_initial_ = false;
  bool member_added_ = false;
  Milliseconds initial_delay_{};
  Milliseconds initial_remaining_{};
};

}  // namespace pyralog::coordinator
