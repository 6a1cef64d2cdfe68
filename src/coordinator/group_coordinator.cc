#include "coordinator/group_coordinator.h"

#include <algorithm>

#include "core/assert.h"

namespace pyralog::coordinator {

GroupCoordinator::Entry* GroupCoordinator::find_entry(std::string_view group_id) {
  const auto found = entries_.find(std::string(group_id));
  return found != entries_.end() ? found->second.get() : nullptr;
}

Group* GroupCoordinator::find(std::string_view group_id) {
  Entry* entry = find_entry(group_id);
  return entry != nullptr ? &entry->group : nullptr;
}

const Group* GroupCoordinator::find_group(std::string_view group_id) const {
  const auto found = entries_.find(std::string(group_id));
  return found != entries_.end() ? &found->second->group : nullptr;
}

GroupCoordinator::Entry& GroupCoordinator::make_entry(std::string_view group_id) {
  auto& place = entries_[std::string(group_id)];
  GroupContext& context = *this;
  if (place == nullptr) {
    place = std::make_unique<Entry>(context, std::string(group_id));
    ++room_.groups;
  }
  return *place;
}

/// Whether the group is there, or may come into being.
bool GroupCoordinator::has_room(std::string_view group_id) {
  if (!room_.is_full() || find_entry(group_id) != nullptr) return true;
  ++counters.groups_refused;
  return false;
}

/// Looks at the group again when its next deadline is due. Deadlines mostly move away, with each heartbeat: the entry
/// then stays where it is, and is looked at once in vain.
void GroupCoordinator::touch(Entry& entry) {
  const auto next = entry.group.next_deadline();
  if (!next.has_value() || (entry.wake_at.has_value() && *entry.wake_at <= *next)) return;
  if (entry.wake_at.has_value()) wakes_.erase({*entry.wake_at, entry.group.id()});
  entry.wake_at = *next;
  wakes_.emplace(*next, entry.group.id());
}

void GroupCoordinator::erase_entry(std::string_view group_id) {
  const auto found = entries_.find(std::string(group_id));
  if (found == entries_.end()) return;
  Entry& entry = *found->second;
  if (entry.wake_at.has_value()) wakes_.erase({*entry.wake_at, entry.group.id()});
  entries_.erase(found);
  --room_.groups;
}

/// A group that never was in the log and that nobody wants to join any more leaves no trace.
void GroupCoordinator::drop_if_forgotten(std::string_view group_id) {
  const Entry* entry = find_entry(group_id);
  if (entry == nullptr || !entry->group.is_deserted() || !entry->offsets.empty()) return;
  if (entry->group.state() == GroupState::kEmpty && entry->group.generation() == Generation(0)) erase_entry(group_id);
}

Result<> GroupCoordinator::load(ByteView key, std::optional<ByteView> value) {
  PYRALOG_ASSIGN(const LogEntry entry, read_record(key, value));
  apply(entry);
  return {};
}

void GroupCoordinator::apply(const LogEntry& entry) {
  if (const auto* offset = std::get_if<OffsetEntry>(&entry.what)) {
    Entry* known = find_entry(entry.group_id);
    if (known == nullptr && !offset->committed) return;
    apply_offset(make_entry(entry.group_id), *offset);
    return;
  }
  const auto& group = std::get<GroupEntry>(entry.what).group;
  if (group.has_value()) {
    make_entry(entry.group_id).group.restore(*group);
  } else if (Entry* known = find_entry(entry.group_id)) {
    // Its offsets have records of their own; without any left, it is gone.
    if (known->offsets.empty()) {
      erase_entry(entry.group_id);
    } else {
      known->group.restore({});
    }
  }
}

void GroupCoordinator::apply_offset(Entry& entry, const OffsetEntry& offset) {
  OffsetSlot& slot = entry.offsets[offset.partition];
  if (slot.committed.has_value()) --offset_count_;
  slot.committed = offset.committed;
  if (slot.committed.has_value()) ++offset_count_;
  if (!slot.committed.has_value() && slot.appends == 0) entry.offsets.erase(offset.partition);
}

void GroupCoordinator::start(Now now) {
  std::vector<std::string> forgotten;
  for (auto& [group_id, entry] : entries_) {
    entry->group.start_sessions(now);
    touch(*entry);
    forgotten.push_back(group_id);
  }
  for (const std::string& group_id : forgotten) drop_if_forgotten(group_id);
  retention_at_ = now.monotonic + options.offsets_retention_check_interval;
}

void GroupCoordinator::stop() {
  for (auto& [group_id, entry] : entries_) entry->group.release_waiters();
  // What is on its way to the log will not be waited for.
  while (!pending_.empty()) {
    Settled settled = std::move(pending_.front().settled);
    pending_.pop_front();
    settled(KafkaError::kNotCoordinator, Now{});
  }
  for (auto& [group_id, entry] : entries_) entry->group.release_waiters();
  output.appends.clear();
}

void GroupCoordinator::append(std::string_view group_id, std::vector<LogRecord> records, Settled settled) {
  append_offsets(group_id, std::move(records), {}, std::move(settled));
}

void GroupCoordinator::append_offsets(std::string_view group_id, std::vector<LogRecord> records,
                                      std::vector<LogEntry> offsets, Settled settled) {
  for (const LogEntry& entry : offsets) {
    ++make_entry(entry.group_id).offsets[std::get<OffsetEntry>(entry.what).partition].appends;
  }
  const AppendId id = append_next_;
  append_next_.value += 1;
  output.appends.push_back({.id = id, .records = std::move(records)});
  pending_.push_back({.id = id,
                      .group_id = std::string(group_id),
                      .offsets = std::move(offsets),
                      .settled = std::move(settled)});
}

void GroupCoordinator::settle(AppendId id, KafkaError outcome, Now now) {
  PYRALOG_ASSERT(!pending_.empty() && pending_.front().id == id, "appends settle in their order");
  Pending pending = std::move(pending_.front());
  pending_.pop_front();
  for (const LogEntry& written : pending.offsets) {
    Entry* entry = find_entry(written.group_id);
    if (entry == nullptr) continue;
    const auto& offset = std::get<OffsetEntry>(written.what);
    const auto slot = entry->offsets.find(offset.partition);
    if (slot == entry->offsets.end()) continue;
    --slot->second.appends;
    const OffsetEntry unchanged{.partition = offset.partition, .committed = slot->second.committed};
    apply_offset(*entry, outcome == KafkaError::kNone ? offset : unchanged);
  }
  pending.settled(outcome, now);
  if (Entry* entry = find_entry(pending.group_id)) touch(*entry);
  drop_if_forgotten(pending.group_id);
}

void GroupCoordinator::join(JoinRequest request, WaiterId waiter, Now now) {
  const auto refuse = [&](KafkaError error) {
    reply(waiter, JoinAnswer{.error = error, .member_id = request.member_id});
  };
  if (request.group_id.empty()) return refuse(KafkaError::kInvalidGroupId);
  if (request.session_timeout < options.session_timeout_min || request.session_timeout > options.session_timeout_max) {
    return refuse(KafkaError::kInvalidSessionTimeout);
  }
  if (!request.member_id.empty() && find_entry(request.group_id) == nullptr) return refuse(KafkaError::kUnknownMemberId);
  if (!has_room(request.group_id)) return refuse(KafkaError::kPolicyViolation);
  const std::string group_id = request.group_id;
  Entry& entry = make_entry(group_id);
  entry.group.join(std::move(request), waiter, now);
  touch(entry);
  drop_if_forgotten(group_id);
}

void GroupCoordinator::sync(SyncRequest request, WaiterId waiter, Now now) {
  Entry* entry = find_entry(request.group_id);
  if (request.group_id.empty()) return reply(waiter, SyncAnswer{.error = KafkaError::kInvalidGroupId});
  if (entry == nullptr) return reply(waiter, SyncAnswer{.error = KafkaError::kUnknownMemberId});
  entry->group.sync(std::move(request), waiter, now);
  touch(*entry);
}

KafkaError GroupCoordinator::heartbeat(const HeartbeatRequest& request, Now now) {
  if (request.group_id.empty()) return KafkaError::kInvalidGroupId;
  Entry* entry = find_entry(request.group_id);
  if (entry == nullptr) return KafkaError::kUnknownMemberId;
  // The member's deadline moves away; who wakes for the old one looks again.
  return entry->group.heartbeat(request.member, request.connection, now);
}

void GroupCoordinator::lose_connection(std::string_view group_id, std::string_view member_id, ConnectionId connection,
                                       Now now) {
  Entry* entry = find_entry(group_id);
  if (entry == nullptr) return;
  entry->group.lose_connection(member_id, connection, now);
  touch(*entry);
}

void GroupCoordinator::leave(const LeaveRequest& request, WaiterId waiter, Now now) {
  if (request.group_id.empty()) return reply(waiter, LeaveAnswer{.error = KafkaError::kInvalidGroupId});
  Entry* entry = find_entry(request.group_id);
  if (entry == nullptr) {
    return reply(waiter, LeaveAnswer{.members = std::vector(request.members.size(), KafkaError::kUnknownMemberId)});
  }
  entry->group.leave(request, waiter, now);
  touch(*entry);
  drop_if_forgotten(request.group_id);
}

void GroupCoordinator::commit(CommitRequest request, WaiterId waiter, Now now) {
  const auto refuse = [&](KafkaError error) {
    reply(waiter, CommitAnswer{.partitions = std::vector(request.partitions.size(), error)});
  };
  Entry* entry = find_entry(request.group_id);
  if (entry == nullptr) {
    if (request.member.generation.value >= 0) {
      return refuse(request.knows_missing_groups ? KafkaError::kGroupIdNotFound : KafkaError::kIllegalGeneration);
    }
    if (!has_room(request.group_id)) return refuse(KafkaError::kPolicyViolation);
    entry = &make_entry(request.group_id);  // a simple group: offsets without members
  } else if (const KafkaError wrong = entry->group.admit_commit(request.member, now); wrong != KafkaError::kNone) {
    return refuse(wrong);
  }
  commit_to(*entry, request, waiter, now);
}

void GroupCoordinator::commit_to(Entry& entry, CommitRequest& request, WaiterId waiter, Now now) {
  CommitAnswer answer;
  std::vector<LogRecord> records;
  std::vector<LogEntry> offsets;
  for (CommitRequest::Partition& asked : request.partitions) {
    if (asked.metadata.size() > options.offset_metadata_bytes_max) {
      answer.partitions.push_back(KafkaError::kOffsetMetadataTooLarge);
      continue;
    }
    answer.partitions.push_back(KafkaError::kNone);
    CommittedOffset committed{.offset = asked.offset,
                              .leader_epoch = asked.leader_epoch,
                              .metadata = std::move(asked.metadata),
                              .committed_at = now.wall};
    if (request.retention) {
      const auto retention = std::clamp(*request.retention, Milliseconds(0), kOffsetRetentionMax);
      committed.expires_at = WallTime{now.wall.ms + retention.count()};
    }
    records.push_back(offset_record(request.group_id, asked.partition, committed));
    offsets.push_back({request.group_id, OffsetEntry{std::move(asked.partition), std::move(committed)}});
  }
  if (records.empty()) {
    reply(waiter, std::move(answer));
    return drop_if_forgotten(entry.group.id());
  }
  auto settled = [this, waiter, answer = std::move(answer), count = records.size()](KafkaError outcome, Now) mutable {
    if (outcome == KafkaError::kNone) counters.offsets_committed += count;
    for (KafkaError& error : answer.partitions) {
      if (error == KafkaError::kNone) error = outcome;
    }
    reply(waiter, std::move(answer));
  };
  append_offsets(entry.group.id(), std::move(records), std::move(offsets), std::move(settled));
}

const CommittedOffset* GroupCoordinator::find_offset(std::string_view group_id, const TopicPartition& partition) const {
  const auto found = entries_.find(std::string(group_id));
  if (found == entries_.end()) return nullptr;
  const auto slot = found->second->offsets.find(partition);
  return slot != found->second->offsets.end() && slot->second.committed ? &*slot->second.committed : nullptr;
}

std::vector<ListedGroup> GroupCoordinator::list() const {
  std::vector<ListedGroup> groups;
  for (const auto& [group_id, entry] : entries_) {
    groups.push_back({.group_id = group_id,
                      .protocol_type = entry->group.protocol_type().value_or(std::string()),
                      .state = entry->group.state()});
  }
  std::ranges::sort(groups, {}, &ListedGroup::group_id);
  return groups;
}

std::vector<std::string> GroupCoordinator::group_ids() const {
  std::vector<std::string> ids;
  for (const auto& [group_id, entry] : entries_) ids.push_back(group_id);
  std::ranges::sort(ids);  // the order of a hash table is no order
  return ids;
}

std::array<std::size_t, kGroupStates> GroupCoordinator::groups_by_state() const {
  std::array<std::size_t, kGroupStates> counts{};
  for (const auto& [group_id, entry] : entries_) ++counts[static_cast<std::size_t>(entry->group.state())];
  return counts;
}

std::optional<MonotonicTime> GroupCoordinator::next_deadline() const {
  if (wakes_.empty()) return retention_at_;
  const MonotonicTime wake = wakes_.begin()->first;
  return retention_at_.has_value() ? std::min(wake, *retention_at_) : wake;
}

void GroupCoordinator::tick(Now now) {
  while (!wakes_.empty() && wakes_.begin()->first <= now.monotonic) {
    const std::string group_id = wakes_.begin()->second;
    wakes_.erase(wakes_.begin());
    Entry& entry = *find_entry(group_id);
    entry.wake_at.reset();
    entry.group.expire(now);
    touch(entry);
    drop_if_forgotten(group_id);
  }
  if (retention_at_.has_value() && *retention_at_ <= now.monotonic) {
    retention_at_ = now.monotonic + options.offsets_retention_check_interval;
    expire_offsets(now);
  }
}

}  // namespace pyralog::coordinator
