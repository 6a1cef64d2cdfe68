#include "replication/replication_model.h"

#include <fmt/format.h>

namespace pyralog::replication::testing {

void ReplicationModel::check_activation(const Node& leader, const EpochRow& row) {
  // Who learns late that its row was committed opens an epoch that has ended already.
  if (row.epoch < truth_.newest_open) return;
  truth_.newest_open = row.epoch;
  if (row.start.value < static_cast<std::int64_t>(truth_.committed.size())) {
    fail(fmt::format("epoch {} starts at {}, below {} committed records", row.epoch.value, row.start.value,
                     truth_.committed.size()));
  }
  if (options_.is_cached) return;  // copies may have gone with the power since they were counted
  for (std::int64_t offset = 0; offset < row.start.value; ++offset) {
    const auto i = static_cast<std::size_t>(offset);
    const auto has_it = [&](const Node& other) { return i < other.synced && other.log[i] == leader.log[i]; };
    const bool enough = static_cast<std::size_t>(std::ranges::count_if(nodes_, has_it)) >= options_.write_quorum;
    if (!enough) fail(fmt::format("epoch {} opens with too few copies of offset {}", row.epoch.value, offset));
  }
}

/// I18: a copy that counts is there, the same, and synced if the log is durable; unless its replica has promised to another
/// leader since, and so will not answer for it any more.
void ReplicationModel::check_copy(const Node& leader, const Node& replica, Offset end) {
  if (replica.promise.epoch > leader.leading->term) return;
  // It may have died with what was in its memory, which the leader cannot know before it is back.
  const auto life = leader.leading->lives.find(replica.id.node);
  const bool is_news = replica.life != BootId(1) && (life == leader.leading->lives.end() || life->second != replica.life);
  if (options_.is_cached && is_news) return;
  const auto length = static_cast<std::size_t>(end.value);
  if ((options_.is_cached ? replica.log.size() : replica.synced) < length) return void(fail("a copy counts that is not there"));
  for (std::size_t i = 0; i < length; ++i) {
    if (replica.log[i] != leader.log[i]) return void(fail("a copy counts that is another record"));
  }
}

void ReplicationModel::check_committed(const Node& leader, Offset end) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(end.value) && i < leader.log.size(); ++i) {
    if (i == truth_.committed.size()) truth_.committed.push_back(leader.log[i]);
    if (truth_.committed[i].crc != leader.log[i].crc) {
      fail(fmt::format("offset {} was committed as {} and is now {}", i, truth_.committed[i].crc, leader.log[i].crc));
    }
  }
  if (static_cast<std::size_t>(end.value) > leader.log.size()) fail("committed beyond the leader's own log");
}

bool ReplicationModel::check_agreement() {
  for (const Node& self : nodes_) {
    // An old leader that has not heard of its successor may have records that never were committed.
    const bool leads = self.leading.has_value() && self.leading->copies.has_value();
    const auto knows_newer = [&](const Node& other) { return other.promise.epoch > self.leading->term; };
    if (!leads || std::ranges::any_of(nodes_, knows_newer)) continue;
    check_committed(self, Offset(static_cast<std::int64_t>(truth_.committed.size())));
  }
  return failure_.empty();
}

}  // namespace pyralog::replication::testing
