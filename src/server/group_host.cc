#include "server/group_host.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "protocol/kafka/error_code.h"
#include "record/record_iterator.h"
#include "server/partition_use.h"
#include "server/shard.h"
#include "storage/planted.h"
#include "storage/read_bytes.h"

namespace pyralog::server {
namespace {

using protocol::KafkaError;

constexpr std::uint64_t kLoadBytes = 1u << 20;
/// Of a segment, beyond which another is begun. Small, since a coordinator reads the active segment whole when it starts, and
/// only the others are compacted (Kafka: 100 MiB, read in some seconds).
constexpr std::uint64_t kSegmentBytes = 1u << 20;
/// Until what could not be loaded is tried again.
constexpr std::chrono::seconds kLoadDelay(5);

}  // namespace

GroupHost::GroupHost(Shard& shard, Incarnation incarnation, PartitionIndex index, coordinator::GroupOptions options,
                     coordinator::GroupRoom& room)
    : shard_(shard),
      incarnation_(incarnation),
      index_(index),
      options_(std::move(options)),
      room_(room),
      coordinator_(std::make_unique<coordinator::GroupCoordinator>(options_, room_)),
      timer_(shard.reactor(), [this] {
        coordinator_->tick(now());
        pump();
      }) {}

coordinator::Now GroupHost::now() const { return {.monotonic = shard_.reactor().now(), .wall = shard_.reactor().wall_now()}; }

KafkaError GroupHost::refusal() const noexcept {
  switch (state_) {
    case State::kLoading:
      return KafkaError::kCoordinatorLoadInProgress;
    case State::kActive:
      return KafkaError::kNone;
    case State::kFailed:
      return KafkaError::kCoordinatorNotAvailable;
    case State::kClosed:
      return KafkaError::kNotCoordinator;
  }
  return KafkaError::kUnknownServerError;
}

io::Task<> GroupHost::run() {
  if (!co_await load_until_it_succeeds()) co_return;
  begin();
  co_await append_loop();
}

/// False: the host is closing. A disk may fail to read once, and a file may be brought back.
io::Task<bool> GroupHost::load_until_it_succeeds() {
  for (;;) {
    const Result<> loaded = co_await load();
    if (scope_.closing()) co_return false;
    if (loaded.ok()) co_return true;
    spdlog::error("groups: partition {} of the internal log cannot be read, its groups stay unavailable: {}; next try in {} s",
                  index_.value, loaded.error().to_string(), kLoadDelay.count());
    state_ = State::kFailed;
    coordinator_ = std::make_unique<coordinator::GroupCoordinator>(options_, room_);
    if (co_await io::sleep_for(kLoadDelay, scope_.abort()) != io::WaitOutcome::kTimedOut) co_return false;
  }
}

void GroupHost::begin() {
  state_ = State::kActive;
  coordinator_->start(now());
  // A crash may have come between a log's deletion and that of what was committed for it.
  for (const std::string& topic : coordinator_->committed_topics()) {
    const bool is_gone = shard_.image()->find_log(topic) == nullptr || deleted_meanwhile_.contains(topic);
    if (is_gone) coordinator_->forget_topic(topic);
  }
  deleted_meanwhile_.clear();
  pump();
}

void GroupHost::forget_topic(std::string_view name) {
  if (state_ == State::kLoading || state_ == State::kFailed) deleted_meanwhile_.emplace(name);
  if (state_ != State::kActive) return;
  coordinator_->forget_topic(name);
  pump();
}

io::Task<Result<>> GroupHost::load() {
  PartitionUse partition(shard_, incarnation_);
  if (!partition) co_return Error(ErrorCode::kClosed, "the partition is gone");
  Offset at = partition->data->start();
  // What is above the high watermark was not acknowledged, and with a single copy there is none.
  while (at < partition->data->high_watermark()) {
    if (scope_.closing()) co_return ErrorCode::kAborted;
    const storage::ReadOptions options{.offset = at, .bytes_max = kLoadBytes};
    PYRALOG_CO_ASSIGN(const Slice bytes, co_await storage::read_bytes(*partition->data, options));
    const Offset before = at;
    load_batches(bytes.view());
    for (ByteView rest = bytes.view(); !rest.empty();) {
      PYRALOG_CO_ASSIGN(const auto batch, record::BatchView::parse(rest));
      at = batch.end_offset();
      rest = rest.subspan(batch.batch_bytes());
    }
    if (at == before) break;
    co_await shard_.reactor().yield();
  }
  co_return Result<>();
}

void GroupHost::load_batches(ByteView bytes) {
  while (!bytes.empty()) {
    const auto batch = record::BatchView::parse(bytes);
    if (!batch.ok()) return;  // the caller says so
    if (auto loaded = load_batch(*batch); !loaded.ok()) {
      spdlog::error("groups: partition {} of the internal log, batch at offset {}: {}; what it says is missing, the rest is "
                    "used", index_.value, batch->base_offset().value, loaded.error().to_string());
    }
    bytes = bytes.subspan(batch->batch_bytes());
  }
}

Result<> GroupHost::load_batch(const record::BatchView& batch) {
  if (batch.is_control()) return {};
  PYRALOG_TRY(batch.verify_crc());
  PYRALOG_ASSIGN(record::RecordIterator records, record::RecordIterator::open(batch, shard_.decompressor()));
  record::RecordView record;
  for (;;) {
    PYRALOG_ASSIGN(const bool more, records.next(record));
    if (!more) return {};
    if (!record.key.has_value()) continue;
    if (auto loaded = coordinator_->load(*record.key, record.value); !loaded.ok()) {
      spdlog::error("groups: partition {} of the internal log, record at offset {} is left out: {}", index_.value,
                    record.offset.value, loaded.error().to_string());
    }
    if (storage::planted(storage::Bug::kGroupBatchLoadedInPart)) return {};
  }
}

void GroupHost::pump() {
  coordinator::Output output = coordinator_->take_output();
  for (coordinator::Append& append : output.appends) queue_.push_back(std::move(append));
  if (!queue_.empty()) queued_.notify_all();
  for (coordinator::Reply& reply : output.replies) {
    const auto found = waiters_.find(reply.to);
    if (found == waiters_.end()) continue;
    auto* answered = found->second;
    waiters_.erase(found);
    answered->set(std::move(reply.answer));
  }
  if (state_ != State::kActive) return timer_.cancel();
  if (const auto next = coordinator_->next_deadline()) {
    timer_.arm(*next);
  } else {
    timer_.cancel();
  }
}

io::Task<> GroupHost::append_loop() {
  while (!scope_.closing()) {
    if (queue_.empty()) {
      co_await queued_.wait(scope_.abort());
      continue;
    }
    co_await append_next();
  }
}

/// Stores what is queued, as much as fits a batch: what comes while one is on its way to the disk goes with the next.
io::Task<> GroupHost::append_next() {
  Result<> outcome;
  std::size_t settled = fill_batch(outcome);
  if (outcome.ok() && !builder_.empty()) {
    auto bytes = builder_.finish();
    if (bytes.ok()) {
      outcome = co_await append_batch(Slice::copy_of(*bytes));
    } else {
      outcome = bytes.error();
    }
  }
  if (scope_.closing()) co_return;
  KafkaError error = KafkaError::kNone;
  if (!outcome.ok()) {
    error = told(outcome.error());
    spdlog::error("groups: storing in partition {} of the internal log: {}", index_.value, outcome.error().to_string());
    // The rest of an append of which a part could not be stored is of no use.
    if (records_taken_ > 0) ++settled;
    records_taken_ = 0;
  }
  for (std::size_t i = 0; i < settled; ++i) {
    const coordinator::AppendId id = queue_.front().id;
    queue_.pop_front();
    coordinator_->settle(id, error, now());
  }
  pump();
}

/// Puts records of the queue into the builder; returns how many appends are complete with it.
std::size_t GroupHost::fill_batch(Result<>& outcome) {
  builder_.clear();
  std::size_t bytes_max = limits::kBatchBytesMaxDefault;
  if (const Partition* partition = shard_.find(incarnation_)) bytes_max = partition->rules->storage->batch_bytes_max;
  const WallTime wall = shard_.reactor().wall_now();
  std::size_t complete = 0;
  for (const coordinator::Append& append : queue_) {
    for (; records_taken_ < append.records.size(); ++records_taken_) {
      const coordinator::LogRecord& from = append.records[records_taken_];
      record::RecordInput record{.timestamp = wall, .key = as_bytes(from.key)};
      if (from.value.has_value()) record.value = as_bytes(*from.value);
      if (builder_.bytes_uncompressed() + record::BatchBuilder::record_bytes_max(record) > bytes_max) {
        if (!builder_.empty()) return complete;
        outcome = Error(ErrorCode::kTooLarge, fmt::format("a record of {} bytes; max.message.bytes of the internal log is {}",
                                                          record::BatchBuilder::record_bytes_max(record), bytes_max));
        records_taken_ = 0;
        return 1;
      }
      if (auto added = builder_.append(record); !added.ok()) outcome = std::move(added);
    }
    records_taken_ = 0;
    ++complete;
  }
  return complete;
}

io::Task<Result<>> GroupHost::append_batch(Slice batch) {
  PartitionUse partition(shard_, incarnation_);
  if (!partition) co_return ErrorCode::kClosed;
  auto appended = partition->data->append(batch);
  while (!appended.ok() && appended.error() == ErrorCode::kUnavailable) {
    PYRALOG_CO_TRY(co_await partition->data->prepare());
    if (partition->removed) co_return ErrorCode::kClosed;
    appended = partition->data->append(batch);
  }
  if (!appended.ok()) co_return std::move(appended).error();
  segment_bytes_ += batch.size();
  if (segment_bytes_ >= kSegmentBytes) {
    partition->data->roll();
    segment_bytes_ = 0;
  }
  if (storage::planted(storage::Bug::kGroupAppendNotAwaited)) co_return Result<>();
  const MonotonicTime never = MonotonicTime::max();
  if (co_await partition->data->wait_high_watermark(appended->end, never, shard_.store_failed()) != io::WaitOutcome::kWoken) {
    co_return Error(ErrorCode::kIo, "the store has failed");
  }
  co_return Result<>();
}

/// What a client is told of an append that failed: as Kafka, in terms of the coordinator.
KafkaError GroupHost::told(const Error& error) const {
  switch (error.code()) {
    case ErrorCode::kTooLarge:
      return KafkaError::kInvalidCommitOffsetSize;
    case ErrorCode::kIo:
    case ErrorCode::kClosed:
    case ErrorCode::kNotLeader:
      return KafkaError::kNotCoordinator;
    default:
      return KafkaError::kCoordinatorNotAvailable;  // a full disk, for one: to be tried again
  }
}

io::Task<> GroupHost::close() {
  if (state_ != State::kClosed) {
    const bool started = state_ == State::kActive;
    state_ = State::kClosed;
    if (started) coordinator_->stop();
    queue_.clear();
    pump();
  }
  co_await scope_.close();
}

}  // namespace pyralog::server
