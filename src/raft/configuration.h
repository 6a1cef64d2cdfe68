#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/result.h"
#include "raft/ids.h"

namespace pyralog::raft {

inline constexpr std::size_t kVotersMax = 15;   ///< of one side
inline constexpr std::size_t kMembersMax = 1'000;  ///< limits::kNodesMax: every node follows the global group

/// A member that is in neither side is a learner: it has the log and no say.
struct Member {
  ReplicaId id;
  bool is_voter = false;           ///< counts in the configuration, or, while it is joint, in the new side
  bool is_outgoing_voter = false;  ///< joint only: counts in the old side
  bool is_witness = false;         ///< votes and keeps the log, but has no data: it never leads for good
  friend bool operator==(const Member&, const Member&) = default;
};

/// Which side of a joint configuration stays.
enum class Side : std::uint8_t { kOld, kNew };

/// Who has a say in a group (Raft §6). The newest one in a log is in force, committed or not. While it is joint, every
/// decision needs a majority of both sides. The order of members is the order in which they stand for election.
struct Configuration {
  std::vector<Member> members;
  bool is_joint = false;

  friend bool operator==(const Configuration&, const Configuration&) = default;

  const Member* find(const ReplicaId& id) const noexcept;
  bool has_voter(const ReplicaId& id) const noexcept;
  /// Votes on either side, and has data: may lead.
  bool may_lead(const ReplicaId& id) const noexcept;

  /// Whether those that `agrees(ReplicaId)` names are a majority of each side. No voters: never.
  template <class Agrees>
  bool has_quorum(Agrees agrees) const {
    return is_majority(&Member::is_voter, agrees) && (!is_joint || is_majority(&Member::is_outgoing_voter, agrees));
  }
  /// The largest value that a quorum has reached, where `reached(ReplicaId)` (not negative) is how far each one is.
  template <class Reached>
  std::int64_t agreed(Reached reached) const {
    const std::int64_t incoming = agreed_by(&Member::is_voter, reached);
    return is_joint ? std::min(incoming, agreed_by(&Member::is_outgoing_voter, reached)) : incoming;
  }

  /// kInvalidArgument: no voter that may lead, members twice, too many of them, or sides without a joint configuration.
  Result<> check() const;

 private:
  template <class Agrees>
  bool is_majority(bool Member::* side, Agrees& agrees) const {
    std::size_t voters = 0;
    std::size_t agreeing = 0;
    for (const Member& member : members) {
      if (!(member.*side)) continue;
      ++voters;
      if (agrees(member.id)) ++agreeing;
    }
    return agreeing > voters / 2;
  }
  template <class Reached>
  std::int64_t agreed_by(bool Member::* side, Reached& reached) const {
    std::vector<std::int64_t> values;
    for (const Member& member : members) {
      if (member.*side) values.push_back(reached(member.id));
    }
    if (values.empty()) return 0;
    const auto quorum = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), quorum, values.end(), std::greater<>());
    return *quorum;
  }
};
using ConfigurationPtr = std::shared_ptr<const Configuration>;

/// What to append so that `target` (not joint) follows `current` (not joint): `target` itself if the voters stay as they
/// are, else the joint configuration. A voter that goes leaves altogether: it does not become a learner, nor a witness.
Result<Configuration> change_configuration(const Configuration& current, const Configuration& target);

/// What follows a joint configuration. Back to the old side, those that were to become voters are learners.
Configuration leave_joint(const Configuration& joint, Side side);

}  // namespace pyralog::raft
