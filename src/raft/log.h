#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "raft/entry.h"

namespace pyralog::raft {

/// A group's entries above its snapshot, in memory. Knows which configuration is in force.
class Log {
 public:
  Log(SnapshotMeta base, std::vector<Entry> entries);

  const SnapshotMeta& base() const noexcept { return base_; }
  RaftIndex last_index() const noexcept { return base_.index + static_cast<std::int64_t>(entries_.size()); }
  LogPosition last() const noexcept { return {entries_.empty() ? base_.term : entries_.back().term, last_index()}; }

  /// Nothing: below the snapshot or beyond the end.
  std::optional<Term> term_at(RaftIndex index) const noexcept;
  bool has(LogPosition position) const noexcept { return term_at(position.index) == position.term; }
  /// `index` lies above the snapshot and not beyond the end.
  const Entry& at(RaftIndex index) const;
  /// The first index of the term that `index` (an entry here) belongs to, as far as the entries go back.
  RaftIndex first_of_term_at(RaftIndex index) const;
  /// The last entry whose term is at most `term`; the snapshot's index if none.
  RaftIndex last_up_to_term(Term term) const noexcept;

  const ConfigurationPtr& configuration() const noexcept { return configuration_; }
  RaftIndex configuration_index() const noexcept { return configuration_index_; }

  void append(Entry entry);
  void truncate_from(RaftIndex index);
  /// What a snapshot at `index` (an entry here) would stand for.
  SnapshotMeta meta_at(RaftIndex index) const;
  /// Entries up to the snapshot go; those behind it stay if the log has its last entry, else they go too.
  void install(SnapshotMeta snapshot);

 private:
  std::size_t place(RaftIndex index) const noexcept { return static_cast<std::size_t>(index - base_.index - 1); }
  void find_configuration();

  SnapshotMeta base_;
  std::vector<Entry> entries_;
  ConfigurationPtr configuration_;
  RaftIndex configuration_index_;
};

}  // namespace pyralog::raft
