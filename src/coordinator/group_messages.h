#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "coordinator/group_records.h"
#include "core/ids.h"
#include "core/time.h"
#include "protocol/kafka/error_code.h"

/// What a coordinator is asked, and what it answers: owned values, so that they may cross shards.
namespace pyralog::coordinator {

using protocol::KafkaError;
using Milliseconds = std::chrono::milliseconds;

/// Both clocks at the moment of a call.
struct Now {
  MonotonicTime monotonic;
  WallTime wall;
};

/// Who waits for an answer that cannot be given at once; chosen by the caller, unique while it waits.
using WaiterId = StrongId<struct WaiterIdTag, std::uint64_t>;

/// A client's connection; 0: none.
using ConnectionId = StrongId<struct ConnectionIdTag, std::uint64_t>;

/// A way to assign partitions, with the member's subscription in its terms (Kafka: protocol).
struct Strategy {
  std::string name;
  Blob metadata;
  friend bool operator==(const Strategy&, const Strategy&) = default;
};

/// Who asks, with the generation it believes in.
struct MemberIdentity {
  std::string member_id;  ///< empty: none yet
  std::optional<std::string> instance_id;
  Generation generation = kNoGeneration;
};

struct JoinRequest {
  std::string group_id;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  Milliseconds session_timeout{};
  Milliseconds rebalance_timeout{};
  std::string protocol_type;
  std::vector<Strategy> strategies;  ///< in order of preference
  bool must_know_its_id = false;     ///< the client understands MEMBER_ID_REQUIRED
  bool may_skip_assignment = false;  ///< the client understands that its leader need not assign
  Uuid fresh_id;                     ///< random, for the id of a new member
};

/// What a member says of itself, in bytes of memory.
std::size_t bytes_said(std::string_view client_id, std::string_view client_host, const std::optional<std::string>& instance_id,
                       const std::vector<Strategy>& strategies) noexcept;

struct JoinedMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  Blob metadata;
  friend bool operator==(const JoinedMember&, const JoinedMember&) = default;
};

struct JoinAnswer {
  KafkaError error{};
  Generation generation = kNoGeneration;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<JoinedMember> members;  ///< for the leader only
};

struct SyncRequest {
  struct Assignment {
    std::string member_id;
    Blob assignment;
  };
  std::string group_id;
  MemberIdentity member;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<Assignment> assignments;  ///< from the leader only
};

struct SyncAnswer {
  KafkaError error{};
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  Blob assignment;
};

struct HeartbeatRequest {
  std::string group_id;
  MemberIdentity member;
  ConnectionId connection;  ///< by which it came
};

struct LeaveRequest {
  struct Leaver {
    std::string member_id;  ///< empty: an administrator removes the static member
    std::optional<std::string> instance_id;
  };
  std::string group_id;
  std::vector<Leaver> members;
};

struct LeaveAnswer {
  KafkaError error{};
  std::vector<KafkaError> members;  ///< as asked
};

struct CommitRequest {
  struct Partition {
    TopicPartition partition;
    Offset offset;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    std::string metadata;
  };
  std::string group_id;
  MemberIdentity member;
  std::optional<Milliseconds> retention;
  std::vector<Partition> partitions;
  bool knows_missing_groups = false;  ///< the client understands GROUP_ID_NOT_FOUND
};

struct CommitAnswer {
  std::vector<KafkaError> partitions;  ///< as asked
};

struct OffsetDeleteRequest {
  std::string group_id;
  std::vector<TopicPartition> partitions;
};

struct OffsetDeleteAnswer {
  KafkaError error{};
  std::vector<KafkaError> partitions;  ///< as asked
};

/// The answer to a request that only succeeds or fails.
struct PlainAnswer {
  KafkaError error{};
};

/// What a waiter is told. Which alternative, follows from what it asked.
using Answer = std::variant<JoinAnswer, SyncAnswer, LeaveAnswer, CommitAnswer, OffsetDeleteAnswer, PlainAnswer>;

enum class GroupState : std::uint8_t { kEmpty, kPreparingRebalance, kCompletingRebalance, kStable, kDead };
inline constexpr std::size_t kGroupStates = 5;
/// As Kafka calls it: "PreparingRebalance".
std::string_view group_state_name(GroupState state) noexcept;

struct DescribedMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  Blob metadata;  ///< both only while the group is stable
  Blob assignment;
};

struct DescribedGroup {
  std::string group_id;
  GroupState state = GroupState::kDead;
  std::string protocol_type;
  std::string protocol_name;  ///< only while the group is stable
  std::vector<DescribedMember> members;
};

struct ListedGroup {
  std::string group_id;
  std::string protocol_type;
  GroupState state{};
};

}  // namespace pyralog::coordinator
