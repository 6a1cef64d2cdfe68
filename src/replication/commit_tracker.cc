#include "replication/commit_tracker.h"

#include <algorithm>
#include <utility>

namespace pyralog::replication {

CommitTracker::CommitTracker(DataConfiguration data, Offset start, MonotonicTime now)
    : data_(std::move(data)), start_(start), log_end_(start), high_watermark_(start) {
  add_copies(now, false);
}

void CommitTracker::add_copies(MonotonicTime now, bool are_new) {
  for (const ReplicaId& id : data_.everyone()) {
    const Copy fresh{.life = std::nullopt, .matched = Offset(0), .caught_up_at = are_new ? MonotonicTime::min() : now,
                     .mark = log_end_, .mark_at = now};
    copies_.try_emplace(id, fresh);
  }
  std::erase_if(copies_, [this](const auto& entry) { return !data_.contains(entry.first); });
}

void CommitTracker::sequenced(Offset end, MonotonicTime now) {
  if (end <= log_end_) return;
  // Who had everything until now was in step until now.
  for (auto& [id, copy] : copies_) {
    if (copy.matched == log_end_) copy.caught_up_at = std::max(copy.caught_up_at, now);
  }
  log_end_ = end;
}

void CommitTracker::stored(const ReplicaId& replica, BootId life, Offset end, MonotonicTime now) {
  const auto found = copies_.find(replica);
  if (found == copies_.end() || is_frozen_ || end > log_end_) return;
  Copy& copy = found->second;
  if (!copy.life.has_value()) copy.life = life;
  if (copy.life != life) return;
  copy.matched = std::max(copy.matched, end);
  if (copy.matched >= copy.mark) {
    copy.caught_up_at = std::max(copy.caught_up_at, copy.mark_at);
    copy.mark = log_end_;
    copy.mark_at = now;
  }
  if (copy.matched == log_end_) copy.caught_up_at = std::max(copy.caught_up_at, now);
  advance();
  if (copy.matched >= high_watermark_) copy.is_in_sync_candidate = true;
}

void CommitTracker::restarted(const ReplicaId& replica, BootId life) {
  const auto found = copies_.find(replica);
  if (found == copies_.end() || found->second.life == life) return;
  Copy& copy = found->second;
  copy.life = life;
  copy.matched = Offset(0);
  copy.is_in_sync_candidate = false;
}

void CommitTracker::advance() {
  const Offset end = quorum_end(data_, [this](const ReplicaId& id) { return copies_.at(id).matched; });
  high_watermark_ = std::max(high_watermark_, end);
}

void CommitTracker::change(DataConfiguration data, MonotonicTime now) {
  data_ = std::move(data);
  add_copies(now, true);
  if (!is_frozen_) advance();
}

bool CommitTracker::has_quorum(const ReplicaSet& set, Offset end) const {
  const auto has = [&](const ReplicaId& id) { return matched(id) >= end; };
  return static_cast<std::size_t>(std::ranges::count_if(set.members, has)) >= set.write_quorum;
}

Offset CommitTracker::matched(const ReplicaId& replica) const {
  const auto found = copies_.find(replica);
  return found != copies_.end() ? found->second.matched : Offset(0);
}

std::size_t CommitTracker::copies(Offset end) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(copies_, [end](const auto& entry) { return entry.second.matched >= end; }));
}

Offset CommitTracker::end_with_copies(std::size_t copies) const {
  if (copies > copies_.size()) return Offset(0);
  if (copies == 0) return high_watermark_;
  std::vector<Offset> ends;
  for (const auto& [id, copy] : copies_) ends.push_back(copy.matched);
  const auto nth = ends.begin() + static_cast<std::ptrdiff_t>(copies - 1);
  std::ranges::nth_element(ends, nth, std::ranges::greater());
  return std::min(*nth, high_watermark_);
}

std::vector<ReplicaId> CommitTracker::in_sync(MonotonicTime now, Duration lag_max) const {
  std::vector<ReplicaId> found;
  for (const auto& [id, copy] : copies_) {
    const bool is_level = copy.matched == log_end_;
    const bool lately = copy.caught_up_at != MonotonicTime::min() && now - copy.caught_up_at <= lag_max;
    if (copy.is_in_sync_candidate && (is_level || lately)) found.push_back(id);
  }
  return found;
}

}  // namespace pyralog::replication
