#include "replication/epoch_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace pyralog::replication {

LeaderEpoch LogShape::epoch_at(Offset offset) const noexcept {
  if (offset < start || offset >= end) return kNoLeaderEpoch;
  const auto after = std::ranges::upper_bound(runs, offset, {}, &EpochRun::start);
  return after == runs.begin() ? kNoLeaderEpoch : std::prev(after)->epoch;
}

LogShape::Tail LogShape::tail_of(LeaderEpoch asked) const noexcept {
  const auto after = std::ranges::upper_bound(runs, asked, {}, &EpochRun::epoch);
  if (after == runs.begin()) return {.epoch = kNoLeaderEpoch, .end = start};
  return {.epoch = std::prev(after)->epoch, .end = after == runs.end() ? end : after->start};
}

void LogShape::truncate(Offset new_end) {
  end = std::max(start, std::min(end, new_end));
  while (!runs.empty() && runs.back().start >= end) runs.pop_back();
}

void LogShape::extend(LeaderEpoch epoch, Offset new_end) {
  if (new_end <= end) return;
  if (runs.empty() || runs.back().epoch != epoch) runs.push_back({.epoch = epoch, .start = end});
  end = new_end;
}

Result<> check_log_shape(const LogShape& shape) {
  const auto wrong = [](const char* what) { return Error(ErrorCode::kCorrupt, what); };
  if (shape.start.value < 0 || shape.end < shape.start) return wrong("a replica's log ends before it starts");
  if (shape.runs.empty()) return shape.start == shape.end ? Result<>() : wrong("a replica's log has records of no epoch");
  if (shape.runs.front().start != shape.start) return wrong("a replica's log has records of no epoch");
  if (shape.runs.front().epoch < LeaderEpoch(0)) return wrong("a replica's log has records of an epoch below 0");
  for (std::size_t i = 1; i < shape.runs.size(); ++i) {
    const EpochRun& before = shape.runs[i - 1];
    const EpochRun& run = shape.runs[i];
    if (run.epoch <= before.epoch || run.start <= before.start) return wrong("the epochs of a replica's log do not rise");
  }
  return shape.runs.back().start < shape.end ? Result<>() : wrong("a replica's log has an epoch behind its end");
}

Result<> EpochTable::add(EpochRow row) {
  if (const EpochRow* known = row_of(row.epoch); known != nullptr) {
    if (*known == row) return {};
    return Error(ErrorCode::kCorrupt, fmt::format("epoch {} is decided twice", row.epoch.value));
  }
  PYRALOG_TRY(check_replica_set(row.data.current));
  if (row.data.next.has_value()) PYRALOG_TRY(check_replica_set(*row.data.next));
  const bool follows = rows_.empty() || (row.epoch > rows_.back().epoch && row.start >= rows_.back().start);
  if (row.epoch < LeaderEpoch(0) || row.start.value < 0 || !follows) {
    return Error(ErrorCode::kCorrupt, fmt::format("epoch {} from offset {} does not follow the one before it", row.epoch.value,
                                                  row.start.value));
  }
  rows_.push_back(std::move(row));
  return {};
}

void EpochTable::trim(Offset start) {
  while (rows_.size() > 1 && rows_[1].start <= start) rows_.erase(rows_.begin());
}

const EpochRow* EpochTable::row_of(LeaderEpoch epoch) const noexcept {
  const auto found = std::ranges::lower_bound(rows_, epoch, {}, &EpochRow::epoch);
  return found != rows_.end() && found->epoch == epoch ? &*found : nullptr;
}

std::optional<Offset> EpochTable::end_of(const EpochRow& row) const noexcept {
  const auto after = std::ranges::upper_bound(rows_, row.epoch, {}, &EpochRow::epoch);
  return after != rows_.end() ? std::optional(after->start) : std::nullopt;
}

std::optional<LogShape::Tail> EpochTable::decided_end(LeaderEpoch asked) const noexcept {
  const auto after = std::ranges::upper_bound(rows_, asked, {}, &EpochRow::epoch);
  if (after == rows_.begin() || after == rows_.end()) return std::nullopt;
  return LogShape::Tail{.epoch = std::prev(after)->epoch, .end = after->start};
}

Standing EpochTable::judge(LeaderEpoch epoch, Offset base, Offset end) const noexcept {
  if (rows_.empty() || epoch > rows_.back().epoch) return Standing::kUndetermined;
  const EpochRow* row = row_of(epoch);
  if (row == nullptr || base < row->start) return Standing::kGarbage;
  return end <= end_of(*row).value_or(end) ? Standing::kValid : Standing::kGarbage;
}

EpochTable::ValidEnd EpochTable::valid_end(const LogShape& log) const {
  for (std::size_t i = 0; i < log.runs.size(); ++i) {
    const EpochRun& run = log.runs[i];
    const Offset run_end = i + 1 < log.runs.size() ? log.runs[i + 1].start : log.end;
    // Below the first row that is still known, everything was judged long ago.
    if (!rows_.empty() && run.epoch < rows_.front().epoch) {
      if (run_end <= rows_.front().start) continue;
      return {.end = std::max(run.start, rows_.front().start), .beyond = Standing::kGarbage};
    }
    const Standing standing = judge(run.epoch, run.start, run.start);
    if (standing != Standing::kValid) return {.end = run.start, .beyond = standing};
    const Offset row_end = end_of(*row_of(run.epoch)).value_or(run_end);
    if (run_end > row_end) return {.end = row_end, .beyond = Standing::kGarbage};
  }
  return {.end = log.end, .beyond = Standing::kValid};
}

}  // namespace pyralog::replication
