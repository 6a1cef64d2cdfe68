#include "replication/replication_model.h"

#include <fmt/format.h>

namespace pyralog::replication::testing {

void ReplicationModel::drive(Node& self) {
  if (!self.leading.has_value() || !self.leading->activation.has_value()) return;
  Activation& activation = *self.leading->activation;
  const Ballot ballot{.epoch = self.term, .leader = self.id};
  using Need = Activation::Need;
  switch (activation.need()) {
    case Need::kSeals:
      for (const ReplicaId& id : activation.unsealed()) send(self.id.node, id.node, Seal{ballot});
      return;
    case Need::kPriorRows:
      note("prior rows decided first");
      return propose(self, std::nullopt);
    case Need::kTruncateSelf:
      note("leader truncates its own garbage");
      truncate(self, activation.own_valid_end(), "the leader's garbage");
      activation.own_log_is(shape_of(self), at(now_));
      return drive(self);
    case Need::kFetch:
      note("leader fetches its tail");
      return send(self.id.node, activation.source().node, Fetch{ballot, shape_of(self).end});
    case Need::kLevel:
      if (wrong(Mistake::kDecidesBeforeLevelling)) return propose(self, activation.row());
      count_own(self);
      if (activation.need() != Need::kLevel) return drive(self);
      for (const Node& other : nodes_) {
        if (other.id != self.id) push(self, other.id.node);
      }
      return;
    case Need::kDecide:
      return propose(self, activation.row());
    case Need::kOpen:
      return open(self);
    case Need::kRepair:
    case Need::kUnwitnessed:
    case Need::kLost:
      return void(fail("records are lost, or nobody can tell"));
  }
}

void ReplicationModel::take(Node& self, NodeId from, const Seal& message) {
  if (message.ballot.epoch < self.promise.epoch) return send(self.id.node, from, Fenced{self.promise.epoch});
  if (message.ballot.epoch > self.term) step_down(self, message.ballot.epoch);
  if (message.ballot.epoch > self.promise.epoch) self.promise = {.epoch = message.ballot.epoch, .leader = {}};
  send(self.id.node, from, SealReply{message.ballot.epoch, tail_of(self)});
}

void ReplicationModel::take(Node& self, NodeId from, const SealReply& message) {
  if (!self.leading.has_value() || message.term != self.term || !self.leading->activation.has_value()) return;
  seal(self, from, message.tail);
}

void ReplicationModel::take(Node& self, NodeId from, const Fetch& message) {
  const LogShape log = shape_of(self);
  if (message.from > log.end) return;
  std::vector<ModelBatch> batches(self.log.begin() + message.from.value, self.log.end());
  send(self.id.node, from, Fetched{message.ballot, message.from, std::move(batches)});
}

void ReplicationModel::take(Node& self, NodeId, const Fetched& message) {
  if (!self.leading.has_value() || !self.leading->activation.has_value() || message.ballot.epoch != self.term) return;
  Activation& activation = *self.leading->activation;
  if (activation.need() != Activation::Need::kFetch || message.from != shape_of(self).end) return;
  for (const ModelBatch& batch : message.batches) {
    const Offset base = shape_of(self).end;
    const Offset end = base + OffsetDelta(1);
    if (base >= activation.end()) break;
    // The source may have records behind that are garbage by these rows.
    if (activation.setup().table.judge(batch.epoch, base, end) != Standing::kValid) break;
    append(self, batch);
  }
  activation.own_log_is(shape_of(self), at(now_));
  drive(self);
}

void ReplicationModel::propose(Node& self, std::optional<EpochRow> row) {
  const bool is_there = !self.raft.empty() && self.raft.back().term == self.term &&
                        (!row.has_value() || self.raft.back().row == row);
  if (!is_there) {
    self.raft.push_back({.term = self.term, .row = std::move(row)});
    self.raft_accepted = self.term;
  }
  self.leading->raft_matched[self.id.node] = self.raft.size();
  for (const Node& other : nodes_) {
    if (other.id != self.id) send(self.id.node, other.id.node, RaftAppend{self.term, self.raft, self.raft_committed});
  }
  raft_commit(self);
}

void ReplicationModel::take(Node& self, NodeId from, const RaftAppend& message) {
  if (message.term < self.term) return;
  if (message.term > self.term || self.is_candidate) step_down(self, message.term);
  // A whole log of the same leader that is shorter has been overtaken.
  const bool is_stale = message.term == self.raft_accepted && message.log.size() < self.raft.size();
  if (!is_stale) {
    self.raft = message.log;
    self.raft_accepted = message.term;
    self.raft_committed = std::max(self.raft_committed, std::min(message.committed, self.raft.size()));
    learn_rows(self);
  }
  send(self.id.node, from, RaftReply{message.term, self.raft.size()});
}

void ReplicationModel::take(Node& self, NodeId from, const RaftReply& message) {
  if (!self.leading.has_value() || message.term != self.term) return;
  std::size_t& matched = self.leading->raft_matched[from];
  matched = std::max(matched, message.length);
  raft_commit(self);
}

void ReplicationModel::raft_commit(Node& self) {
  for (std::size_t length = self.raft.size(); length > self.raft_committed; --length) {
    if (self.raft[length - 1].term != self.term) break;
    const auto has = [length](const auto& entry) { return entry.second >= length; };
    if (static_cast<std::size_t>(std::ranges::count_if(self.leading->raft_matched, has)) < majority()) continue;
    self.raft_committed = length;
    break;
  }
  if (self.raft_committed < self.raft.size() || self.raft.empty() || self.raft.back().term != self.term) return;
  if (!self.leading->activation.has_value()) return;
  Activation& activation = *self.leading->activation;
  if (self.raft.back().row.has_value()) {
    if (activation.need() == Activation::Need::kDecide) activation.decided();
    if (wrong(Mistake::kDecidesBeforeLevelling)) return open(self);
  } else {
    activation.prior_rows_decided();
  }
  drive(self);
}

void ReplicationModel::open(Node& self) {
  Leading& leading = *self.leading;
  const EpochRow row = leading.activation->row();
  check_activation(self, row);
  check_committed(self, row.start);
  ++truth_.activations;
  if (wrong(Mistake::kDecidesBeforeLevelling)) {
    leading.copies.emplace(row.data, row.start, at(now_));
  } else {
    leading.copies = std::move(leading.activation->copies());
  }
  leading.activation.reset();
  leading.acked = row.start;
  if (wrong(Mistake::kSealsMajorityOnly)) {
    DataConfiguration data = row.data;
    data.current.write_quorum = options_.write_quorum;
    leading.copies->change(std::move(data), at(now_));
  }
  self.suspect_from.reset();  // it has all that there is
  self.promise = raised({.epoch = self.term, .leader = self.id});
  stamp_anew(self, row.start);
  count_own(self);
  acknowledge(self);
}

/// What the old epoch had not committed goes on in the new one, at the same offsets; copies of the old stamp never count.
void ReplicationModel::stamp_anew(Node& self, Offset from) {
  const auto begin = static_cast<std::size_t>(from.value);
  if (self.log.size() <= begin) return;
  note("records stamped anew");
  const std::vector<ModelBatch> again(self.log.begin() + from.value, self.log.end());
  truncate(self, from, "stamped anew");
  for (const ModelBatch& batch : again) append(self, {.epoch = self.leading->term, .crc = batch.crc});
  self.leading->copies->sequenced(shape_of(self).end, at(now_));
}

}  // namespace pyralog::replication::testing
