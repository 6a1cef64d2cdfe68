#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "coordinator/group_messages.h"
#include "core/assert.h"

/// What the groups of a coordinator share: options, counters, and where they leave what is to be done.
namespace pyralog::coordinator {

class Group;

struct GroupOptions {
  Milliseconds session_timeout_min{6'000};
  Milliseconds session_timeout_max{1'800'000};
  Milliseconds initial_rebalance_delay{3'000};
  /// How long a new member, which cannot send heartbeats yet, may wait in a join.
  Milliseconds new_member_join_timeout{300'000};
  /// A member whose connection has ended has two of its own heartbeats' time to come back by another, instead of a session.
  bool notices_lost_connections = true;
  std::size_t members_max = std::numeric_limits<std::size_t>::max();
  /// What a group's members say of themselves: subscriptions under all their strategies, names, addresses.
  std::size_t member_bytes_max = std::numeric_limits<std::size_t>::max();
  std::size_t offset_metadata_bytes_max = 4096;
  Milliseconds offsets_retention{7LL * 24 * 3600 * 1000};
  Milliseconds offsets_retention_check_interval{600'000};
};

/// Members of a group that were given an id and have not come back with it, which anybody can make: more are refused.
inline constexpr std::size_t kPendingMembersMax = 10'000;
/// Between looks at whether any of a group's static members has come back; clients may ask for no wait at all.
inline constexpr Milliseconds kRejoinWaitMin{1'000};
/// The longest retention that a client may ask for its offsets: more is taken as this.
inline constexpr Milliseconds kOffsetRetentionMax{100LL * 365 * 24 * 3600 * 1000};
/// The least time to come back by another connection: clients pause before they connect again.
inline constexpr Milliseconds kConnectionGraceMin{2'000};
/// What of a client's id goes into the ids of its members, which must fit a string of the protocol.
inline constexpr std::size_t kMemberIdPrefixBytesMax = 1024;

/// How many groups there may be, of all coordinators that share it. Groups that the log holds already are counted too, and
/// never refused.
struct GroupRoom {
  std::size_t groups_max = std::numeric_limits<std::size_t>::max();
  std::size_t groups = 0;

  bool is_full() const noexcept { return groups >= groups_max; }
};

enum class RebalanceCause : std::uint8_t {
  kMemberJoined,
  kMemberLeft,
  kSessionExpired,
  kConnectionLost,
  kSyncExpired,
  kSubscriptionChanged,
  kLeaderRejoined,
  kStaticMemberReplaced,
  kAppendFailed,
  kGroupTooLarge,
};
inline constexpr std::size_t kRebalanceCauses = 10;
std::string_view rebalance_cause_name(RebalanceCause cause) noexcept;

struct GroupCounters {
  std::array<std::uint64_t, kRebalanceCauses> rebalances{};  ///< begun, by cause
  std::uint64_t rebalances_completed = 0;
  Duration rebalancing{};  ///< of the completed ones, from their begin to the assignment
  std::uint64_t offsets_committed = 0;
  std::uint64_t offsets_expired = 0;
  std::uint64_t offsets_deleted = 0;
  std::uint64_t groups_deleted = 0;
  std::uint64_t groups_refused = 0;  ///< there was no room for another
};

/// Appends are durable in this order.
using AppendId = StrongId<struct AppendIdTag, std::uint64_t>;

struct Append {
  AppendId id;
  std::vector<LogRecord> records;
};
struct Reply {
  WaiterId to;
  Answer answer;
};
/// Runs once it is known what became of an append.
using Settled = std::move_only_function<void(KafkaError outcome, Now now)>;

/// What a coordinator wants done: the records appended in order, each with a later `GroupCoordinator::settle`; the
/// replies sent now.
struct Output {
  std::vector<Append> appends;
  std::vector<Reply> replies;
};

class GroupContext {
 public:
  explicit GroupContext(GroupOptions options) : options(std::move(options)) {}
  virtual ~GroupContext() = default;
  GroupContext(const GroupContext&) = delete;

  void reply(WaiterId to, Answer answer) { output.replies.push_back({to, std::move(answer)}); }
  /// `settled` must not hold pointers to groups: they may be gone by then.
  virtual void append(std::string_view group_id, std::vector<LogRecord> records, Settled settled) = 0;
  virtual Group* find(std::string_view group_id) = 0;

  const GroupOptions options;
  GroupCounters counters;
  Output output;
};

}  // namespace pyralog::coordinator
