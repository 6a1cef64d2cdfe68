#include "replication/replication_model.h"

#include <fmt/format.h>

namespace pyralog::replication::testing {

void ReplicationModel::produce(Node& self) {
  if (!self.is_up || !self.leading.has_value() || !self.leading->copies.has_value()) return;
  if (self.log.size() > 40 && !is_healed_) return;
  note("record");
  append(self, {.epoch = self.leading->term, .crc = crc_next_++});
  self.leading->copies->sequenced(shape_of(self).end, at(now_));
  count_own(self);
  for (const Node& other : nodes_) {
    if (other.id != self.id) push(self, other.id.node);
  }
  acknowledge(self);
}

/// The leader's own copy passes the same fence as any other.
void ReplicationModel::count_own(Node& self) {
  if (!self.leading.has_value()) return;
  Leading& leading = *self.leading;
  const Ballot ballot{.epoch = leading.term, .leader = self.id};
  const Fencing fencing = check_fence(self.promise, ballot);
  const bool may = fencing == Fencing::kPass || fencing == Fencing::kRaise || wrong(Mistake::kLeaderBypassesFence);
  if (!may) return;
  if (fencing == Fencing::kRaise) self.promise = raised(ballot);
  const std::size_t counted = options_.is_cached || wrong(Mistake::kStoredBeforeSync) ? self.log.size() : self.synced;
  const Offset end(static_cast<std::int64_t>(counted));
  if (leading.activation.has_value()) {
    leading.activation->stored(self.id, self.life, std::min(end, leading.activation->end()), at(now_));
  } else {
    leading.copies->stored(self.id, self.life, end, at(now_));
  }
}

void ReplicationModel::push(Node& self, NodeId to) {
  Leading& leading = *self.leading;
  const bool levels = leading.activation.has_value();
  const Offset end = levels ? leading.activation->end() : shape_of(self).end;
  const Offset first = levels ? leading.activation->from() : leading.copies->high_watermark();
  const Offset base = std::min(leading.next.try_emplace(to, first).first->second, end);
  const LogShape log = shape_of(self);
  const Ballot ballot{.epoch = leading.term, .leader = self.id};
  StoreHead head{.ballot = ballot, .epoch = ballot.epoch, .base = base, .end = base, .crc = 0,
                 .prev_epoch = log.epoch_at(base - OffsetDelta(1))};
  if (base < end) {
    const ModelBatch& batch = self.log[static_cast<std::size_t>(base.value)];
    head.epoch = batch.epoch;
    head.crc = batch.crc;
    head.end = base + OffsetDelta(1);
  }
  send(self.id.node, to, Store{head, levels ? leading.activation->from() : leading.copies->high_watermark(), levels,
                                leading.lives.contains(to) ? leading.lives.at(to) : BootId(0)});
}

void ReplicationModel::take(Node& self, NodeId from, const Store& message) {
  const StoreHead& head = message.head;
  switch (check_fence(self.promise, head.ballot)) {
    case Fencing::kFenced:
      return send(self.id.node, from, Fenced{self.promise.epoch});
    case Fencing::kTwoLeaders:
      fail("two leaders of one epoch");
      return;
    case Fencing::kRaise:
      self.promise = raised(head.ballot);
      break;
    case Fencing::kPass:
      break;
  }
  if (head.ballot.epoch > self.term) step_down(self, head.ballot.epoch);
  const LogShape log = shape_of(self);
  std::optional<PresentBatch> present;
  if (head.base >= Offset(0) && head.base < log.end) {
    const ModelBatch& here = self.log[static_cast<std::size_t>(head.base.value)];
    present = PresentBatch{.epoch = here.epoch, .base = head.base, .end = head.base + OffsetDelta(1), .crc = here.crc};
  }
  const StoreAction action = decide_store(log, head, present, self.hint);
  using Kind = StoreAction::Kind;
  if (action.kind == Kind::kGap) return send(self.id.node, from, Gap{head.ballot, action.tail});
  if (action.kind == Kind::kConflict) return void(fail("a replica has something else in the same place"));
  if (action.kind == Kind::kInvalid) return void(fail("a leader's message contradicts itself"));
  if (action.kind == Kind::kTruncateAppend) truncate(self, head.base, "an older epoch in place");
  if (action.kind != Kind::kKeep) append(self, {.epoch = head.epoch, .crc = head.crc});
  self.hint = std::max(self.hint, std::min(message.committed, head.end));
  if (wrong(Mistake::kTruncatesByHint) && self.hint < shape_of(self).end && head.end == head.base) {
    truncate(self, self.hint, "by its hint");
  }
  // What it had acknowledged and lost is here again: all that is committed was compared by a leader that knows of this life,
  // and so counts nothing of the one before.
  if (!message.is_recovery && message.to_life == self.life && head.end >= message.committed) self.suspect_from.reset();
  const Waiting waiting{.ballot = head.ballot, .to = from, .end = head.end};
  const bool at_once = options_.is_cached || wrong(Mistake::kStoredBeforeSync) ||
                       static_cast<std::size_t>(head.end.value) <= self.synced;
  if (at_once) return answer_stored(self, waiting);
  self.waiting.push_back(waiting);
}

void ReplicationModel::answer_stored(Node& self, const Waiting& waiting) {
  // A sync that ends after the promise rose says nothing to the old leader.
  if (check_fence(self.promise, waiting.ballot) != Fencing::kPass && !wrong(Mistake::kVotePromisesNothing)) {
    return send(self.id.node, waiting.to, Fenced{self.promise.epoch});
  }
  send(self.id.node, waiting.to, Stored{waiting.ballot, self.life, waiting.end});
}

void ReplicationModel::take(Node& self, NodeId from, const Stored& message) {
  if (!self.leading.has_value()) return;
  Leading& leading = *self.leading;
  if (message.ballot != Ballot{.epoch = leading.term, .leader = self.id}) return;
  const auto present = leading.lives.find(from);
  const bool mistaken = wrong(Mistake::kStaleLifeCounted) && present != leading.lives.end();
  const BootId life = mistaken ? present->second : message.life;
  Offset& next = leading.next[from];
  const bool is_progress = message.end > next;  // an answer that comes twice does not ask for more twice
  next = std::max(next, message.end);
  if (leading.activation.has_value()) {
    const bool is_levelling = leading.activation->need() == Activation::Need::kLevel;
    const Offset before = is_levelling ? leading.activation->copies().matched(node(from).id) : Offset(0);
    leading.activation->stored(node(from).id, life, message.end, at(now_));
    if (is_levelling && leading.activation->copies().matched(node(from).id) > before) check_copy(self, node(from), message.end);
    if (leading.activation->need() != Activation::Need::kLevel) return drive(self);
    if (is_progress && next < leading.activation->end()) push(self, from);
    return;
  }
  const Offset before = leading.copies->matched(node(from).id);
  leading.copies->stored(node(from).id, life, message.end, at(now_));
  if (leading.copies->matched(node(from).id) > before) check_copy(self, node(from), message.end);
  acknowledge(self);
  if (is_progress && next < shape_of(self).end) push(self, from);
}

/// A connection's handshake: it does not arrive after what its process sent later, nor after the next process's.
void ReplicationModel::take(Node& self, NodeId from, const Hello& message) {
  if (!self.leading.has_value()) return;
  self.leading->lives[from] = message.life;
  if (self.leading->copies.has_value()) return self.leading->copies->restarted(node(from).id, message.life);
  Activation& activation = *self.leading->activation;
  const Activation::Need before = activation.need();
  activation.restarted(node(from).id, message.life, at(now_));
  if (activation.need() != before) drive(self);
}

void ReplicationModel::take(Node& self, NodeId from, const Gap& message) {
  if (!self.leading.has_value() || message.ballot.epoch != self.leading->term) return;
  note("gap");
  self.leading->next[from] = rewind_to(shape_of(self), message.tail);
  if (self.leading->copies.has_value()) return push(self, from);
  if (self.leading->activation->need() == Activation::Need::kLevel) push(self, from);
}

void ReplicationModel::take(Node& self, NodeId, const Fenced& message) {
  if (message.epoch <= self.term) return;
  note("fenced");
  step_down(self, message.epoch);
}

void ReplicationModel::acknowledge(Node& self) {
  Leading& leading = *self.leading;
  const Offset end = leading.copies->high_watermark();
  if (end <= leading.acked) return;
  check_committed(self, end);
  truth_.acked += static_cast<std::size_t>((end - leading.acked).value);
  leading.acked = end;
  self.hint = std::max(self.hint, end);
}

void ReplicationModel::tick(Node& self) {
  if (!self.leading.has_value() && random_.chance(1, 5)) {
    for (const Node& other : nodes_) send(self.id.node, other.id.node, Hello{self.life});
  }
  if (!self.leading.has_value()) return;
  drive(self);
  if (!self.leading.has_value() || !self.leading->copies.has_value()) return;
  count_own(self);
  acknowledge(self);
  for (const Node& other : nodes_) {
    if (other.id == self.id) continue;
    push(self, other.id.node);
    send(self.id.node, other.id.node, RaftAppend{self.leading->term, self.raft, self.raft_committed});
  }
}

void ReplicationModel::sync(Node& self) {
  self.synced = self.log.size();
  for (const Waiting& waiting : std::exchange(self.waiting, {})) {
    // What was truncated meanwhile is not here any more.
    if (static_cast<std::size_t>(waiting.end.value) <= self.synced) answer_stored(self, waiting);
  }
  if (!self.leading.has_value()) return;
  count_own(self);
  if (self.leading->copies.has_value()) acknowledge(self);
}

void ReplicationModel::kill(Node& self, bool power) {
  if (!self.is_up) return;
  note(power ? "power cut" : "kill");
  self.is_up = false;
  // With its connections go what was on the way to it and what opened them; what it had sent may still arrive.
  const auto goes = [&self](const Message& message) {
    return message.to == self.id.node || (message.from == self.id.node && std::holds_alternative<Hello>(message.body));
  };
  std::erase_if(network_, goes);
  std::erase_if(held_, goes);
  self.life = BootId(self.life.value + 1);
  self.leading.reset();
  self.is_candidate = false;
  self.frozen.reset();
  self.votes.clear();
  self.waiting.clear();
  self.raft_committed = 0;  // learnt again
  if (power && self.synced < self.log.size()) {
    note("unsynced records lost");
    self.log.resize(self.synced);
  }
  const Offset end = shape_of(self).end;
  if (power && options_.is_cached) self.suspect_from = std::min(self.suspect_from.value_or(end), end);
  // What was read back is synced before it counts.
  if (!power) self.synced = self.log.size();
  self.hint = std::min(self.hint, Offset(static_cast<std::int64_t>(self.log.size())));
}

LogShape ReplicationModel::shape_of(const Node& self) const {
  LogShape shape;
  for (const ModelBatch& batch : self.log) shape.extend(batch.epoch, shape.end + OffsetDelta(1));
  return shape;
}

TailInfo ReplicationModel::tail_of(const Node& self) const {
  TailInfo tail{.life = self.life, .committed_hint = self.hint, .log = shape_of(self), .suspect_from = self.suspect_from,
                .damaged = {}, .is_rebuilding = false};
  if (wrong(Mistake::kSuspectIsAuthority)) tail.suspect_from.reset();
  if (wrong(Mistake::kTailOmitsUnsynced)) {
    tail.log.truncate(Offset(static_cast<std::int64_t>(self.synced)));
    tail.committed_hint = std::min(tail.committed_hint, tail.log.end);
  }
  return tail;
}

EpochTable ReplicationModel::table_of(const std::vector<RaftEntry>& raft, std::size_t length) {
  EpochTable table;
  for (std::size_t i = 0; i < length; ++i) {
    if (raft[i].row.has_value() && !table.add(*raft[i].row).ok()) fail("rows that do not follow each other");
  }
  return table;
}

void ReplicationModel::append(Node& self, ModelBatch batch) {
  const auto place = std::pair(batch.epoch, static_cast<std::int64_t>(self.log.size()));
  const auto [known, is_new] = truth_.crcs.emplace(place, batch.crc);
  if (!is_new && known->second != batch.crc) fail("two records of one epoch and offset");
  self.log.push_back(batch);
}

void ReplicationModel::truncate(Node& self, Offset end, const char* why) {
  for (std::size_t i = static_cast<std::size_t>(end.value); i < self.log.size(); ++i) {
    const bool was_committed = i < truth_.committed.size() && truth_.committed[i] == self.log[i];
    if (was_committed) fail(fmt::format("a committed record is truncated: {}", why));
  }
  if (end < self.hint) fail(fmt::format("truncated below what is known to be committed: {}", why));
  note("truncation");
  self.log.resize(std::min(self.log.size(), static_cast<std::size_t>(end.value)));
  self.synced = std::min(self.synced, self.log.size());
  std::erase_if(self.waiting, [&](const Waiting& waiting) { return waiting.end > end; });
}

void ReplicationModel::learn_rows(Node& self) {
  if (self.leading.has_value()) return;
  const auto valid = table_of(self.raft, self.raft_committed).valid_end(shape_of(self));
  if (valid.beyond == Standing::kGarbage) truncate(self, valid.end, "garbage by the rows");
}

}  // namespace pyralog::replication::testing
