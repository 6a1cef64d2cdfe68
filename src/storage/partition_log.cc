#include "storage/partition_log.h"

#include <algorithm>

#include "io/reactor.h"
#include "record/mutable_batch.h"
#include "storage/planted.h"

namespace pyralog::storage {

PartitionLog::PartitionLog(LogShard& shard, PartitionFiles& files, std::shared_ptr<const LogSettings> settings,
                           CommitRule rule)
    : shard_(shard), files_(files), settings_(std::move(settings)), high_watermark_(files.start()), rule_(rule) {
  inherited_ = {files_.log_end(), files_.active().end};
  // What recovery found survives as it is, so a sole copy has committed it.
  if (rule_ == CommitRule::kLocal) high_watermark_ = files_.log_end();
  files_.set_on_synced([this] { on_synced(); });
  if (files_.durability() == DurabilityClass::kCached) shard_.store.set_cached_bounds(files_, cached_bounds(*settings_));
}

PartitionLog::~PartitionLog() { files_.set_on_synced({}); }

io::Task<> PartitionLog::close() { co_await tasks_.close(); }

std::string PartitionLog::directory_path() const {
  const std::string& root = shard_.store.options().data_directory;
  return root.empty() ? files_.directory() : root + "/" + files_.directory();
}

std::uint64_t PartitionLog::bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const Segment& segment : files_.segments()) bytes += segment.end;
  return bytes;
}

void PartitionLog::lead(LeaderEpoch epoch) {
  PYRALOG_ASSERT(epoch == kNoLeaderEpoch || epoch > files_.state().epochs().latest(), "an epoch that has records already");
  epoch_ = epoch;
}

LeaderEpoch PartitionLog::next_epoch() const noexcept {
  return LeaderEpoch(std::max(files_.state().epochs().latest(), epoch_).value + 1);
}

std::optional<EpochEnd> PartitionLog::epoch_end(LeaderEpoch asked) const {
  return files_.state().epochs().end_of(asked, epoch_, log_end());
}

SegmentIndex& PartitionLog::growing_index() {
  if (index_ == nullptr) index_ = std::make_shared<SegmentIndex>(files_.active().base, inherited_);
  return *index_;
}

bool PartitionLog::must_roll(std::size_t batch_bytes, WallTime now) const noexcept {
  const Segment& active = files_.active();
  if (active.end == 0) return false;
  if (active.end + batch_bytes > settings_->segment_bytes) return true;
  const WallTime started = files_.state().segment_started_at();
  if (started < WallTime{0}) return false;
  return now.ms - started.ms > segment_ms_of(*settings_, files_.incarnation(), active.base);
}

Result<Appended> PartitionLog::append(Slice bytes) {
  if (epoch_ == kNoLeaderEpoch) return ErrorCode::kNotLeader;
  const bool is_ready = files_.state().producers_known() && !tail_is_unchecked();
  if (is_cutting_ || appends_waiting_ > 0 || !is_ready) return ErrorCode::kUnavailable;
  return append_now(std::move(bytes));
}

Result<Appended> PartitionLog::append_now(Slice bytes) {
  if (epoch_ == kNoLeaderEpoch) return ErrorCode::kNotLeader;
  LogState& state = files_.state();
  PYRALOG_ASSIGN(record::MutableBatch batch, record::MutableBatch::parse(bytes.mutable_view()));
  const record::BatchView& view = batch.view();
  const std::size_t batch_bytes = view.batch_bytes();
  if (batch_bytes != bytes.size()) return ErrorCode::kInvalidRecord;
  if (batch_bytes > settings_->batch_bytes_max || batch_bytes > settings_->segment_bytes) return ErrorCode::kTooLarge;

  PYRALOG_ASSIGN(const std::optional<ProducerBatch> original, state.producers().check(view));
  if (original.has_value()) {
    ++shard_.counters.duplicates;
    // The original may still be on its way to the disk, in this round or an earlier one.
    return Appended{.base = planted(Bug::kWrongBaseOfRetry) ? log_end() : original->base_offset,
                    .end = original->last_offset() + OffsetDelta(1),
                    .round = newest_round_,
                    .timestamp = original->max_timestamp,
                    .is_duplicate = true};
  }

  const WallTime now = io::Reactor::current().wall_now();
  Appended appended{.base = log_end(), .end = log_end(), .round = {}};
  if (settings_->timestamp_type == record::TimestampType::kLogAppendTime) {
    batch.set_log_append_time(now);
    appended.timestamp = now;
  }
  batch.stamp(appended.base, epoch_);
  if (must_roll(batch_bytes, now)) roll();
  SegmentIndex& index = growing_index();
  const std::uint64_t position = files_.active().end;
  // The store may copy small batches and let go of the chunk, so the slice stays here while its header is looked at.
  PYRALOG_ASSIGN(newest_round_, shard_.store.append(files_, bytes, view, settings_->space_use));
  index.note(view, position);
  appended.end = view.end_offset();
  appended.round = newest_round_;

  ++shard_.counters.batches_appended;
  shard_.counters.records_appended += static_cast<std::uint64_t>(view.records_count());
  shard_.counters.bytes_appended += batch_bytes;
  if (rule_ == CommitRule::kLocal && files_.durability() == DurabilityClass::kCached) advance_high_watermark(log_end());
  if (!is_spilling_ && index.block_waits(files_.durable_end())) tasks_.spawn(spill());
  if (snapshot_due()) start_snapshot();
  return appended;
}

/// The caller holds the gate of changes.
io::Task<Result<>> PartitionLog::get_ready() {
  if (!files_.state().producers_known()) PYRALOG_CO_TRY(co_await rebuild_producers());
  if (tail_is_unchecked()) PYRALOG_CO_TRY(co_await check_tail());
  co_return Result<>();
}

io::Task<Result<>> PartitionLog::prepare() {
  const Gate::Pass pass = co_await changes_.enter();
  co_return co_await get_ready();
}

io::Task<Result<Appended>> PartitionLog::append_in_turn(Slice bytes) {
  ++appends_waiting_;
  const Gate::Pass pass = co_await changes_.enter();
  const Result<> ready = co_await get_ready();
  --appends_waiting_;
  PYRALOG_CO_TRY(ready);
  co_return append_now(std::move(bytes));
}

void PartitionLog::on_synced() {
  if (rule_ == CommitRule::kLocal) advance_high_watermark(files_.durable_end());
}

void PartitionLog::advance_high_watermark(Offset offset) {
  offset = std::min(offset, log_end());
  if (offset <= high_watermark_) return;
  high_watermark_ = offset;
  if (on_advance_) on_advance_();
  high_watermark_reached_.notify_reached(static_cast<std::uint64_t>(offset.value));
}

io::Task<io::WaitOutcome> PartitionLog::wait_high_watermark(Offset offset, MonotonicTime deadline, io::AbortSource& abort) {
  while (high_watermark_ < offset) {
    const io::WaitOutcome outcome =
        co_await high_watermark_reached_.wait_reached(static_cast<std::uint64_t>(offset.value), deadline, abort);
    if (outcome != io::WaitOutcome::kWoken) co_return outcome;
  }
  co_return io::WaitOutcome::kWoken;
}

void PartitionLog::roll() {
  if (files_.active().end == 0) return;
  growing_index();
  const LogState& state = files_.state();
  auto sealing = std::make_shared<Sealing>(Sealing{
      .index = std::move(index_),
      .summary = {.base = files_.active().base,
                  .end = log_end(),
                  .end_position = files_.active().end,
                  .peak = state.segment_peak_exact() ? state.segment_peak() : TimestampPeak{},
                  .appended_at = state.appended_at()},
      .round = newest_round_,
      .peak_known = state.segment_peak_exact()});
  shard_.store.roll(files_);
  inherited_ = {log_end(), 0};
  index_ = std::make_shared<SegmentIndex>(files_.active().base, inherited_);
  sealing_.push_back(sealing);
  ++shard_.counters.rolls;
  tasks_.spawn(seal(std::move(sealing)));
  start_snapshot();
}

io::Task<Result<>> PartitionLog::apply_settings(std::shared_ptr<const LogSettings> settings) {
  const Gate::Pass pass = co_await changes_.enter();
  const DurabilityClass durability = settings->write_caching ? DurabilityClass::kCached : DurabilityClass::kDurable;
  if (durability != files_.durability()) {
    roll();
    is_cutting_ = true;
    const auto changed = co_await shard_.store.change_class(files_, durability);
    is_cutting_ = false;
    PYRALOG_CO_TRY(changed);
  }
  settings_ = std::move(settings);
  if (durability == DurabilityClass::kCached) {
    shard_.store.set_cached_bounds(files_, cached_bounds(*settings_));
  } else if (rule_ == CommitRule::kLocal) {
    advance_high_watermark(files_.durable_end());
  }
  co_return Result<>();
}

std::size_t PartitionLog::expire_producers(WallTime now) {
  return files_.state().expire_producers(WallTime{now.ms - settings_->producer_expiry_ms});
}

std::size_t PartitionLog::index_bytes_resident() const noexcept {
  std::size_t entries = index_ == nullptr ? 0 : index_->resident_count();
  for (const auto& sealing : sealing_) entries += sealing->index->resident_count();
  return entries * sizeof(SparseEntry) + sealed_.capacity() * sizeof(Sealed);
}

}  // namespace pyralog::storage
