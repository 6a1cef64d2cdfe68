#include "multiraft/outgoing_heartbeats.h"

#include <algorithm>

namespace pyralog::multiraft {

void OutgoingHeartbeats::add(GroupId group) {
  if (groups_.insert(group).second) changed(group);
}

void OutgoingHeartbeats::remove(GroupId group) {
  groups_.erase(group);
  pending_.erase(group);
}

void OutgoingHeartbeats::changed(GroupId group) {
  if (groups_.contains(group)) pending_[group] = ++version_;
}

void OutgoingHeartbeats::heard(BootId self, const HeartbeatBatch& batch) {
  if (batch.boot != other_boot_ || batch.suspicions != other_suspicions_) repeat_all();
  other_boot_ = batch.boot;
  other_suspicions_ = batch.suspicions;
  is_heard_ = batch.heard_boot == self;
  if (is_heard_) acknowledged(batch.heard_sequence);
}

void OutgoingHeartbeats::repeat_all() {
  ++version_;
  for (const GroupId group : groups_) pending_[group] = version_;
}

void OutgoingHeartbeats::acknowledged(std::uint64_t sequence) {
  while (!sent_.empty() && sent_.front().sequence < sequence) sent_.pop_front();
  if (sent_.empty() || sent_.front().sequence != sequence) return;
  for (const auto& [group, version] : sent_.front().groups) {
    const auto pending = pending_.find(group);
    if (pending != pending_.end() && pending->second == version) pending_.erase(pending);
  }
  sent_.pop_front();
}

std::vector<GroupId> OutgoingHeartbeats::next_groups() {
  std::vector<GroupId> chosen;
  Sent sent{.sequence = sequence_, .groups = {}};
  const std::size_t count = is_heard_ ? std::min(pending_.size(), kGroupsPerHeartbeatMax) : 0;
  auto next = pending_.lower_bound(turn_);
  for (std::size_t i = 0; i < count; ++i, ++next) {
    if (next == pending_.end()) next = pending_.begin();
    chosen.push_back(next->first);
    sent.groups.emplace_back(*next);
  }
  turn_ = next == pending_.end() ? GroupId{} : next->first;
  if (chosen.empty()) return chosen;
  if (sent_.size() == kUnacknowledgedMax) sent_.pop_front();
  sent_.push_back(std::move(sent));
  return chosen;
}

}  // namespace pyralog::multiraft
