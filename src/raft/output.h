#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "raft/entry.h"
#include "raft/ids.h"
#include "raft/messages.h"

namespace pyralog::raft {

using PersistId = StrongId<struct PersistIdTag, std::uint64_t>;  ///< rises by one with each
using ReadId = StrongId<struct ReadIdTag, std::uint64_t>;        ///< the caller's

/// What survives a restart besides the log.
struct HardState {
  Term term;
  std::optional<ReplicaId> vote;  ///< in `term`
  /// Everything up to here is committed. A hint: it may lag, and is never synced for its own sake.
  RaftIndex commit_hint;
};

/// One record for the journal, to be written and synced as a whole (in one sync with those of other groups) in the order
/// of ids. It says what the state is from now on: `hard`; with a snapshot, the log's beginning; and from `first` on, the
/// log is `entries` and ends with them. When it is durable: `Group::persisted`. If it cannot be made so, the group is at an
/// end: the process stops or drops it, and begins again from what is durable.
struct Persist {
  PersistId id;
  HardState hard;
  /// A vote was given in `hard.term`. It seals the replica: the caller writes `promised = (hard.term, nobody)` and what
  /// else it promises by that into the same record (replication.md §5, step 1).
  bool gives_vote = false;
  std::optional<SnapshotMeta> snapshot;
  RaftIndex first;
  std::vector<Entry> entries;
};

enum class Role : std::uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

/// Who leads, as this replica knows.
struct RoleChange {
  Term term;
  Role role = Role::kFollower;
  std::optional<ReplicaId> leader;
  /// Won the election, but may not lead (a witness, a learner, a removed voter): brings a member's log up to its own and
  /// hands over. It is not to activate anything.
  bool is_caretaker = false;
};

struct Committed {
  RaftIndex index;
  Entry entry;
};

/// A vote given to this replica in the term that it stands for or leads, with what its voter says of its data.
struct Seal {
  ReplicaId voter;
  Term term;
  Payload tail;
};

struct ReadAnswer {
  ReadId id;
  /// Serve once this is applied. Nothing: no longer the leader; ask the next.
  std::optional<RaftIndex> index;
};

/// What came out of the calls since the last `Group::take_output`, to be carried out in the order of the fields.
struct Output {
  std::optional<Persist> persist;
  /// May leave at once: those that promise something are kept in the group until what they promise is durable.
  std::vector<Message> messages;
  /// The state machine becomes what this snapshot holds.
  std::optional<SnapshotMeta> restored;
  /// Then these are applied. They are durable here, and decided.
  std::vector<Committed> committed;
  std::vector<RoleChange> roles;
  std::vector<Seal> seals;
  std::vector<ReadAnswer> reads;
  /// A transfer of leadership did not come about in time; proposals are taken again.
  bool transfer_failed = false;
  /// What `Group::heartbeat` says is news to the others.
  bool heartbeat_changed = false;
};

}  // namespace pyralog::raft
