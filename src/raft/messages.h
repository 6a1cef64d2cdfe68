#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "core/result.h"
#include "raft/entry.h"
#include "raft/ids.h"

namespace pyralog::raft {

inline constexpr std::size_t kEntriesPerAppendMax = 4'096;
inline constexpr std::size_t kTailBytesMax = 64u << 10;

/// Asks for a vote, or (`is_pre`) whether it would be given, which commits nobody to anything.
struct VoteRequest {
  Term term;                 ///< that the sender would lead
  bool is_pre = false;
  bool is_transfer = false;  ///< the leader itself wants it: its being alive is no reason to refuse
  LogPosition last;          ///< of the sender's log
  Payload tail;              ///< the caller's: where the sender's data ends. Filled in by the caller when it sends
};
struct VoteReply {
  Term term;      ///< the voter's own
  Term asked;     ///< the term asked for
  bool is_pre = false;
  bool granted = false;
  Payload tail;   ///< TailInfo of replication.md §5, with a granted vote. Filled in by the caller when it sends
};

/// Entries that follow `previous`; none of them: only asks whether the logs agree up to there.
struct Append {
  Term term;
  LogPosition previous;
  std::vector<Entry> entries;
  RaftIndex commit;  ///< of the leader; may lie beyond the last entry here
};
struct AppendReply {
  Term term;
  bool accepted = false;
  RaftIndex previous;        ///< of the append; tells a refusal that is late from one that counts
  RaftIndex matched;         ///< accepted: up to here the voter's log is the leader's, durably
  Term conflict_term;        ///< refused: of the entry at `previous`; 0: the log ends before it
  RaftIndex conflict_first;  ///< refused: where that term begins in the voter's log, or behind its end
};

/// Says what a group's leader has to say while there is nothing to append. Carried by the heartbeats between nodes (for
/// groups about which something changed) or sent for a read barrier; the core never sends one because time passed.
struct Heartbeat {
  Term term;
  bool leads = true;        ///< false: the sender no longer does
  RaftIndex commit;
  std::uint64_t round = 0;  ///< of a read barrier, to be answered; 0: none
};
struct HeartbeatReply {
  Term term;
  std::uint64_t round = 0;
};

/// A snapshot, for a replica whose next entry the leader no longer has. The caller carries the snapshot's bytes along, in
/// chunks, and hands this message to the receiver's group when they are durable there.
struct InstallSnapshot {
  Term term;
  SnapshotMeta snapshot;
};

/// The receiver, whose log is complete, is to stand for election at once.
struct TimeoutNow {
  Term term;
};

struct Message {
  ReplicaId from;
  ReplicaId to;
  std::variant<VoteRequest, VoteReply, Append, AppendReply, Heartbeat, HeartbeatReply, InstallSnapshot, TimeoutNow> body;
};

/// What can be said of a message by itself, whoever sent it. kCorrupt: it contradicts itself or what a peer may claim.
Result<> check_message(const Message& message);

}  // namespace pyralog::raft
