#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "coordinator/group.h"
#include "coordinator/group_context.h"
#include "coordinator/group_messages.h"
#include "core/result.h"

namespace pyralog::coordinator {

/// The groups of one partition of the internal log, with their offsets. Pure: after any call take `take_output`, append
/// its records in order, send its replies; once an append is durable or has failed, tell `settle`; at `next_deadline`,
/// call `tick`.
///
/// What others see of offsets is what is durable: they become visible by `settle`, in the order of the log, so that the
/// state is at any time what loading the log gives. The states of groups run ahead of the log by what nobody was told yet.
class GroupCoordinator final : GroupContext {
 public:
  /// `room` outlives it.
  GroupCoordinator(GroupOptions options, GroupRoom& room) : GroupContext(std::move(options)), room_(room) {}
  ~GroupCoordinator() override { room_.groups -= entries_.size(); }

  /// Applies a record of the log, before anything else is asked. An error (that of `read_record`) leaves all as it was.
  Result<> load(ByteView key, std::optional<ByteView> value);
  /// The log has been read to its end.
  void start(Now now);
  /// Answers all that wait with NOT_COORDINATOR. Nothing may be asked from then on.
  void stop();

  /// Each is answered by a reply to `waiter`: JoinAnswer, SyncAnswer, LeaveAnswer, CommitAnswer, PlainAnswer,
  /// OffsetDeleteAnswer.
  void join(JoinRequest request, WaiterId waiter, Now now);
  void sync(SyncRequest request, WaiterId waiter, Now now);
  void leave(const LeaveRequest& request, WaiterId waiter, Now now);
  void commit(CommitRequest request, WaiterId waiter, Now now);
  void delete_group(std::string_view group_id, WaiterId waiter);
  void delete_offsets(const OffsetDeleteRequest& request, WaiterId waiter);

  KafkaError heartbeat(const HeartbeatRequest& request, Now now);
  /// A connection by which this member sent heartbeats has ended.
  void lose_connection(std::string_view group_id, std::string_view member_id, ConnectionId connection, Now now);
  /// Nothing: no offset is committed.
  const CommittedOffset* find_offset(std::string_view group_id, const TopicPartition& partition) const;
  /// Calls `visit(TopicPartition, CommittedOffset)` for each committed offset of the group.
  template <class Visit>
  void for_each_offset(std::string_view group_id, Visit visit) const;
  /// The same for at most `count_max` partitions after `after` (none: from the first on). Where to go on; nothing: the end.
  template <class Visit>
  std::optional<TopicPartition> visit_offsets(std::string_view group_id, const std::optional<TopicPartition>& after,
                                              std::size_t count_max, Visit visit) const;
  /// Null: no such group.
  const Group* find_group(std::string_view group_id) const;
  std::vector<ListedGroup> list() const;

  /// What there are committed offsets for.
  std::set<std::string> committed_topics() const;
  /// A log was deleted: what was committed for it means nothing for a later one of its name.
  void forget_topic(std::string_view topic);

  std::optional<MonotonicTime> next_deadline() const;
  void tick(Now now);

  Output take_output() { return std::exchange(output, {}); }
  /// `outcome`: what clients are told; kNone: durable. Called in the order of the appends.
  void settle(AppendId id, KafkaError outcome, Now now);

  const GroupCounters& group_counters() const noexcept { return counters; }
  std::array<std::size_t, kGroupStates> groups_by_state() const;
  std::size_t offset_count() const noexcept { return offset_count_; }
  std::vector<std::string> group_ids() const;

 private:
  struct OffsetSlot {
    std::optional<CommittedOffset> committed;
    std::uint32_t appends = 0;  ///< commits and erasures on their way to the log
  };
  struct Entry {
    explicit Entry(GroupContext& context, std::string id) : group(context, std::move(id)) {}
    Group group;
    std::map<TopicPartition, OffsetSlot> offsets;
    std::optional<MonotonicTime> wake_at;  ///< its place in `wakes_`
  };
  struct Pending {
    AppendId id;
    std::string group_id;
    std::vector<LogEntry> offsets;  ///< what becomes visible
    Settled settled;
  };

  void append(std::string_view group_id, std::vector<LogRecord> records, Settled settled) override;
  Group* find(std::string_view group_id) override;

  Entry* find_entry(std::string_view group_id);
  Entry& make_entry(std::string_view group_id);
  void touch(Entry& entry);
  bool has_room(std::string_view group_id);
  void drop_if_forgotten(std::string_view group_id);
  void erase_entry(std::string_view group_id);
  void apply(const LogEntry& entry);
  void apply_offset(Entry& entry, const OffsetEntry& offset);
  void append_offsets(std::string_view group_id, std::vector<LogRecord> records, std::vector<LogEntry> offsets,
                      Settled settled);
  void commit_to(Entry& entry, CommitRequest& request, WaiterId waiter, Now now);
  void expire_offsets(Now now);
  void expire_offsets_of(Entry& entry, Now now);
  std::optional<WallTime> retained_since(const Group& group, const CommittedOffset& committed) const;
  void end_group(Entry& entry, std::vector<LogRecord> records, std::vector<LogEntry> erased, Settled settled);
  static void add_erasure(std::string_view group_id, const TopicPartition& partition, std::vector<LogRecord>& records,
                          std::vector<LogEntry>& erased);

  GroupRoom& room_;
  std::unordered_map<std::string, std::unique_ptr<Entry>> entries_;
  std::set<std::pair<MonotonicTime, std::string>> wakes_;  // when to look at which group
  std::deque<Pending> pending_;
  AppendId append_next_{1};
  std::size_t offset_count_ = 0;
  std::optional<MonotonicTime> retention_at_;
};

template <class Visit>
void GroupCoordinator::for_each_offset(std::string_view group_id, Visit visit) const {
  const auto found = entries_.find(std::string(group_id));
  if (found == entries_.end()) return;
  for (const auto& [partition, slot] : found->second->offsets) {
    if (slot.committed) visit(partition, *slot.committed);
  }
}

template <class Visit>
std::optional<TopicPartition> GroupCoordinator::visit_offsets(std::string_view group_id,
                                                              const std::optional<TopicPartition>& after,
                                                              std::size_t count_max, Visit visit) const {
  const auto found = entries_.find(std::string(group_id));
  if (found == entries_.end()) return std::nullopt;
  const auto& offsets = found->second->offsets;
  std::optional<TopicPartition> last = after;
  for (auto at = after.has_value() ? offsets.upper_bound(*after) : offsets.begin(); at != offsets.end(); ++at) {
    if (count_max-- == 0) return last;
    if (at->second.committed) visit(at->first, *at->second.committed);
    last = at->first;
  }
  return std::nullopt;
}

}  // namespace pyralog::coordinator
