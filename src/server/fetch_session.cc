#include "server/fetch_session.h"

#include <algorithm>

namespace pyralog::server {

const std::uint32_t* FetchSession::find_topic(const FetchTopic& topic) const {
  if (by_id_) {
    const auto found = topics_by_id_.find(topic.id);
    return found == topics_by_id_.end() ? nullptr : &found->second;
  }
  const auto found = topics_by_name_.find(topic.name);
  return found == topics_by_name_.end() ? nullptr : &found->second;
}

std::uint32_t FetchSession::intern(const FetchTopic& topic) {
  if (const std::uint32_t* known = find_topic(topic)) return *known;
  const auto index = static_cast<std::uint32_t>(topics_.size());
  topics_.push_back(topic);
  if (by_id_) {
    topics_by_id_.emplace(topic.id, index);
  } else {
    topics_by_name_.emplace(topic.name, index);
  }
  return index;
}

void FetchSession::set(const FetchTopic& topic, PartitionIndex index, const FetchTarget& target) {
  const std::uint32_t topic_index = intern(topic);
  const auto [position, added] = positions_.emplace(key(topic_index, index), partitions_.size());
  if (added) {
    partitions_.push_back({.topic = topic_index, .index = index, .target = target});
  } else {
    partitions_[position->second].target = target;
  }
}

void FetchSession::forget(const FetchTopic& topic, PartitionIndex index) {
  const std::uint32_t* known = find_topic(topic);
  if (known == nullptr) return;
  const auto found = positions_.find(key(*known, index));
  if (found == positions_.end()) return;
  const std::size_t position = found->second;
  positions_.erase(found);
  partitions_.erase(partitions_.begin() + static_cast<std::ptrdiff_t>(position));
  reindex(position);
}

void FetchSession::serve_first(std::size_t first) {
  if (first == 0 || first >= partitions_.size()) return;
  std::rotate(partitions_.begin(), partitions_.begin() + static_cast<std::ptrdiff_t>(first), partitions_.end());
  reindex(0);
}

void FetchSession::reindex(std::size_t begin) {
  for (std::size_t i = begin; i < partitions_.size(); ++i) positions_[key(partitions_[i].topic, partitions_[i].index)] = i;
}

FetchSession* FetchSessions::create(bool by_id, std::size_t partitions, MonotonicTime now) {
  if (!make_room(partitions, now)) return nullptr;
  const std::int32_t id = new_id();
  Entry& entry = entries_.emplace_back(Entry{.session = FetchSession(id, by_id), .used = now});
  sessions_.emplace(id, std::prev(entries_.end()));
  return &entry.session;
}

FetchSession* FetchSessions::find(std::int32_t id, MonotonicTime now) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return nullptr;
  found->second->used = now;
  entries_.splice(entries_.end(), entries_, found->second);
  return &found->second->session;
}

void FetchSessions::remove(std::int32_t id) {
  const auto found = sessions_.find(id);
  if (found != sessions_.end()) erase(found->second);
}

bool FetchSessions::resized(FetchSession& session) {
  Entry& entry = *sessions_.at(session.id());
  partitions_ += session.size() - entry.counted;
  entry.counted = session.size();
  if (partitions_ <= limits_.partitions_max) return true;
  remove(session.id());
  return false;
}

bool FetchSessions::make_room(std::size_t partitions, MonotonicTime now) {
  if (partitions > limits_.partitions_max) return false;
  while (entries_.size() >= limits_.sessions_max || partitions_ + partitions > limits_.partitions_max) {
    if (entries_.empty() || now - entries_.front().used < limits_.idle_min) return false;
    erase(entries_.begin());
  }
  return true;
}

void FetchSessions::erase(Entries::iterator entry) {
  partitions_ -= entry->counted;
  sessions_.erase(entry->session.id());
  entries_.erase(entry);
}

std::int32_t FetchSessions::new_id() {
  const auto ids = (std::uint64_t{INT32_MAX} - shard_.value) / shard_count_;
  for (;;) {
    const auto id = static_cast<std::int32_t>((1 + random_.below(ids - 1)) * shard_count_ + shard_.value);
    if (!sessions_.contains(id)) return id;
  }
}

}  // namespace pyralog::server
