#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/broker_connection.h"
#include "protocol/kafka/fetch.h"
#include "protocol/kafka/join_group.h"
#include "protocol/kafka/offset_commit.h"
#include "sim/consumer_protocol.h"
#include "sim/log_follower.h"
#include "sim/stage.h"

namespace pyralog::sim {

/// How a member behaves.
enum class Conduct : std::uint8_t {
  kErratic,  ///< stalls, leaves, vanishes, comes back as a zombie, changes its subscription, commits what is old
  kSteady,
};

/// A consumer of a group of the plan, with the classic protocol by its own requests: joins, shares out if it leads, reads,
/// commits, and has the history judge what it is told.
class GroupMember {
 public:
  /// `instance`: of a static member. Works until `ended`, which outlives it.
  GroupMember(Stage& stage, std::size_t group, std::optional<std::string> instance, Conduct conduct, const bool& ended,
              std::uint64_t seed);
  io::Task<> run();

 private:
  struct Part {
    Offset next;
    bool is_known = false;  // `next` is what is committed, or has been read up to
  };

  const GroupPlan& plan() const { return stage_.plan.groups[group_]; }
  const std::string& group_id() const { return stage_.groups.id(group_); }
  bool ends(const client::BrokerConnection& connection) const { return ended_ || connection.failed(); }

  io::Task<> use(client::BrokerConnection& connection);
  io::Task<> take_part(client::BrokerConnection& connection);

  // Joining. False: not now.
  io::Task<bool> find_coordinator(client::BrokerConnection& connection);
  io::Task<bool> enter(client::BrokerConnection& connection);
  io::Task<bool> join(client::BrokerConnection& connection);
  io::Task<bool> sync(client::BrokerConnection& connection);
  io::Task<bool> ask_offsets(client::BrokerConnection& connection);
  void share(const protocol::JoinGroupResponse& answer);
  void take_assignment(const std::vector<LogPartition>& partitions);

  // Taking part.
  io::Task<> beat(client::BrokerConnection& connection);
  io::Task<> read(client::BrokerConnection& connection);
  void take(const protocol::FetchResponse& message, const Slice& frame);
  void take_partition(std::size_t log, const protocol::FetchResponse::Partition& answer, const Slice& frame);
  io::Task<> commit(client::BrokerConnection& connection, MemberClaim claim, std::map<LogPlace, Offset> offsets);
  io::Task<> commit_positions(client::BrokerConnection& connection);
  std::map<LogPlace, Offset> positions() const;

  // What else members do.
  io::Task<> misbehave(client::BrokerConnection& connection);
  io::Task<> stall(client::BrokerConnection& connection);
  io::Task<> leave(client::BrokerConnection& connection);
  io::Task<> commit_as_zombie(client::BrokerConnection& connection);
  void vanish();
  void change_subscription();

  void take_error(protocol::KafkaError error, const std::string& of);
  void step_down();
  bool sees_new_partitions() const;
  std::size_t log_of(const std::string& name) const;
  PartitionCursor& cursor(std::size_t log);

  Stage& stage_;
  std::size_t group_;
  std::optional<std::string> instance_;
  Conduct conduct_;
  const bool& ended_;
  Random random_;
  std::vector<std::string> logs_;  // subscribed to

  MemberClaim claim_;
  std::optional<MemberClaim> former_;      // what a zombie believes to be
  std::optional<std::string> given_up_id_;  // of a static member that came back without it
  bool has_joined_ = false;                // is in `claim_.generation`
  bool has_place_ = false;                 // and has its assignment
  bool leads_ = false;
  std::string strategy_;
  std::map<std::string, std::string> shares_;  // the leader's, by member
  std::map<std::string, std::int32_t> counts_;  // of the partitions that it shared out
  std::map<LogPlace, Part> parts_;
  std::map<std::size_t, PartitionCursor> cursors_;
  MonotonicTime beat_at_{};
};

}  // namespace pyralog::sim
