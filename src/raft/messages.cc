#include "raft/messages.h"

namespace pyralog::raft {
namespace {

Error corrupt(const char* why) { return Error(ErrorCode::kCorrupt, why); }

bool is_index(RaftIndex index) { return index >= RaftIndex(0) && index <= kIndexMax; }
/// The empty log ends at (0, 0); everything else has both.
bool is_position(LogPosition position) {
  return is_index(position.index) && (position.index == RaftIndex(0)) == (position.term == Term(0)) && position.term >= Term(0);
}
bool is_tail(const Payload& tail) { return tail == nullptr || tail->size() <= kTailBytesMax; }

Result<> check(const VoteRequest& request) {
  if (!is_position(request.last)) return corrupt("vote request: impossible end of log");
  if (request.last.term >= request.term) return corrupt("vote request: entries of the term that is yet to be led");
  if (!is_tail(request.tail)) return corrupt("vote request: tail too long");
  return {};
}

Result<> check(const VoteReply& reply) {
  if (reply.asked < Term(1)) return corrupt("vote reply: nobody asks for that term");
  if (!is_tail(reply.tail)) return corrupt("vote reply: tail too long");
  return {};
}

Result<> check(const Append& append) {
  if (!is_position(append.previous) || !is_index(append.commit)) return corrupt("append: index out of range");
  if (append.entries.size() > kEntriesPerAppendMax) return corrupt("append: too many entries");
  Term least = append.previous.term;
  if (least > append.term) return corrupt("append: entries newer than their leader");
  for (const Entry& entry : append.entries) {
    if (entry.term < least || entry.term < Term(1)) return corrupt("append: terms go back");
    if (entry.term > append.term) return corrupt("append: entries newer than their leader");
    if (entry.configuration != nullptr && !entry.configuration->check().ok()) {
      return corrupt("append: impossible configuration");
    }
    least = entry.term;
  }
  return {};
}

Result<> check(const AppendReply& reply) {
  if (!is_index(reply.previous) || !is_index(reply.matched) || !is_index(reply.conflict_first)) {
    return corrupt("append reply: index out of range");
  }
  if (reply.conflict_term < Term(0)) return corrupt("append reply: impossible term");
  return {};
}

Result<> check(const Heartbeat& heartbeat) {
  if (!is_index(heartbeat.commit)) return corrupt("heartbeat: index out of range");
  return {};
}

Result<> check(const HeartbeatReply&) { return {}; }

Result<> check(const InstallSnapshot& install) {
  const SnapshotMeta& snapshot = install.snapshot;
  if (!is_position({snapshot.term, snapshot.index}) || snapshot.index == RaftIndex(0)) {
    return corrupt("snapshot: impossible end");
  }
  if (snapshot.term > install.term) return corrupt("snapshot: newer than its leader");
  if (snapshot.configuration == nullptr || !snapshot.configuration->check().ok()) {
    return corrupt("snapshot: impossible configuration");
  }
  return {};
}

Result<> check(const TimeoutNow&) { return {}; }

}  // namespace

Result<> check_message(const Message& message) {
  if (message.from == message.to) return corrupt("a message from its receiver");
  return std::visit(
      [](const auto& body) -> Result<> {
        if (body.term < Term(0)) return corrupt("impossible term");
        return check(body);
      },
      message.body);
}

}  // namespace pyralog::raft
