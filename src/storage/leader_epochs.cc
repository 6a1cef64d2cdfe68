#include "storage/leader_epochs.h"

#include <algorithm>

#include "storage/byte_codec.h"

namespace pyralog::storage {
namespace {

constexpr std::size_t kRowBytes = sizeof(LeaderEpoch::rep) + sizeof(Offset::rep);

}  // namespace

void LeaderEpochs::note(LeaderEpoch epoch, Offset base) {
  if (epoch <= latest()) return;
  truncate(base);  // a row that trimming left without records starts here too
  rows_.push_back({epoch, base});
}

LeaderEpoch LeaderEpochs::epoch_at(Offset offset) const noexcept {
  const auto after = std::ranges::upper_bound(rows_, offset, {}, &EpochStart::start);
  return after == rows_.begin() ? kNoLeaderEpoch : std::prev(after)->epoch;
}

std::optional<EpochEnd> LeaderEpochs::end_of(LeaderEpoch asked, LeaderEpoch leading, Offset log_end) const {
  if (asked < LeaderEpoch(0) || asked > std::max(latest(), leading)) return std::nullopt;
  if (asked == std::max(latest(), leading)) return EpochEnd{asked, log_end};
  const auto after = std::ranges::upper_bound(rows_, asked, {}, &EpochStart::epoch);
  const Offset end = after == rows_.end() ? log_end : after->start;
  return EpochEnd{after == rows_.begin() ? asked : std::prev(after)->epoch, end};
}

void LeaderEpochs::truncate(Offset end) {
  while (!rows_.empty() && rows_.back().start >= end) rows_.pop_back();
}

void LeaderEpochs::trim(Offset start) {
  const auto after = std::ranges::upper_bound(rows_, start, {}, &EpochStart::start);
  if (after == rows_.begin()) return;
  const auto covering = std::prev(after);
  covering->start = start;
  rows_.erase(rows_.begin(), covering);
}

void LeaderEpochs::encode(std::vector<std::byte>& out) const {
  put_little(out, static_cast<std::uint32_t>(rows_.size()));
  for (const EpochStart& row : rows_) {
    put_little(out, row.epoch.value);
    put_little(out, row.start.value);
  }
}

Result<LeaderEpochs> LeaderEpochs::decode(ByteView& bytes) {
  std::uint32_t count = 0;
  if (!take_little(bytes, count) || bytes.size() / kRowBytes < count) return ErrorCode::kTruncated;
  LeaderEpochs epochs;
  epochs.rows_.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    EpochStart row;
    if (!take_little(bytes, row.epoch.value) || !take_little(bytes, row.start.value)) return ErrorCode::kTruncated;
    const bool rises = epochs.rows_.empty() ? row.epoch >= LeaderEpoch(0) && row.start >= Offset(0)
                                            : row.epoch > epochs.rows_.back().epoch && row.start > epochs.rows_.back().start;
    if (!rises) return Error(ErrorCode::kCorrupt, "leader epochs do not rise");
    epochs.rows_.push_back(row);
  }
  return epochs;
}

}  // namespace pyralog::storage
