#pragma once

#include <fmt/format.h>

#include <string>

#include "raft/output.h"

namespace pyralog::raft {

/// What tests print. Replicas are named by the letter that is their node's number, log positions are term/index.
struct Describe {
  static char name(const ReplicaId& id) { return static_cast<char>(id.node.value); }
  static std::string of(LogPosition position) { return fmt::format("{}/{}", position.term.value, position.index.value); }
  static std::string of(const Payload& payload) { return payload == nullptr ? "" : *payload; }
  /// As Transcript::configuration reads it; a joint one is "(old)new".
  static std::string of(const Configuration& configuration) {
    std::string old;
    std::string now;
    for (const Member& member : configuration.members) {
      const std::string voter = (member.is_witness ? "*" : "") + std::string(1, name(member.id));
      if (member.is_outgoing_voter) old += voter;
      if (member.is_voter) {
        now += voter;
      } else if (!member.is_outgoing_voter) {
        now += static_cast<char>(name(member.id) | 0x20);
      }
    }
    return configuration.is_joint ? fmt::format("({}){}", old, now) : now;
  }
  static std::string of(const Entry& entry) {
    return of(entry.payload) + (entry.configuration == nullptr ? "" : "=" + of(*entry.configuration));
  }
  static std::string of(const VoteRequest& request) {
    return fmt::format("{} {}? log {}{}", request.is_pre ? "pre-vote" : "vote", request.term.value, of(request.last),
                       request.is_transfer ? ", transfer" : "");
  }
  static std::string of(const VoteReply& reply) {
    const std::string granted = reply.granted ? "yes" : fmt::format("no, term {}", reply.term.value);
    return fmt::format("{} {}: {}", reply.is_pre ? "pre-vote" : "vote", reply.asked.value, granted);
  }
  static std::string of(const Append& append) {
    std::string entries;
    RaftIndex index = append.previous.index;
    for (const Entry& entry : append.entries) {
      index = index + 1;
      entries += " " + of(LogPosition{entry.term, index}) + of(entry);
    }
    return fmt::format("append {}: behind {}{} commit {}", append.term.value, of(append.previous), entries,
                       append.commit.value);
  }
  static std::string of(const AppendReply& reply) {
    if (reply.accepted) return fmt::format("has {}", reply.matched.value);
    const std::string where = reply.conflict_term > Term(0)
                                  ? fmt::format("term {} from {}", reply.conflict_term.value, reply.conflict_first.value)
                                  : fmt::format("ends before {}", reply.conflict_first.value);
    return fmt::format("refuses {} in term {}: {}", reply.previous.value, reply.term.value, where);
  }
  static std::string of(const Heartbeat& heartbeat) {
    if (!heartbeat.leads) return fmt::format("leads no more, term {}", heartbeat.term.value);
    const std::string round = heartbeat.round == 0 ? "" : fmt::format(" round {}", heartbeat.round);
    return fmt::format("leads {} commit {}{}", heartbeat.term.value, heartbeat.commit.value, round);
  }
  static std::string of(const HeartbeatReply& reply) {
    return fmt::format("round {} in term {}", reply.round, reply.term.value);
  }
  static std::string of(const InstallSnapshot& install) {
    return fmt::format("snapshot {}: {}", install.term.value, of(LogPosition{install.snapshot.term, install.snapshot.index}));
  }
  static std::string of(const TimeoutNow& timeout) { return fmt::format("stand now, term {}", timeout.term.value); }
  static std::string of(const Message& message) {
    return std::visit([](const auto& body) { return of(body); }, message.body);
  }
  static std::string of(const Persist& persist) {
    std::string text = fmt::format("term {}", persist.hard.term.value);
    if (persist.gives_vote) text += fmt::format(" vote {}", name(*persist.hard.vote));
    if (persist.snapshot) text += " snapshot " + of(LogPosition{persist.snapshot->term, persist.snapshot->index});
    RaftIndex index = persist.first;
    for (const Entry& entry : persist.entries) {
      text += " " + of(LogPosition{entry.term, index}) + of(entry);
      index = index + 1;
    }
    return text;
  }
  static std::string of(const RoleChange& change) {
    const std::string term = std::to_string(change.term.value);
    if (change.role == Role::kLeader) return (change.is_caretaker ? "is caretaker of " : "leads ") + term;
    if (change.role == Role::kPreCandidate) return "asks around in " + term;
    if (change.role == Role::kCandidate) return "is candidate in " + term;
    return change.leader ? fmt::format("follows {} in {}", name(*change.leader), term) : "has no leader in " + term;
  }
};

}  // namespace pyralog::raft
