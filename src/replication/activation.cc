#include "replication/activation.h"

#include <algorithm>
#include <utility>

namespace pyralog::replication {

Activation::Activation(Setup setup, TailInfo own, MonotonicTime now) : setup_(std::move(setup)) {
  tails_[setup_.self] = std::move(own);
  find_end(now);
}

Activation Activation::graceful(Setup setup, Offset committed, MonotonicTime now) {
  Activation made(std::move(setup));
  made.from_ = made.end_ = committed;
  made.copies_.emplace(made.setup_.data, committed, now);
  made.need_ = Need::kDecide;
  return made;
}

bool Activation::may_be_graceful(const Setup& setup, LeaderEpoch led) {
  const auto rows = setup.table.rows();
  const auto ours = std::ranges::find(rows, led, &EpochRow::epoch);
  if (ours == rows.end()) return false;
  return std::all_of(ours, rows.end(), [&setup](const EpochRow& row) { return row.leader == setup.self; });
}

Result<> check_tail_info(const TailInfo& tail, LeaderEpoch term) {
  PYRALOG_TRY(check_log_shape(tail.log));
  if (!tail.log.runs.empty() && tail.log.runs.back().epoch >= term) {
    return Error(ErrorCode::kCorrupt, "a voter has records of the epoch that it votes for, or of a later one");
  }
  if (tail.committed_hint.value < 0) return Error(ErrorCode::kCorrupt, "a voter knows of less than nothing committed");
  for (Offset before; const DamagedRange& range : tail.damaged) {
    const bool is_sane = range.begin >= before && range.end > range.begin;
    if (!is_sane) return Error(ErrorCode::kCorrupt, "a voter's damaged places are not in order");
    before = range.end;
  }
  return {};
}

Result<> Activation::sealed(const ReplicaId& replica, TailInfo tail, MonotonicTime now) {
  PYRALOG_TRY(check_tail_info(tail, setup_.term));
  // Only members count; the leader's log matters even if it is none.
  if (!setup_.data.contains(replica) && replica != setup_.self) return {};
  const auto life = lives_.find(replica);
  if (!is_finding_end() || (life != lives_.end() && life->second != tail.life)) return {};
  tails_[replica] = std::move(tail);
  find_end(now);
  return {};
}

void Activation::restarted(const ReplicaId& replica, BootId life, MonotonicTime now) {
  if (replica == setup_.self) return;
  lives_[replica] = life;
  if (copies_.has_value()) return copies_->restarted(replica, life);
  const auto found = tails_.find(replica);
  if (found == tails_.end() || found->second.life == life) return;
  tails_.erase(found);
  find_end(now);
}

std::vector<ReplicaId> Activation::unsealed() const {
  std::vector<ReplicaId> missing = setup_.data.everyone();
  std::erase_if(missing, [this](const ReplicaId& id) { return tails_.contains(id); });
  return missing;
}

bool Activation::is_damaged_beyond_committed(const TailInfo& tail) const {
  return !tail.damaged.empty() && tail.damaged.back().end > from_;
}

/// Of the records above what is committed, those before the first that is damaged: damage below is a repair's matter.
Offset Activation::valid_end_of(const ReplicaId& replica) const {
  const TailInfo& tail = tails_.at(replica);
  const Offset end = setup_.table.valid_end(tail.log).end;
  const auto first = std::ranges::upper_bound(tail.damaged, from_, {}, &DamagedRange::end);
  return first == tail.damaged.end() ? end : std::min(end, std::max(first->begin, from_));
}

/// Whether what is not with `replica` was never acknowledged by it. A suspect one may have acknowledged more even if it has
/// all that anybody has; a damaged record above what is committed may have been one that was acknowledged.
bool Activation::knows_what_it_lacks(const ReplicaId& replica) const {
  const auto found = tails_.find(replica);
  if (found == tails_.end()) return false;
  const TailInfo& tail = found->second;
  return !tail.is_rebuilding && !tail.suspect_from.has_value() && !is_damaged_beyond_committed(tail);
}

void Activation::find_end(MonotonicTime now) {
  const EpochRow* open = setup_.table.open_row();
  from_ = open != nullptr ? open->start : Offset(0);
  for (const auto& [replica, tail] : tails_) from_ = std::max(from_, tail.committed_hint);
  end_ = Offset(0);
  // What somebody has, valid, is kept: it is one more copy of what may have been acknowledged.
  for (const auto& [replica, tail] : tails_) end_ = std::max(end_, valid_end_of(replica));
  if (!is_sealed(setup_.data, [this](const ReplicaId& id) { return knows_what_it_lacks(id); })) {
    need_ = unsealed().empty() ? Need::kUnwitnessed : Need::kSeals;
    return;
  }
  need_ = Need::kLost;
  if (end_ >= from_) step(now);
}

Activation::Need Activation::own_log_need() const {
  const TailInfo& own = tails_.at(setup_.self);
  const LogShape& log = own.log;
  if (is_damaged_beyond_committed(own)) return Need::kRepair;
  const EpochTable::ValidEnd valid = setup_.table.valid_end(log);
  if (valid.end < log.end) {
    // Rows that are not committed may still turn out never to have been: what only they call garbage stays until then.
    const EpochTable::ValidEnd decided = setup_.decided.valid_end(log);
    const bool is_garbage_for_sure = decided.beyond == Standing::kGarbage && decided.end <= valid.end;
    return prior_rows_decided_ || is_garbage_for_sure ? Need::kTruncateSelf : Need::kPriorRows;
  }
  return log.end < end_ ? Need::kFetch : Need::kLevel;
}

void Activation::step(MonotonicTime now) {
  need_ = own_log_need();
  if (need_ != Need::kLevel) return;
  if (!copies_.has_value()) {
    copies_.emplace(setup_.data, from_, now);
    copies_->sequenced(end_, now);
    for (const auto& [replica, tail] : tails_) copies_->restarted(replica, tail.life);
    for (const auto& [replica, life] : lives_) copies_->restarted(replica, life);
  }
  if (copies_->high_watermark() >= end_) need_ = Need::kDecide;
}

void Activation::prior_rows_decided() {
  prior_rows_decided_ = true;
  if (need_ == Need::kPriorRows) need_ = own_log_need();
}

void Activation::own_log_is(LogShape log, MonotonicTime now, std::vector<DamagedRange> damaged) {
  TailInfo& own = tails_.at(setup_.self);
  own.log = std::move(log);
  own.damaged = std::move(damaged);
  if (need_ == Need::kTruncateSelf || need_ == Need::kFetch || need_ == Need::kRepair) step(now);
}

void Activation::stored(const ReplicaId& replica, BootId life, Offset end, MonotonicTime now) {
  if (!copies_.has_value()) return;
  copies_->stored(replica, life, end, now);
  if (need_ == Need::kLevel && copies_->high_watermark() >= end_) need_ = Need::kDecide;
}

void Activation::decided() {
  if (need_ == Need::kDecide) need_ = Need::kOpen;
}

ReplicaId Activation::source() const {
  const auto best = std::ranges::max_element(tails_, {}, [this](const auto& entry) {
    return std::pair(entry.first != setup_.self, valid_end_of(entry.first));
  });
  return best->first;
}

EpochRow Activation::row() const {
  return {.epoch = setup_.term, .start = end_, .leader = setup_.self, .data = setup_.data};
}

}  // namespace pyralog::replication
