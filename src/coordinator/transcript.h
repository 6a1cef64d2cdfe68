#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/group_coordinator.h"

namespace pyralog::coordinator {

/// A coordinator whose dealings are written down, a line for each: what comes out of a call is indented below what was
/// asked. Waiters are named; ids of members are shortened to what the client calls itself, and a number.
class Transcript {
 public:
  explicit Transcript(GroupOptions options = {}) : coordinator_(std::move(options), room) { coordinator_.start(now()); }

  GroupRoom room;
  GroupCoordinator& coordinator() { return coordinator_; }
  Now now() const { return {MonotonicTime(std::chrono::milliseconds(ms_)), WallTime{1'700'000'000'000 + ms_}}; }

  struct Joining {
    std::string group = "g";
    std::string member;  ///< "": none yet
    std::optional<std::string> instance;
    std::vector<Strategy> strategies = {{"range", "t"}};
    int session_ms = 10'000;
    int rebalance_ms = 60'000;
    bool must_know_its_id = false;
    bool may_skip = false;
    std::string type = "consumer";
  };

  void join(const std::string& who, Joining joining) {
    line(fmt::format("{} joins{}", who, joining.member.empty() ? "" : " as " + joining.member));
    JoinRequest request{.group_id = joining.group,
                        .member_id = full(joining.member),
                        .instance_id = joining.instance,
                        .client_id = who,
                        .client_host = "/host",
                        .session_timeout = Milliseconds(joining.session_ms),
                        .rebalance_timeout = Milliseconds(joining.rebalance_ms),
                        .protocol_type = joining.type,
                        .strategies = joining.strategies,
                        .must_know_its_id = joining.must_know_its_id,
                        .may_skip_assignment = joining.may_skip};
    store_big(reinterpret_cast<std::byte*>(request.fresh_id.bytes.data()), ++fresh_);
    coordinator_.join(std::move(request), waiter(who), now());
    drain();
  }
  void join(const std::string& who) { join(who, Joining{}); }
  void join(const std::string& who, const std::string& member) { join(who, Joining{.member = member}); }

  void sync(const std::string& member, int generation, std::map<std::string, std::string> assignments = {}) {
    line(fmt::format("{} syncs {}", member, generation));
    SyncRequest request{.group_id = "g", .member = identity(member, generation)};
    for (const auto& [to, what] : assignments) request.assignments.push_back({full(to), what});
    coordinator_.sync(std::move(request), waiter(member), now());
    drain();
  }
  void heartbeat(const std::string& member, int generation, std::optional<std::string> instance = {}, int connection = 1) {
    MemberIdentity id = identity(member, generation);
    id.instance_id = std::move(instance);
    const HeartbeatRequest beat{"g", id, ConnectionId(static_cast<std::uint64_t>(connection))};
    line(fmt::format("{} beats {}: {}", member, generation, name(coordinator_.heartbeat(beat, now()))));
    drain();
  }
  void lose_connection(const std::string& member, int connection = 1) {
    line(fmt::format("{}'s connection {} ends", member, connection));
    coordinator_.lose_connection("g", full(member), ConnectionId(static_cast<std::uint64_t>(connection)), now());
    drain();
  }
  void leave(const std::string& member, std::optional<std::string> instance = {}) {
    line(fmt::format("{} leaves", member.empty() ? *instance : member));
    coordinator_.leave({.group_id = "g", .members = {{full(member), std::move(instance)}}}, waiter(member), now());
    drain();
  }
  void commit(const std::string& member, int generation, std::int64_t offset, std::string metadata = "") {
    line(fmt::format("{} commits {} in {}", member.empty() ? "nobody" : member, offset, generation));
    CommitRequest request{.group_id = "g", .member = identity(member, generation)};
    request.partitions.push_back({.partition = kPartition, .offset = Offset(offset), .metadata = std::move(metadata)});
    coordinator_.commit(std::move(request), waiter("committer"), now());
    drain();
  }
  void fetch() {
    const auto* found = coordinator_.find_offset("g", kPartition);
    line("committed: " + (found != nullptr ? std::to_string(found->offset.value) : "nothing"));
  }
  void remove() {
    line("delete group");
    coordinator_.delete_group("g", waiter("admin"));
    drain();
  }
  void remove_offset() {
    line("delete offset");
    coordinator_.delete_offsets({.group_id = "g", .partitions = {kPartition}}, waiter("admin"));
    drain();
  }
  void state() {
    const Group* group = coordinator_.find_group("g");
    if (group == nullptr) return line("state: no group");
    line(fmt::format("state: {} {}", group_state_name(group->state()), group->generation().value));
  }

  /// The oldest append is durable, or fails with `outcome`.
  void stored(KafkaError outcome = KafkaError::kNone) {
    ASSERT_FALSE(appends_.empty()) << "nothing is to be stored\n" << text_;
    line(outcome == KafkaError::kNone ? "stored" : fmt::format("not stored: {}", name(outcome)));
    Append append = std::move(appends_.front());
    appends_.erase(appends_.begin());
    if (outcome == KafkaError::kNone) std::ranges::move(append.records, std::back_inserter(log_));
    coordinator_.settle(append.id, outcome, now());
    drain();
  }
  /// Lets time pass, in the steps of the deadlines on the way.
  void pass(std::int64_t ms) {
    const std::int64_t end = ms_ + ms;
    line(fmt::format("{} ms pass", ms));
    for (;;) {
      const auto next = coordinator_.next_deadline();
      const auto at = next ? std::chrono::duration_cast<std::chrono::milliseconds>(next->time_since_epoch()).count() : end + 1;
      if (at > end) break;
      ms_ = std::max(ms_, at);
      coordinator_.tick(now());
      drain();
    }
    ms_ = end;
  }

  /// What is durable, in order.
  const std::vector<LogRecord>& log() const { return log_; }
  /// The same group after a restart: from what is durable.
  void restart(GroupOptions options = {}) {
    line("restart");
    appends_.clear();
    std::destroy_at(&coordinator_);
    std::construct_at(&coordinator_, std::move(options), room);
    for (const LogRecord& record : log_) load(record);
    coordinator_.start(now());
    drain();
  }
  void load(const LogRecord& record) {
    const auto value = record.value ? std::optional(as_bytes(*record.value)) : std::nullopt;
    if (auto loaded = coordinator_.load(as_bytes(record.key), value); !loaded.ok()) {
      line("left out: " + loaded.error().to_string());
    }
  }
  void note(const std::string& text) { line(text); }
  /// All since the last call.
  std::string take() { return std::exchange(text_, "\n"); }
  inline static const TopicPartition kPartition{"t", PartitionIndex(0)};

 private:
  static std::string name(KafkaError error) { return std::string(protocol::kafka_error_name(error)); }
  void line(const std::string& text) { text_ += text + "\n"; }
  MemberIdentity identity(const std::string& member, int generation) {
    return {.member_id = full(member), .generation = Generation(generation)};
  }
  /// "a1" for the first id that a got, and back.
  std::string full(const std::string& brief) const {
    const auto found = ids_.find(brief);
    return found != ids_.end() ? found->second : brief;
  }
  std::string brief(const std::string& id) {
    for (const auto& [known, whole] : ids_) {
      if (whole == id) return known;
    }
    if (id.size() < 23) return id;
    std::string client = id.substr(0, id.size() - 23);
    client += std::to_string(++counts_[client]);
    ids_[client] = id;
    return client;
  }
  WaiterId waiter(const std::string& who) {
    waiters_[++waiter_next_] = who;
    return WaiterId(waiter_next_);
  }
  void drain() {
    Output output = coordinator_.take_output();
    for (Append& append : output.appends) {
      if (!append.records.empty()) line(fmt::format("  store {}", describe(append.records)));
      appends_.push_back(std::move(append));
    }
    for (const Reply& reply : output.replies) {
      const std::string told = std::visit([&](const auto& answer) { return tell(answer); }, reply.answer);
      line(fmt::format("  to {}: {}", waiters_[reply.to.value], told));
    }
  }
  std::string describe(const std::vector<LogRecord>& records) {
    std::string text;
    for (const LogRecord& record : records) {
      const auto value = record.value ? std::optional(as_bytes(*record.value)) : std::nullopt;
      const auto entry = read_record(as_bytes(record.key), value);
      if (!text.empty()) text += ", ";
      text += entry.ok() ? describe(*entry) : entry.error().to_string();
    }
    return text;
  }
  std::string describe(const LogEntry& entry) {
    if (const auto* offset = std::get_if<OffsetEntry>(&entry.what)) {
      return offset->committed ? fmt::format("offset {}", offset->committed->offset.value) : "no offset";
    }
    const auto& group = std::get<GroupEntry>(entry.what).group;
    if (!group) return "no group";
    std::string text = fmt::format("generation {}", group->generation.value);
    for (const StoredMember& member : group->members) {
      text += fmt::format(" {}={}", brief(member.member_id), member.assignment);
    }
    return text;
  }
  std::string tell(const JoinAnswer& answer) {
    std::string members;
    for (const JoinedMember& member : answer.members) {
      members += fmt::format(" {}:{}", brief(member.member_id), member.metadata);
    }
    const std::string me = brief(answer.member_id);
    if (answer.error != KafkaError::kNone) return name(answer.error) + (me.empty() ? "" : " " + me);
    return fmt::format("{} joined {} by {}, led by {}{}{}", me, answer.generation.value, answer.protocol_name.value_or("?"),
                       brief(answer.leader), answer.skip_assignment ? ", need not assign" : "",
                       members.empty() ? "" : ", with" + members);
  }
  std::string tell(const SyncAnswer& answer) {
    return answer.error != KafkaError::kNone ? name(answer.error) : fmt::format("assigned {}", answer.assignment);
  }
  std::string tell(const LeaveAnswer& answer) {
    return answer.error != KafkaError::kNone ? name(answer.error) : "left " + name(answer.members.front());
  }
  std::string tell(const CommitAnswer& answer) { return "commit " + name(answer.partitions.front()); }
  std::string tell(const PlainAnswer& answer) { return name(answer.error); }
  std::string tell(const OffsetDeleteAnswer& answer) {
    return answer.error != KafkaError::kNone ? name(answer.error) : "partition " + name(answer.partitions.front());
  }

  std::int64_t ms_ = 0;
  GroupCoordinator coordinator_;
  std::vector<Append> appends_;
  std::vector<LogRecord> log_;
  std::map<std::uint64_t, std::string> waiters_;
  std::uint64_t waiter_next_ = 0;
  std::map<std::string, std::string> ids_;
  std::map<std::string, int> counts_;
  std::uint32_t fresh_ = 0;
  std::string text_ = "\n";
};

}  // namespace pyralog::coordinator
