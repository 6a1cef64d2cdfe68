#include "storage/compaction.h"

#include <algorithm>
#include <limits>

#include "record/record_iterator.h"
#include "storage/planted.h"

namespace pyralog::storage {
namespace {

/// Milliseconds from `then` to `now`, without overflowing on times that clients made up.
bool is_older_than(WallTime then, std::int64_t age_ms, WallTime now) noexcept {
  return then < now && static_cast<std::uint64_t>(now.ms) - static_cast<std::uint64_t>(then.ms) >
                           static_cast<std::uint64_t>(age_ms);
}

WallTime later(WallTime now, std::int64_t by_ms) noexcept {
  WallTime when;
  if (__builtin_add_overflow(now.ms, by_ms, &when.ms)) when.ms = std::numeric_limits<std::int64_t>::max();
  return when;
}

}  // namespace

double CompactionBacklog::dirty_ratio() const noexcept {
  const std::uint64_t all = clean_bytes + dirty_bytes;
  return all == 0 ? 0 : static_cast<double>(dirty_bytes) / static_cast<double>(all);
}

std::string_view compaction_cause_text(CompactionCause cause) noexcept {
  switch (cause) {
    case CompactionCause::kNone: return "none";
    case CompactionCause::kRatio: return "ratio";
    case CompactionCause::kLag: return "lag";
    case CompactionCause::kTombstones: return "tombstones";
  }
  return "?";
}

CompactionCause compaction_cause(const CompactionBacklog& backlog, const LogSettings& settings, WallTime now) noexcept {
  if (!settings.compacts) return CompactionCause::kNone;
  if (backlog.dirty_bytes > 0) {
    if (backlog.dirty_ratio() > settings.dirty_ratio_min) return CompactionCause::kRatio;
    const bool bounded = settings.compaction_lag_ms_max != LogSettings::kForever;
    if (bounded && backlog.oldest.has_value() && is_older_than(*backlog.oldest, settings.compaction_lag_ms_max, now)) {
      return CompactionCause::kLag;
    }
  }
  if (backlog.horizon >= WallTime{0} && backlog.horizon < now && backlog.clean_bytes > 0) return CompactionCause::kTombstones;
  return CompactionCause::kNone;
}

Offset note_keys(KeyMap& keys, const record::BatchView& batch, Offset from, record::Decompressor& decompressor) {
  const Offset end = batch.end_offset();
  if (batch.is_control() || batch.is_transactional() || batch.records_count() == 0 || end <= from) return end;
  // First that all of it can be read: half a batch is not to supersede anything.
  for (const bool notes : {false, true}) {
    auto records = record::RecordIterator::open(batch, decompressor);
    if (!records.ok()) return end;
    for (record::RecordView record;;) {
      const Result<bool> more = records->next(record);
      if (!more.ok()) return end;
      if (!*more) break;
      if (!notes || record.offset < from || !record.key.has_value()) continue;
      if (!keys.put(*record.key, record.offset)) return record.offset;
    }
  }
  return end;
}

ByteView CompactionPass::apply(const record::BatchView& batch) {
  if (batch.is_control() || batch.base_offset() >= rules_.noted_end) return batch.bytes();
  const auto filtered = filter(batch);
  if (filtered.ok()) return *filtered;
  ++counts_.batches_unreadable;
  met_unreadable_ = true;
  return batch.bytes();
}

Result<ByteView> CompactionPass::filter(const record::BatchView& batch) {
  const CompactionCounts before = counts_;
  bool has_tombstone = false;
  const auto walk = [&]() -> Result<> {
    PYRALOG_TRY(filter_.open(batch));
    for (record::RecordView record;;) {
      PYRALOG_ASSIGN(const bool more, filter_.next(record));
      if (!more) return {};
      ++counts_.records_read;
      const Fate fate = fate_of(record, batch);
      if (fate == Fate::kGoes) continue;
      filter_.keep();
      has_tombstone = has_tombstone || fate == Fate::kStaysAsTombstone;
    }
  };
  if (const Result<> walked = walk(); !walked.ok()) {
    counts_ = before;
    return walked.error();
  }
  if (filter_.kept_count() == 0) return is_last_of_producer(batch) ? filter_.finish({}) : ByteView();
  std::optional<WallTime> horizon;
  if (has_tombstone && batch.has_delete_horizon()) horizon_ = std::max(horizon_, batch.base_timestamp());
  if (has_tombstone && !batch.has_delete_horizon()) horizon = later(rules_.now, rules_.delete_retention_ms);
  auto finished = filter_.finish(horizon);
  if (horizon.has_value() && finished.ok()) horizon_ = std::max(horizon_, *horizon);
  // A time that cannot be told from the horizon: the tombstone stays for ever.
  if (!finished.ok() && horizon.has_value()) finished = filter_.finish({});
  return finished;
}

CompactionPass::Fate CompactionPass::fate_of(const record::RecordView& record, const record::BatchView& batch) {
  if (record.offset >= rules_.noted_end) return Fate::kStays;
  if (!record.key.has_value()) {
    ++counts_.without_key;
    return Fate::kGoes;
  }
  const auto latest = keys_.find(*record.key);
  if (latest.has_value() && *latest > record.offset && !planted(Bug::kSupersededKept)) {
    ++counts_.superseded;
    return Fate::kGoes;
  }
  if (planted(Bug::kOlderRecordWins) && latest.has_value() && *latest == record.offset) return Fate::kGoes;
  if (record.value.has_value()) return Fate::kStays;
  if (batch.is_transactional() || met_unreadable_) return Fate::kStays;
  const bool past = batch.has_delete_horizon() && batch.base_timestamp() < rules_.now;
  if (!past && !planted(Bug::kTombstoneGoesAtOnce)) return Fate::kStaysAsTombstone;
  ++counts_.tombstones;
  return Fate::kGoes;
}

bool CompactionPass::is_last_of_producer(const record::BatchView& batch) const {
  if (batch.producer_id() < ProducerId(0)) return false;
  // While nobody knows, every batch may be the one.
  if (!state_.producers_known()) return true;
  const ProducerEntry* producer = state_.producers().find(batch.producer_id());
  if (producer == nullptr || producer->epoch != batch.producer_epoch() || planted(Bug::kProducersForgotten)) return false;
  return producer->last() != nullptr && producer->last()->base_offset == batch.base_offset();
}

}  // namespace pyralog::storage
