#include "raft/configuration.h"

#include <utility>

namespace pyralog::raft {
namespace {

Error invalid(const char* why) { return Error(ErrorCode::kInvalidArgument, why); }

bool has_same_voters(const Configuration& a, const Configuration& b) {
  const auto contains = [](const Configuration& whole, const Configuration& part) {
    return std::ranges::all_of(part.members, [&](const Member& member) {
      const Member* other = whole.find(member.id);
      return !member.is_voter || (other != nullptr && other->is_voter);
    });
  };
  return contains(a, b) && contains(b, a);
}

}  // namespace

const Member* Configuration::find(const ReplicaId& id) const noexcept {
  const auto found = std::ranges::find(members, id, &Member::id);
  return found == members.end() ? nullptr : &*found;
}

bool Configuration::has_voter(const ReplicaId& id) const noexcept {
  const Member* member = find(id);
  return member != nullptr && (member->is_voter || member->is_outgoing_voter);
}

bool Configuration::may_lead(const ReplicaId& id) const noexcept {
  const Member* member = find(id);
  return member != nullptr && (member->is_voter || member->is_outgoing_voter) && !member->is_witness;
}

Result<> Configuration::check() const {
  if (members.size() > kMembersMax) return invalid("too many members");
  std::vector<ReplicaId> ids;
  for (const Member& member : members) ids.push_back(member.id);
  std::ranges::sort(ids);
  if (std::ranges::adjacent_find(ids) != ids.end()) return invalid("a member is named twice");
  for (const auto side : {&Member::is_voter, &Member::is_outgoing_voter}) {
    const auto voters = static_cast<std::size_t>(std::ranges::count(members, true, side));
    const bool has_leader = std::ranges::any_of(members, [&](const Member& m) { return m.*side && !m.is_witness; });
    if (side == &Member::is_outgoing_voter && !is_joint) {
      if (voters != 0) return invalid("a configuration that is not joint has an outgoing voter");
    } else if (!has_leader) {
      return invalid("no voter may lead: name one that is not a witness");
    }
    if (voters > kVotersMax) return invalid("too many voters");
  }
  return {};
}

Result<Configuration> change_configuration(const Configuration& current, const Configuration& target) {
  if (current.is_joint || target.is_joint) return invalid("a change goes from one plain configuration to another");
  PYRALOG_TRY(target.check());
  for (const Member& member : target.members) {
    const Member* before = current.find(member.id);
    if (before == nullptr || !before->is_voter) continue;
    if (!member.is_voter) return invalid("a voter cannot become a learner: remove it, then add it again");
    if (member.is_witness != before->is_witness) {
      return invalid("a voter cannot become a witness, or cease to be one: remove it");
    }
  }
  if (has_same_voters(current, target)) return target;
  Configuration joint{.members = target.members, .is_joint = true};
  for (const Member& before : current.members) {
    if (!before.is_voter) continue;
    const auto stays = std::ranges::find(joint.members, before.id, &Member::id);
    if (stays != joint.members.end()) {
      stays->is_outgoing_voter = true;
    } else {
      joint.members.push_back({.id = before.id, .is_outgoing_voter = true, .is_witness = before.is_witness});
    }
  }
  return joint;
}

Configuration leave_joint(const Configuration& joint, Side side) {
  Configuration left;
  for (Member member : joint.members) {
    const bool is_outgoing = std::exchange(member.is_outgoing_voter, false);
    if (side == Side::kNew && is_outgoing && !member.is_voter) continue;
    if (side == Side::kOld) member.is_voter = is_outgoing;
    left.members.push_back(member);
  }
  return left;
}

}  // namespace pyralog::raft
