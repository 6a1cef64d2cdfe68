#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/describe.h"
#include "raft/durable_state.h"
#include "raft/group.h"

namespace pyralog::raft {

/// Replicas of one group, named by letters, whose dealings are written down, a line for each. Nothing moves by itself:
/// `settle` delivers messages in the order they were sent, and what was to be persisted is durable at once, except with
/// those whose disk is held.
class Transcript {
 public:
  explicit Transcript(const std::string& voters = "ABC", GroupOptions options = {}) : options_(options) {
    founding_ = std::make_shared<const Configuration>(configuration(voters));
    for (const char name : voters) {
      if (name >= 'A' && name <= 'Z') add(name, founding_);
    }
  }

  static ReplicaId id(char name) {
    ReplicaId id{.node = NodeId(name)};
    id.disk.bytes[0] = static_cast<std::uint8_t>(name);
    return id;
  }
  /// Voters in upper case, learners in lower case; a voter behind "*" is a witness.
  static Configuration configuration(const std::string& names) {
    Configuration made;
    bool is_witness = false;
    for (const char name : names) {
      if (name != '*') {
        const bool is_voter = name >= 'A' && name <= 'Z';
        made.members.push_back({.id = id(static_cast<char>(name & ~0x20)), .is_voter = is_voter, .is_witness = is_witness});
      }
      is_witness = name == '*';
    }
    return made;
  }
  static Payload payload(const std::string& text) { return std::make_shared<const std::string>(text); }

  /// A replica that nobody knows yet.
  void add_blank(char name) { add(name, std::make_shared<const Configuration>()); }
  Group& group(char name) { return *replicas_.at(name).group; }
  MonotonicTime now() const { return MonotonicTime(std::chrono::milliseconds(ms_)); }

  // What happens to them.
  void pass(std::int64_t ms) {
    const std::int64_t end = ms_ + ms;
    for (;;) {
      std::int64_t next = end + 1;
      for (auto& [name, replica] : replicas_) next = std::min(next, deadline_ms(replica));
      if (next > end) break;
      ms_ = std::max(ms_, next);
      for (auto& [name, replica] : replicas_) {
        if (deadline_ms(replica) <= ms_) replica.group->tick(now()), drain(name);
      }
      settle();
    }
    ms_ = end;
  }
  /// `name` wins an election, without a word about how.
  void elect(char name) {
    const std::string before = text_;
    EXPECT_TRUE(group(name).stand(now()).ok());
    drain(name);
    settle();
    text_ = before;
    EXPECT_EQ(group(name).role(), Role::kLeader) << name;
  }
  void stand(char name) { check(fmt::format("{} stands", name), group(name).stand(now())), drain(name); }
  void propose(char name, const std::string& text) {
    check(fmt::format("{} proposes {}", name, text), group(name).propose(payload(text), now())), drain(name);
  }
  void change(char name, const std::string& members) {
    check(fmt::format("{} changes members to {}", name, members),
          group(name).change_members(configuration(members), nullptr, now()));
    drain(name);
  }
  void leave_joint(char name, Side side = Side::kNew) {
    check(fmt::format("{} ends the change", name), group(name).leave_joint(side, nullptr, now())), drain(name);
  }
  void transfer(char name, char to) {
    check(fmt::format("{} transfers to {}", name, to), group(name).transfer(id(to), now())), drain(name);
  }
  void read(char name, std::uint64_t read) {
    check(fmt::format("{} reads #{}", name, read), group(name).read(ReadId(read), now())), drain(name);
  }
  void compact(char name, std::int64_t index) {
    check(fmt::format("{} compacts to {}", name, index), group(name).compact(RaftIndex(index))), drain(name);
  }
  void suspect(char who, char whom) {
    line(fmt::format("{} suspects {}", who, whom));
    group(who).suspect(id(whom), now()), drain(who);
  }
  void trust(char who, char whom) {
    line(fmt::format("{} trusts {}", who, whom));
    group(who).trust(id(whom), now()), drain(who);
  }
  /// Everybody suspects `name`.
  void suspect(char name) {
    for (auto& [other, replica] : replicas_) {
      if (other != name) suspect(other, name);
    }
  }
  void cut(char from, char to) { cut_.insert({from, to}), cut_.insert({to, from}); }
  void cut_off(char name) {
    for (auto& [other, replica] : replicas_) cut(name, other);
  }
  void heal() { cut_.clear(); }
  void hold_disk(char name) { replicas_.at(name).holds_disk = true; }
  void release_disk(char name) {
    line(fmt::format("{}'s disk is done", name));
    Replica& replica = replicas_.at(name);
    replica.holds_disk = false;
    persist_all(name, replica);
    drain(name);
  }
  /// What is not durable is lost.
  void restart(char name) {
    line(fmt::format("{} restarts", name));
    Replica& replica = replicas_.at(name);
    replica.unsynced.clear();
    open(name, replica);
  }
  void settle() {
    while (!network_.empty()) {
      const Message message = std::move(network_.front());
      network_.pop_front();
      deliver(message);
    }
  }
  /// Whatever is on its way is lost.
  void lose_all() { network_.clear(); }
  std::deque<Message>& network() { return network_; }
  void deliver(const Message& message, CandidateTail tail = CandidateTail::kNotShorter) {
    const char from = Describe::name(message.from);
    const char to = Describe::name(message.to);
    if (cut_.contains({from, to}) || !replicas_.contains(to)) return;
    const auto taken = group(to).step(message, now(), tail);
    line(fmt::format("{}>{} {}{}", from, to, Describe::of(message), taken.ok() ? "" : ": " + taken.error().to_string()));
    drain(to);
  }
  template <class Body>
  void deliver(char from, char to, Body body) {
    deliver(Message{.from = id(from), .to = id(to), .body = std::move(body)});
  }

  /// "1/1 1/2x 3/3y" with terms, indices and payloads.
  std::string log(char name) {
    const Log& log = group(name).log();
    const SnapshotMeta& base = log.base();
    std::string text = base.index > RaftIndex(0) ? "[" + Describe::of(LogPosition{base.term, base.index}) + "]" : "";
    for (RaftIndex i = base.index + 1; i <= log.last_index(); i = i + 1) {
      const Entry& entry = log.at(i);
      text += (text.empty() ? "" : " ") + Describe::of(LogPosition{entry.term, i}) + Describe::of(entry);
    }
    return text;
  }
  void note(const std::string& text) { line(text); }
  std::string take() { return std::exchange(text_, "\n"); }

  struct Replica {
    std::unique_ptr<Group> group;
    Restored durable;
    std::deque<Persist> unsynced;
    bool holds_disk = false;
  };
  Replica& replica(char name) { return replicas_.at(name); }
  void open(char name, Replica& replica) {
    auto opened = Group::open(options_, id(name), replica.durable, Random(static_cast<std::uint64_t>(name)), now());
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    replica.group = std::move(*opened);
    drain(name);
  }
  /// Carries out what came out of `name`.
  void drain(char name) {
    Replica& replica = replicas_.at(name);
    for (bool more = true; more;) {
      Output out = replica.group->take_output();
      std::ranges::move(out.messages, std::back_inserter(network_));
      if (out.restored) line(fmt::format("  {} becomes snapshot {}", name, out.restored->index.value));
      for (const Committed& committed : out.committed) {
        line(fmt::format("  {} applies {}{}", name, committed.index.value, Describe::of(committed.entry)));
      }
      for (const RoleChange& change : out.roles) line(fmt::format("  {} {}", name, Describe::of(change)));
      for (const ReadAnswer& answer : out.reads) {
        line(fmt::format("  {} answers read #{}: {}", name, answer.id.value, answer.index ? answer.index->value : -1));
      }
      if (out.transfer_failed) line(fmt::format("  {}'s transfer failed", name));
      more = out.persist.has_value();
      if (more) replica.unsynced.push_back(std::move(*out.persist));
      if (more && !replica.holds_disk) persist_all(name, replica);
      if (out.heartbeat_changed) announce(name);
    }
  }

 private:
  void add(char name, ConfigurationPtr configuration) {
    Replica& replica = replicas_[name];
    replica.durable.snapshot.configuration = std::move(configuration);
    open(name, replica);
  }
  void announce(char name) {
    const Group& group = *replicas_.at(name).group;
    for (const Member& member : group.configuration().members) {
      if (member.id != id(name)) network_.push_back({.from = id(name), .to = member.id, .body = group.heartbeat()});
    }
  }
    static std::int64_t deadline_ms(const Replica& replica) {
    const auto next = replica.group->next_deadline();
    if (!next) return std::int64_t{1} << 60;
    return std::chrono::ceil<std::chrono::milliseconds>(next->time_since_epoch()).count();
  }
  template <class T>
  void check(const std::string& what, const Result<T>& result) {
    line(result.ok() ? what : what + ": " + result.error().to_string());
  }
  void line(const std::string& text) { text_ += text + "\n"; }
  void persist_all(char name, Replica& replica) {
    while (!replica.unsynced.empty()) {
      const Persist persist = std::move(replica.unsynced.front());
      replica.unsynced.pop_front();
      line(fmt::format("  {} has durably {}", name, Describe::of(persist)));
      write_to(replica.durable, persist);
      replica.group->persisted(persist.id, now());
    }
  }

  std::int64_t ms_ = 0;
  GroupOptions options_;
  ConfigurationPtr founding_;
  std::map<char, Replica> replicas_;
  std::deque<Message> network_;
  std::set<std::pair<char, char>> cut_;
  std::string text_ = "\n";
};

}  // namespace pyralog::raft
