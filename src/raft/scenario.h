#pragma once

#include <string>
#include <utility>
#include <vector>

#include "raft/faulty_cluster.h"

namespace pyralog::raft {

/// One seed of the model simulation: three to seven nodes, of which some are members, under whatever its seed picks of
/// faults, elections, changes of members, snapshots, proposals and reads; then everything is healed, and the group has to
/// come to rest with all its members in agreement.
class Scenario : public FaultyCluster {
 public:
  explicit Scenario(std::uint64_t seed) : FaultyCluster(seed) {
    pick_options();
    const auto nodes = random_.between(3, 7);
    const auto voters = random_.between(2, std::min<std::uint64_t>(nodes, 5));
    Configuration founding;
    for (std::uint64_t i = 0; i < voters; ++i) {
      founding.members.push_back({.id = {}, .is_voter = true, .is_witness = has_witness_ && i + 1 == voters && voters > 2});
    }
    const std::string names = std::string("ABCDEFG").substr(0, nodes);
    std::uint8_t disk = 0;
    for (std::uint64_t i = 0; i < voters; ++i) {
      founding.members[i].id.node = NodeId(names[i]);
      founding.members[i].id.disk.bytes[0] = ++disk;
    }
    const auto shared = std::make_shared<const Configuration>(std::move(founding));
    for (std::uint64_t i = 0; i < nodes; ++i) add(names[i], i < voters ? shared : std::make_shared<const Configuration>());
  }

  /// Whether all held; else `failure` says what did not.
  bool run() {
    act();
    run_until(now_ + ms(3'000));
    if (failure().empty()) heal();
    if (failure().empty()) converge();
    return failure().empty();
  }

  /// What each replica has come to.
  std::string describe() const {
    std::string text;
    for (const auto& [name, replica] : replicas_) {
      if (!replica.is_up()) continue;
      const Group& group = *replica.group;
      text += fmt::format("{} {}: term {} role {} leader {} members {} ends {} commit {} applied {}\n", name,
                          is_dead(replica.id) ? "dead" : "", group.term().value, static_cast<int>(group.role()),
                          group.leader() ? Describe::name(*group.leader()) : '-', Describe::of(group.configuration()),
                          Describe::of(group.log().last()), group.commit().value, replica.state.applied.value);
    }
    return text;
  }

 private:
  void pick_options() {
    const auto pick = [&](std::uint64_t most) { return random_.chance(1, 2) ? random_.below(most + 1) : 0; };
    drop_percent_ = pick(15);
    duplicate_percent_ = pick(15);
    delay_percent_ = pick(10);
    stall_percent_ = pick(15);
    fault_percent_ = pick(12);
    change_percent_ = pick(20);
    storm_percent_ = random_.chance(1, 3) ? random_.below(20) : 0;
    idle_ = random_.chance(1, 3) ? random_.between(2, 12) : 1;
    has_witness_ = random_.chance(1, 4);
    options_.opens_term = random_.chance(1, 2);
    options_.leads_without_majority = random_.chance(1, 6);
    options_.appends_in_flight_max = random_.between(1, 4);
    options_.append_bytes_max = random_.between(8, 40);
    if (!random_.chance(1, 6)) return;
    // One leader after another that nobody hears, and long pauses before a term is opened: figure 8.
    storm_percent_ = 25;
    change_percent_ = 25;
    idle_ = 10;
    options_.opens_term = false;
  }

  void act() {
    if (is_healing_) return;
    if (random_.chance(fault_percent_, 100)) {
      fault();
    } else if (random_.chance(storm_percent_, 100)) {
      storm();
    } else if (random_.chance(change_percent_, 100)) {
      change();
    } else {
      work();
    }
    at(now_ + ms(random_.between(1, 15)), [this] { act(); });
  }

  void work() {
    const auto leader = any_leader();
    if (leader && random_.chance(1, 4)) {
      const ReadId id(++reads_);
      checks_.read_began(id);
      if (!replicas_.at(*leader).group->read(id, now_).ok()) checks_.read_answered({.id = id, .index = std::nullopt});
      drain(*leader);
    } else if (leader && random_.chance(1, idle_)) {
      propose(*replicas_.at(*leader).group);
      drain(*leader);
    }
    if (!random_.chance(1, 12)) return;
    SimulatedReplica& replica = replicas_.at(any());
    if (!replica.is_up() || replica.state.applied == replica.group->log().base().index) return;
    if (replica.group->compact(replica.state.applied).ok()) happened(Happened::kCompacted);
    drain(Describe::name(replica.id));
  }

  void propose(Group& group) {
    (void)group.propose(std::make_shared<const std::string>(fmt::format("{}", ++proposals_)), now_);
  }

  void change() {
    const auto leader = any_leader();
    if (!leader) return;
    Group& group = *replicas_.at(*leader).group;
    switch (random_.below(7)) {
      case 0:
        if (group.transfer(replicas_.at(any()).id, now_).ok()) happened(Happened::kTransferred);
        break;
      case 1:
        if (random_.chance(1, 3) && group.stand(now_).ok()) happened(Happened::kStoodAgain);
        break;
      case 2:
        if (random_.chance(1, 3)) group.step_down(now_), happened(Happened::kSteppedDown);
        break;
      case 3:
        if (fault_percent_ + storm_percent_ == 0) break;
        cut_off(*leader);  // what is proposed now will probably be taken back
        if (random_.chance(1, 2)) change_members(group);
        propose(group);
        break;
      default:
        change_members(group);
    }
    drain(*leader);
  }
  void change_members(Group& group) {
    const Configuration before = group.configuration();
    if (before.is_joint) {
      const Side side = random_.chance(1, 4) ? Side::kOld : Side::kNew;
      if (!group.leave_joint(side, nullptr, now_).ok()) return;
      return happened(side == Side::kNew ? Happened::kLeftJoint : Happened::kWentBack);
    }
    Configuration target;
    for (const auto& [name, replica] : replicas_) {
      const Member* member = before.find(replica.id);
      const bool was_voter = member != nullptr && member->is_voter;
      if (was_voter && random_.chance(2, 3)) {
        target.members.push_back(*member);
      } else if (!was_voter && random_.chance(2, 3)) {
        target.members.push_back({.id = replica.id, .is_voter = random_.chance(1, 2)});
      }
    }
    if (!group.change_members(target, nullptr, now_).ok()) return;
    happened(group.configuration().is_joint ? Happened::kChangedMembers : Happened::kChangedLearnersOnly);
  }

  void heal() {
    is_healing_ = true;
    cut_.clear();
    drop_percent_ = duplicate_percent_ = delay_percent_ = stall_percent_ = 0;
    for (auto& [name, replica] : replicas_) {
      if (!replica.is_up()) start(name);
    }
    tend();
    run_until(now_ + ms(6'000));
  }
  /// Brings a change of members to its end, and replaces those that are gone.
  void tend() {
    at(now_ + ms(20), [this] { tend(); });
    const auto leader = any_leader();
    if (!leader) return;
    Group& group = *replicas_.at(*leader).group;
    Configuration target = group.configuration();
    if (target.is_joint) {
      (void)group.leave_joint(Side::kNew, nullptr, now_);
    } else if (std::erase_if(target.members, [&](const Member& m) { return is_dead(m.id); }) > 0) {
      (void)group.change_members(target, nullptr, now_);
    }
    if (!group.is_term_open() || is_converging_ || random_.chance(1, 10)) {
      (void)group.propose(std::make_shared<const std::string>("last"), now_);
    }
    drain(*leader);
  }

  void converge() {
    is_converging_ = true;
    const RaftIndex before = checks_.commit();
    run_until(now_ + ms(1'000));
    if (checks_.commit() == before) return checks_.fail("healed, and nothing is committed");
    const auto leader = any_leader();
    if (!leader) return checks_.fail("healed, and there is no leader");
    const Group& group = *replicas_.at(*leader).group;
    if (group.configuration().is_joint) checks_.fail("healed, and the change of members does not end");
    for (const auto& [name, replica] : replicas_) {
      const bool is_member = group.configuration().find(replica.id) != nullptr;
      if (is_member && replica.state.applied < before) {
        checks_.fail(fmt::format("healed, and {} has {} of {}", name, replica.state.applied.value, before.value));
      }
      if (is_member) checks_.logs_match(*replica.group, group);
    }
  }

  std::uint64_t fault_percent_ = 0;
  std::uint64_t change_percent_ = 0;
  std::uint64_t storm_percent_ = 0;
  std::uint64_t idle_ = 1;  // how many chances to propose pass by
  bool has_witness_ = false;
  bool is_healing_ = false;
  bool is_converging_ = false;
  std::uint64_t reads_ = 0;
  std::uint64_t proposals_ = 0;
};

}  // namespace pyralog::raft
