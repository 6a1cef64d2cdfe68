#include "replication/activation.h"

#include <algorithm>
#include <utility>

namespace pyralog::replication {

Activation::Activation(Setup setup, TailInfo own, MonotonicTime now) : setup_(std::move(setup)) {
  sealed(setup_.self, std::move(own), now);
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

void Activation::sealed(const ReplicaId& replica, TailInfo tail, MonotonicTime now) {
  // Only members count; the leader's log matters even if it is none.
  if (!setup_.data.contains(replica) && replica != setup_.self) return;
  if (need_ != Need::kSeals && need_ != Need::kLost) {
    if (copies_.has_value()) copies_->restarted(replica, tail.life);
    return;
  }
  tails_[replica] = std::move(tail);
  find_end(now);
}

void Activation::restarted(const ReplicaId& replica, BootId life) {
  if (copies_.has_value()) copies_->restarted(replica, life);
  const auto found = tails_.find(replica);
  const bool is_news = found != tails_.end() && found->second.life != life && replica != setup_.self;
  if (is_news && (need_ == Need::kSeals || need_ == Need::kLost)) tails_.erase(found);
}

std::vector<ReplicaId> Activation::unsealed() const {
  std::vector<ReplicaId> missing = setup_.data.everyone();
  std::erase_if(missing, [this](const ReplicaId& id) { return tails_.contains(id); });
  return missing;
}

Offset Activation::valid_end_of(const ReplicaId& replica) const {
  const TailInfo& tail = tails_.at(replica);
  const Offset end = setup_.table.valid_end(tail.log).end;
  return tail.damaged_from.has_value() ? std::min(end, *tail.damaged_from) : end;
}

/// Whether `replica` knows that it has nothing valid at or above `end`.
bool Activation::is_authoritative(const ReplicaId& replica, Offset end) const {
  const auto found = tails_.find(replica);
  if (found == tails_.end()) return false;
  const TailInfo& tail = found->second;
  if (tail.is_rebuilding) return false;
  // A damaged record above what is committed may have been the one that was acknowledged.
  if (tail.damaged_from.has_value() && *tail.damaged_from >= from_ && *tail.damaged_from <= end) return false;
  // Even if it has all that anybody has: it may have acknowledged more.
  return !tail.suspect_from.has_value();
}

void Activation::find_end(MonotonicTime now) {
  const EpochRow* open = setup_.table.open_row();
  from_ = open != nullptr ? open->start : Offset(0);
  end_ = Offset(0);
  for (const auto& [replica, tail] : tails_) {
    from_ = std::max(from_, tail.committed_hint);
    // What somebody has, valid, is kept, member or not: it is one more copy of what may have been acknowledged.
    end_ = std::max(end_, valid_end_of(replica));
  }
  if (!is_sealed(setup_.data, [this](const ReplicaId& id) { return is_authoritative(id, end_); })) {
    need_ = Need::kSeals;
    return;
  }
  need_ = Need::kLost;
  if (end_ >= from_) step(now);
}

Activation::Need Activation::own_log_need() const {
  const LogShape& log = tails_.at(setup_.self).log;
  const EpochTable::ValidEnd valid = setup_.table.valid_end(log);
  if (valid.end < log.end) {
    // Rows that are not committed may still turn out never to have been: what only they call garbage stays until then.
    const bool may_truncate = prior_rows_decided_ || setup_.decided.valid_end(log).end <= valid.end;
    return may_truncate ? Need::kTruncateSelf : Need::kPriorRows;
  }
  return log.end < end_ ? Need::kFetch : Need::kLevel;
}

void Activation::step(MonotonicTime now) {
  need_ = own_log_need();
  if (need_ != Need::kLevel) return;
  if (!copies_.has_value()) {
    copies_.emplace(setup_.data, from_, now);
    copies_->sequenced(end_, now);
  }
  if (copies_->high_watermark() >= end_) need_ = Need::kDecide;
}

void Activation::prior_rows_decided() {
  prior_rows_decided_ = true;
  if (need_ == Need::kPriorRows) need_ = own_log_need();
}

void Activation::own_log_is(LogShape log, MonotonicTime now) {
  TailInfo& own = tails_.at(setup_.self);
  own.log = std::move(log);
  if (need_ == Need::kTruncateSelf || need_ == Need::kFetch) step(now);
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
