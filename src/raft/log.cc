#include "raft/log.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "raft/planted.h"

namespace pyralog::raft {

Log::Log(SnapshotMeta base, std::vector<Entry> entries) : base_(std::move(base)), entries_(std::move(entries)) {
  PYRALOG_ASSERT(base_.configuration != nullptr, "a log begins with a configuration, if with an empty one");
  find_configuration();
}

std::optional<Term> Log::term_at(RaftIndex index) const noexcept {
  if (index == base_.index) return base_.term;
  if (index < base_.index || index > last_index()) return std::nullopt;
  return entries_[place(index)].term;
}

const Entry& Log::at(RaftIndex index) const {
  PYRALOG_ASSERT(index > base_.index && index <= last_index(), "an entry outside the log");
  return entries_[place(index)];
}

RaftIndex Log::first_of_term_at(RaftIndex index) const {
  const Term term = at(index).term;
  const auto first = std::ranges::lower_bound(entries_, term, {}, &Entry::term);
  return base_.index + (first - entries_.begin()) + 1;
}

RaftIndex Log::last_up_to_term(Term term) const noexcept {
  const auto behind = std::ranges::upper_bound(entries_, term, {}, &Entry::term);
  return base_.index + (behind - entries_.begin());
}

void Log::append(Entry entry) {
  entries_.push_back(std::move(entry));
  if (entries_.back().configuration != nullptr) find_configuration();
}

void Log::truncate_from(RaftIndex index) {
  PYRALOG_ASSERT(index > base_.index, "a snapshot is not truncated");
  if (index > last_index()) return;
  entries_.resize(place(index));
  if (configuration_index_ >= index && !planted(Bug::kTruncatedConfigurationStays)) find_configuration();
}

SnapshotMeta Log::meta_at(RaftIndex index) const {
  SnapshotMeta meta{.index = index, .term = at(index).term, .configuration = base_.configuration};
  for (RaftIndex i = index; i > base_.index; i = i - 1) {
    if (at(i).configuration == nullptr) continue;
    meta.configuration = at(i).configuration;
    break;
  }
  return meta;
}

void Log::install(SnapshotMeta snapshot) {
  const bool keeps_rest = has({snapshot.term, snapshot.index});
  if (keeps_rest) {
    entries_.erase(entries_.begin(), entries_.begin() + (snapshot.index - base_.index));
    entries_.shrink_to_fit();
  } else {
    std::vector<Entry>().swap(entries_);
  }
  base_ = std::move(snapshot);
  find_configuration();
}

void Log::find_configuration() {
  for (std::size_t i = entries_.size(); i-- > 0;) {
    if (entries_[i].configuration == nullptr) continue;
    configuration_ = entries_[i].configuration;
    configuration_index_ = base_.index + static_cast<std::int64_t>(i) + 1;
    return;
  }
  configuration_ = base_.configuration;
  configuration_index_ = base_.index;
}

}  // namespace pyralog::raft
