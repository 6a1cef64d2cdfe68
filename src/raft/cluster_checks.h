#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "raft/describe.h"
#include "raft/group.h"

namespace pyralog::raft {

/// What must hold of all replicas of a group together (Raft §5.2 to 5.4, replication.md §13), judged from outside. Keeps
/// the first failure.
class ClusterChecks {
 public:
  /// A replica's state machine: a hash over all that was applied.
  struct State {
    RaftIndex applied;
    std::uint64_t hash = 0;
  };

  const std::string& failure() const noexcept { return failure_; }
  RaftIndex commit() const noexcept { return commit_; }
  std::size_t committed_count() const noexcept { return decided_.size() - 1; }
  void fail(std::string what) {
    if (failure_.empty()) failure_ = std::move(what);
  }

  /// Somebody knows that everything up to `commit` is committed.
  void saw_commit(RaftIndex commit) { commit_ = std::max(commit_, commit); }

  /// One vote for each replica and term, whatever happened in between.
  void votes(const ReplicaId& id, Term term, const ReplicaId& candidate) {
    const auto [known, is_new] = votes_.try_emplace({id, term}, candidate);
    if (is_new || known->second == candidate) return;
    fail(fmt::format("{} voted twice in term {}", Describe::name(id), term.value));
  }

  /// One leader for each term (a replica leads a term once), and the newest has all that was ever committed.
  void leads(const ReplicaId& id, std::uint64_t boot, Term term, const Log& log) {
    const auto [known, is_new] = leaders_.try_emplace(term, id, boot);
    if (!is_new && known->second != std::pair(id, boot)) {
      fail(fmt::format("{} and {} led term {}", Describe::name(known->second.first), Describe::name(id), term.value));
    }
    if (leaders_.rbegin()->first > term) return;
    for (std::size_t i = 1; i < decided_.size(); ++i) {
      const RaftIndex index(static_cast<std::int64_t>(i));
      if (index < log.base().index || log.term_at(index) == decided_[i].term) continue;
      return fail(fmt::format("leader {} of term {} lacks {}", Describe::name(id), term.value,
                              Describe::of(LogPosition{decided_[i].term, index})));
    }
  }

  void applied(const ReplicaId& id, const Restored& durable, State& state, const Committed& committed) {
    const auto place = static_cast<std::size_t>(committed.index - durable.snapshot.index - 1);
    const bool is_durable = committed.index > durable.snapshot.index && place < durable.entries.size() &&
                            durable.entries[place].term == committed.entry.term;
    if (!is_durable && committed.index > durable.snapshot.index) {
      return fail(fmt::format("{} applied {}, which its disk does not hold", Describe::name(id), committed.index.value));
    }
    if (committed.index != state.applied + 1) {
      return fail(fmt::format("{} applied {} after {}", Describe::name(id), committed.index.value, state.applied.value));
    }
    state.applied = committed.index;
    state.hash = mix(state.hash, committed.entry);
    const auto rank = static_cast<std::size_t>(committed.index.value);
    if (rank == decided_.size()) decided_.push_back({committed.entry.term, state.hash});
    if (rank >= decided_.size() || decided_[rank].hash != state.hash) {
      fail(fmt::format("{} applied another entry {} than the others", Describe::name(id), committed.index.value));
    }
    saw_commit(committed.index);
  }

  /// What a snapshot's bytes hold. It was made of what was applied somewhere.
  State state_at(const SnapshotMeta& snapshot) {
    const auto place = static_cast<std::size_t>(snapshot.index.value);
    if (place >= decided_.size() || decided_[place].term != snapshot.term) {
      fail(fmt::format("a snapshot at {} of what is not committed", snapshot.index.value));
      return {};
    }
    return {.applied = snapshot.index, .hash = decided_[place].hash};
  }

  void read_began(ReadId id) { reads_[id] = commit_; }
  void read_answered(const ReadAnswer& answer) {
    if (answer.index && *answer.index < reads_.at(answer.id)) {
      fail(fmt::format("a read at {} misses what was committed up to {}", answer.index->value, reads_.at(answer.id).value));
    }
    reads_.erase(answer.id);
  }

  /// What is in force is what the log says last, whatever went away.
  void configuration_is_newest(const Group& group) {
    const Log& log = group.log();
    ConfigurationPtr newest = log.base().configuration;
    for (RaftIndex i = log.last_index(); i > log.base().index; i = i - 1) {
      if (log.at(i).configuration == nullptr) continue;
      newest = log.at(i).configuration;
      break;
    }
    if (group.configuration() == *newest) return;
    fail(fmt::format("{} goes by members that its log does not name", Describe::name(group.self())));
  }

  /// Where two logs have an entry of the same term at one index, all before is the same.
  void logs_match(const Group& a, const Group& b) {
    const RaftIndex base = std::max(a.log().base().index, b.log().base().index);
    bool is_same = false;
    for (RaftIndex i = std::min(a.log().last_index(), b.log().last_index()); i > base; i = i - 1) {
      const Entry& left = a.log().at(i);
      const Entry& right = b.log().at(i);
      const bool equal = left.term == right.term && Describe::of(left) == Describe::of(right);
      if ((is_same && !equal) || (left.term == right.term && !equal)) {
        return fail(fmt::format("logs of {} and {} differ at {}", Describe::name(a.self()), Describe::name(b.self()), i.value));
      }
      is_same = equal;
    }
  }

 private:
  struct Decided {
    Term term;
    std::uint64_t hash = 0;
  };
  static std::uint64_t mix(std::uint64_t hash, const Entry& entry) {
    hash = (hash ^ static_cast<std::uint64_t>(entry.term.value)) * 0x9E3779B97F4A7C15ull;
    for (const char byte : Describe::of(entry)) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3ull;
    return hash ^ (hash >> 29);
  }

  std::string failure_;
  RaftIndex commit_;
  std::vector<Decided> decided_{1};  // by index
  std::map<std::pair<ReplicaId, Term>, ReplicaId> votes_;
  std::map<Term, std::pair<ReplicaId, std::uint64_t>> leaders_;
  std::map<ReadId, RaftIndex> reads_;
};

}  // namespace pyralog::raft
