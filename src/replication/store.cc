#include "replication/store.h"

#include <algorithm>

namespace pyralog::replication {
namespace {

using Kind = StoreAction::Kind;

bool makes_sense(const StoreHead& head) {
  return head.base.value >= 0 && head.end >= head.base && head.epoch >= LeaderEpoch(0) && head.epoch <= head.ballot.epoch &&
         head.prev_epoch <= head.epoch;
}

/// Whether the record before the batch is the one that the leader has there.
bool follows(const LogShape& log, const StoreHead& head) {
  if (head.base < log.start || head.base > log.end) return false;
  // Where this log starts there is nothing to compare; what lay below it was committed.
  if (head.base == log.start) return true;
  return log.epoch_at(head.base - OffsetDelta(1)) == head.prev_epoch;
}

StoreAction place_over(const PresentBatch& present, const StoreHead& head, Offset committed) {
  if (present.epoch > head.epoch) return {.kind = Kind::kConflict};
  if (present.epoch < head.epoch) {
    // The row of a newer epoch is decided before its first record is sent, so what is here was never committed.
    const bool may_truncate = present.base == head.base && head.base >= committed;
    return {.kind = may_truncate ? Kind::kTruncateAppend : Kind::kConflict};
  }
  const bool same = present.base == head.base && present.end == head.end && present.crc == head.crc;
  return {.kind = same ? Kind::kKeep : Kind::kConflict};
}

}  // namespace

StoreAction decide_store(const LogShape& log, const StoreHead& head, const std::optional<PresentBatch>& present,
                         Offset committed) {
  if (!makes_sense(head)) return {.kind = Kind::kInvalid};
  // What is here at and above the leader's start has still to be compared, so this log must start there too.
  if (head.prev_epoch == kNoLeaderEpoch && head.base > log.start) return {.kind = Kind::kTrim};
  if (!follows(log, head)) return {.kind = Kind::kGap, .tail = log.tail_of(head.prev_epoch)};
  if (head.end == head.base) return {.kind = Kind::kKeep};
  if (head.base == log.end) return {.kind = Kind::kAppend};
  return present.has_value() ? place_over(*present, head, committed) : StoreAction{.kind = Kind::kInvalid};
}

Offset rewind_to(const LogShape& leader, const LogShape::Tail& gap) noexcept {
  // The replica has nothing so old: it goes on where its log starts, if the leader has that.
  if (gap.epoch == kNoLeaderEpoch) return std::clamp(gap.end, leader.start, leader.end);
  const LogShape::Tail mine = leader.tail_of(gap.epoch);
  // An epoch that the leader has nothing of: all of it goes, and what is before it decides next.
  return std::max(leader.start, std::min(mine.end, gap.end));
}

}  // namespace pyralog::replication
