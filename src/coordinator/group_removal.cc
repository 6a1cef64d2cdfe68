// How groups and offsets end: by request, by age, with their log. See group_coordinator.h.
#include "coordinator/group_coordinator.h"

namespace pyralog::coordinator {

void GroupCoordinator::add_erasure(std::string_view group_id, const TopicPartition& partition,
                                   std::vector<LogRecord>& records, std::vector<LogEntry>& erased) {
  records.push_back(offset_tombstone(group_id, partition));
  erased.push_back({std::string(group_id), OffsetEntry{.partition = partition}});
}

/// Stores that an empty group is gone, after `records`; requests find it dead meanwhile.
void GroupCoordinator::end_group(Entry& entry, std::vector<LogRecord> records, std::vector<LogEntry> erased,
                                 Settled settled) {
  entry.group.set_dead();
  records.push_back(group_tombstone(entry.group.id()));
  auto ended = [this, id = entry.group.id(), settled = std::move(settled)](KafkaError outcome, Now now) mutable {
    if (outcome == KafkaError::kNone) {
      erase_entry(id);
      ++counters.groups_deleted;
    } else if (Group* group = find(id)) {
      group->revive();
    }
    settled(outcome, now);
  };
  append_offsets(entry.group.id(), std::move(records), std::move(erased), std::move(ended));
}

void GroupCoordinator::delete_group(std::string_view group_id, WaiterId waiter) {
  Entry* entry = find_entry(group_id);
  if (entry == nullptr || entry->group.state() == GroupState::kDead) {
    return reply(waiter, PlainAnswer{KafkaError::kGroupIdNotFound});
  }
  if (entry->group.state() != GroupState::kEmpty) return reply(waiter, PlainAnswer{KafkaError::kNonEmptyGroup});
  std::vector<LogRecord> records;
  std::vector<LogEntry> erased;
  // Those on their way to the log included: they stand before the erasure.
  for (const auto& [partition, slot] : entry->offsets) add_erasure(group_id, partition, records, erased);
  end_group(*entry, std::move(records), std::move(erased),
            [this, waiter](KafkaError outcome, Now) { reply(waiter, PlainAnswer{outcome}); });
}

void GroupCoordinator::delete_offsets(const OffsetDeleteRequest& request, WaiterId waiter) {
  Entry* entry = find_entry(request.group_id);
  if (entry == nullptr || entry->group.state() == GroupState::kDead) {
    return reply(waiter, OffsetDeleteAnswer{.error = KafkaError::kGroupIdNotFound});
  }
  // What other groups with members consume cannot be known.
  const Group& group = entry->group;
  if (group.state() != GroupState::kEmpty && !group.is_consumer_group()) {
    return reply(waiter, OffsetDeleteAnswer{.error = KafkaError::kNonEmptyGroup});
  }
  OffsetDeleteAnswer answer;
  std::vector<LogRecord> records;
  std::vector<LogEntry> erased;
  for (const TopicPartition& asked : request.partitions) {
    const bool subscribed = group.state() != GroupState::kEmpty && group.is_subscribed(asked.topic);
    answer.partitions.push_back(subscribed ? KafkaError::kGroupSubscribedToTopic : KafkaError::kNone);
    if (!subscribed && entry->offsets.contains(asked)) add_erasure(request.group_id, asked, records, erased);
  }
  if (records.empty()) return reply(waiter, std::move(answer));
  auto settled = [this, waiter, count = records.size(), answer = std::move(answer)](KafkaError outcome, Now) mutable {
    if (outcome == KafkaError::kNone) counters.offsets_deleted += count;
    answer.error = outcome;
    reply(waiter, std::move(answer));
  };
  append_offsets(request.group_id, std::move(records), std::move(erased), std::move(settled));
}

std::set<std::string> GroupCoordinator::committed_topics() const {
  std::set<std::string> topics;
  for (const auto& [group_id, entry] : entries_) {
    for (auto at = entry->offsets.begin(); at != entry->offsets.end();) {
      topics.insert(at->first.topic);
      at = entry->offsets.upper_bound({at->first.topic, PartitionIndex(INT32_MAX)});
    }
  }
  return topics;
}

void GroupCoordinator::forget_topic(std::string_view topic) {
  for (const std::string& group_id : group_ids()) {
    const Entry& entry = *find_entry(group_id);
    if (entry.group.state() == GroupState::kDead) continue;  // it erases all its offsets itself
    std::vector<LogRecord> records;
    std::vector<LogEntry> erased;
    const TopicPartition first{std::string(topic), PartitionIndex(INT32_MIN)};
    for (auto at = entry.offsets.lower_bound(first); at != entry.offsets.end() && at->first.topic == topic; ++at) {
      add_erasure(group_id, at->first, records, erased);
    }
    if (records.empty()) continue;
    auto settled = [this, count = records.size()](KafkaError outcome, Now) {
      if (outcome == KafkaError::kNone) counters.offsets_deleted += count;
    };
    append_offsets(group_id, std::move(records), std::move(erased), std::move(settled));
  }
}

/// From when an offset's retention counts; none: it is in use.
std::optional<WallTime> GroupCoordinator::retained_since(const Group& group, const CommittedOffset& committed) const {
  if (!group.protocol_type().has_value()) return committed.committed_at;
  if (group.state() == GroupState::kEmpty) {
    return group.state_since().ms >= 0 ? std::max(group.state_since(), committed.committed_at) : committed.committed_at;
  }
  // The group goes on, but with other topics.
  if (group.is_consumer_group() && group.state() == GroupState::kStable && group.knows_subscription()) {
    return committed.committed_at;
  }
  return std::nullopt;
}

void GroupCoordinator::expire_offsets(Now now) {
  for (const std::string& group_id : group_ids()) expire_offsets_of(*find_entry(group_id), now);
}

void GroupCoordinator::expire_offsets_of(Entry& entry, Now now) {
  const Group& group = entry.group;
  if (group.state() == GroupState::kDead) return;
  std::vector<LogRecord> records;
  std::vector<LogEntry> erased;
  bool all = true;
  for (const auto& [partition, slot] : entry.offsets) {
    bool expired = false;
    const bool in_use = group.state() != GroupState::kEmpty && group.is_subscribed(partition.topic);
    if (slot.committed && slot.appends == 0 && !in_use) {
      const auto since = retained_since(group, *slot.committed);
      const auto until = slot.committed->expires_at.has_value() && since.has_value()
                             ? slot.committed->expires_at
                             : since.transform([&](WallTime t) { return WallTime{t.ms + options.offsets_retention.count()}; });
      expired = until.has_value() && *until <= now.wall;
    }
    if (expired) add_erasure(group.id(), partition, records, erased);
    all &= expired;
  }
  auto settled = [this, count = records.size()](KafkaError outcome, Now) {
    if (outcome == KafkaError::kNone) counters.offsets_expired += count;
  };
  if (all && group.state() == GroupState::kEmpty && group.is_deserted()) {
    end_group(entry, std::move(records), std::move(erased), std::move(settled));
  } else if (!records.empty()) {
    append_offsets(group.id(), std::move(records), std::move(erased), std::move(settled));
  }
}

}  // namespace pyralog::coordinator
