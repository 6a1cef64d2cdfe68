#include "storage/committer.h"

#include <algorithm>
#include <cstring>

#include "core/checksum.h"
#include "io/when_all.h"
#include "storage/planted.h"

namespace pyralog::storage {
namespace {

// A batch of any size that may be set fits into a round, with header, image and padding.
static_assert(limits::kBatchBytesMax + 16 * limits::kBlockBytes <= limits::kRoundBytesMax);

constexpr Duration kFullDiskDelay = std::chrono::seconds(1);

io::Task<> store_result(io::Task<Result<>> task, Result<>& into) { into = co_await std::move(task); }

}  // namespace

void Committer::begin(RoundSequence next) {
  synced_ = RoundSequence(next.value - 1);
  open_.push_back(std::make_unique<Round>(next));
}

std::uint64_t Committer::batch_bytes_max() const noexcept {
  const StoreGeometry& geometry = context_.geometry();
  const Round empty(RoundSequence(0));
  const std::uint64_t overhead = empty.bytes_bound(0, geometry.sector_bytes, geometry.block_bytes) +
                                 3 * geometry.block_bytes + journal_format::kDescriptorBytes;
  return geometry.round_bytes_max - std::min(overhead, geometry.round_bytes_max);
}

void Committer::start_round() {
  // Nothing of the next round has happened yet: memory shows exactly the rounds up to this one.
  if (capture_) std::exchange(capture_, nullptr)(open_.back()->sequence());
  open_.back()->set_runs(arena_.take_runs());
  open_.push_back(std::make_unique<Round>(RoundSequence(open_.back()->sequence().value + 1)));
}

Round& Committer::round_for(std::uint64_t more) {
  const StoreGeometry& geometry = context_.geometry();
  // Room for an IMAGE too, which comes with the first batch of a partition.
  const std::uint64_t bound = open_.back()->bytes_bound(more + geometry.block_bytes + journal_format::kDescriptorBytes,
                                                        geometry.sector_bytes, geometry.block_bytes);
  if (bound > geometry.round_bytes_max && !open_.back()->empty()) start_round();
  return *open_.back();
}

void Committer::add_image(Round& round, PartitionFiles& partition, LogPosition begin) {
  PartitionLedger ledger = context_.ledger(partition);
  (void)round.touch(partition, ledger.round_index(), ledger.round());
  const std::uint64_t bytes = ledger.end().position - begin.position;
  Descriptor image{.kind = RoundKind::kImage, .incarnation = partition.incarnation(), .at = begin,
                   .length = static_cast<std::uint32_t>(bytes)};
  ++context_.counters.images;
  if (!partition.in_memory(begin)) {
    round.add(image, {}, false, ledger.round_index());
    round.reserve(bytes);
    return;
  }
  std::vector<StoredPart> parts;
  partition.locate(begin.segment, begin.position, bytes, parts);
  std::vector<std::byte> block;
  for (const StoredPart& part : parts) block.insert(block.end(), part.slice.data(), part.slice.data() + part.slice.size());
  image.payload_crc = crc32c(block);
  round.add(image, arena_.copy(block), true);
}

RoundSequence Committer::append(PartitionFiles& partition, Slice batch, Offset log_end) {
  PartitionLedger ledger = context_.ledger(partition);
  Round& round = round_for(batch.size());
  const auto image = ledger.image_begin();
  if (image.has_value() && !planted(Bug::kNoImage)) add_image(round, partition, *image);
  Descriptor descriptor{.kind = RoundKind::kData, .is_batch = true, .incarnation = partition.incarnation(),
                        .at = ledger.end(), .length = static_cast<std::uint32_t>(batch.size())};
  std::memcpy(descriptor.prefix.data(), batch.data(), descriptor.prefix.size());
  const bool copied = batch.size() < context_.geometry().batch_copied_bytes_below;
  if (copied) batch = arena_.copy(batch.view());
  context_.tracked(partition, [&] { ledger.append(batch, round.sequence()); });
  Round::Touched& touched = round.touch(partition, ledger.round_index(), ledger.round());
  if (touched.data_bytes == 0 || touched.data_begin.segment != descriptor.at.segment) {
    touched.data_begin = descriptor.at;
    touched.data_bytes = 0;
  }
  touched.data_bytes += batch.size();
  touched.end = ledger.end();
  touched.log_end = log_end;
  round.add(descriptor, std::move(batch), copied);
  work_.notify_one();
  return round.sequence();
}

RoundSequence Committer::add(Descriptor descriptor, ByteView payload, PartitionFiles* partition) {
  Round& round = round_for(payload.size());
  descriptor.length = static_cast<std::uint32_t>(payload.size());
  descriptor.payload_crc = crc32c(payload);
  if (partition != nullptr) {
    PartitionLedger ledger = context_.ledger(*partition);
    Round::Touched& touched = round.touch(*partition, ledger.round_index(), ledger.round());
    touched.has_change = true;
  }
  round.add(descriptor, payload.empty() ? Slice() : arena_.copy(payload), true);
  work_.notify_one();
  return round.sequence();
}

void Committer::note_end(PartitionFiles& partition) {
  PartitionLedger ledger = context_.ledger(partition);
  Round::Touched& touched = open_.back()->touch(partition, ledger.round_index(), ledger.round());
  touched.end = ledger.end();
  touched.log_end = partition.log_end();
}

void Committer::prove() {
  if (proven_ || !open_.back()->empty() || planted(Bug::kNoEmptyRound)) return;
  Descriptor empty{.kind = RoundKind::kEmpty};
  open_.back()->add(empty, {}, true);
  work_.notify_one();
}

io::Task<Result<>> Committer::prove_now() {
  prove();
  if (open_.front()->empty()) co_return Result<>();
  co_return co_await commit();
}

void Committer::capture_when_sealed(std::move_only_function<void(RoundSequence)> capture) {
  if (idle()) {
    capture(synced_);
  } else {
    capture_ = std::move(capture);
  }
}

io::Task<> Committer::run(io::TaskScope& scope) {
  stopping_ = &scope.abort();
  while (!context_.failure.has_value()) {
    if (open_.front()->empty()) {
      if (capture_) std::exchange(capture_, nullptr)(synced_);
      if (scope.closing()) break;
      auto outcome = io::WaitOutcome::kWoken;
      if (proven_) {
        arena_.release_idle();
        outcome = co_await work_.wait(scope.abort());
      } else {
        outcome = co_await work_.wait_until(context_.reactor.now() + context_.geometry().prove_delay, scope.abort());
      }
      if (outcome == io::WaitOutcome::kTimedOut && open_.front()->empty()) prove();
      // The sockets that are ready now put their batches into this round, not into the next one.
      if (outcome == io::WaitOutcome::kWoken) co_await context_.reactor.yield();
      continue;
    }
    const Result<> result = co_await commit();
    if (!result.ok()) context_.fail(result.error());
  }
  wake_all();
}

io::Task<Result<>> Committer::load_image(Round::Entry& entry) {
  // Removals of the segment or the partition may wait in this same round; the file is there until it is durable.
  const Descriptor image = entry.descriptor;
  const PartitionFiles& partition = *in_flight_->touched()[entry.row].partition;
  const FileKey key{image.incarnation, image.at.segment, FileKind::kLog};
  std::string path = segments_.path(partition, image.at.segment);
  PYRALOG_CO_ASSIGN(const SharedFile file, co_await context_.files.open(key, std::move(path)));
  Slice block = Slice::allocate(image.length);
  const MutableBytes into = block.mutable_view().first(image.length);
  PYRALOG_CO_ASSIGN(const std::size_t got, co_await file->read(image.at.position, into));
  if (got < image.length) co_return Error(ErrorCode::kIo, "a segment became shorter than its clean bytes");
  entry.payload = std::move(block);
  entry.descriptor.payload_crc = crc32c(entry.payload.view());
  co_return Result<>();
}

io::Task<Result<>> Committer::load_images(Round& round) {
  for (Round::Entry& entry : round.entries()) {
    if (entry.descriptor.kind != RoundKind::kImage || !entry.payload.empty()) continue;
    PYRALOG_CO_TRY(co_await load_image(entry));
  }
  co_return Result<>();
}

io::Task<Result<>> Committer::commit() {
  const MonotonicTime started = context_.reactor.now();
  const StoreGeometry& geometry = context_.geometry();
  if (open_.size() == 1) start_round();
  in_flight_ = std::move(open_.front());
  open_.pop_front();
  Round& round = *in_flight_;
  const std::vector<Bypass::Body> bodies = bypass_.take(round);
  PYRALOG_CO_TRY(co_await load_images(round));
  round.seal(geometry.sector_bytes, geometry.block_bytes);
  PYRALOG_CO_TRY(co_await make_room(round));
  if (planted(Bug::kAcknowledgeBeforeSync)) synced_ = round.sequence();
  PYRALOG_CO_TRY(co_await write(round, bodies));
  PYRALOG_CO_TRY(co_await journal_.mark_successor());
  // A sync of a segment that failed meanwhile may have taken a body's bytes with it: the body's own then found nothing to do.
  if (context_.failure.has_value()) co_return context_.failed_error();
  StoreCounters& counters = context_.counters;
  ++counters.rounds;
  counters.journal_bytes = journal_.bytes_written();
  counters.round_latency.record(context_.reactor.now() - started);
  complete(round, bodies);
  co_return Result<>();
}

io::Task<Result<>> Committer::make_room(const Round& round) {
  for (;;) {
    const Result<> made = co_await journal_.make_room(round.length(), round.sequence());
    if (made.ok() || made.error().code() != ErrorCode::kNoSpace || context_.failure.has_value()) co_return made;
    // The disk is full although appends were refused before it was: others took the rest. Files come free with time.
    if ((co_await io::sleep_for(kFullDiskDelay, *stopping_)) == io::WaitOutcome::kAborted) co_return made;
  }
}

io::Task<Result<>> Committer::write_body(const Bypass::Body& body) {
  for (;;) {
    const Result<> written = co_await bypass_.write(body);
    if (written.ok() || written.error().code() != ErrorCode::kNoSpace || context_.failure.has_value()) co_return written;
    // A full disk is no failed one: all of the body is in memory, and all of it is written again.
    if ((co_await io::sleep_for(kFullDiskDelay, *stopping_)) == io::WaitOutcome::kAborted) co_return written;
  }
}

io::Task<Result<>> Committer::write(Round& round, const std::vector<Bypass::Body>& bodies) {
  if (bodies.empty()) co_return co_await journal_.write(round);
  std::vector<Result<>> results(bodies.size() + 1);
  std::vector<io::Task<>> tasks;
  tasks.push_back(store_result(journal_.write(round), results.back()));
  for (std::size_t i = 0; i < bodies.size(); ++i) tasks.push_back(store_result(write_body(bodies[i]), results[i]));
  co_await io::when_all(std::move(tasks));
  for (const Result<>& result : results) PYRALOG_CO_TRY(result);
  co_return Result<>();
}

void Committer::complete(Round& round, const std::vector<Bypass::Body>& bodies) {
  synced_ = round.sequence();
  const bool was_empty = round.entries().front().descriptor.kind == RoundKind::kEmpty;
  if (was_empty) ++context_.counters.rounds_empty;
  proven_ = was_empty;
  context_.note_change();
  round.release();
  for (const Bypass::Body& body : bodies) {
    context_.tracked(*body.partition, [&] { context_.ledger(*body.partition).mark_body(body.segment, body.begin, body.end); });
    context_.counters.bypassed_bytes += body.end - body.begin;
    cleaner_.keep(*body.partition, {body.segment, body.end});
  }
  for (const Round::Touched& touched : round.touched()) {
    PartitionLedger ledger = context_.ledger(*touched.partition);
    const bool moved = ledger.synced(touched.end, touched.log_end);
    cleaner_.update(*touched.partition);
    if (moved) ledger.call_on_synced();
  }
  round.waiters().notify_all();
  in_flight_.reset();
  context_.progress.notify_all();
}

Round* Committer::find(RoundSequence round) noexcept {
  if (in_flight_ != nullptr && in_flight_->sequence() == round) return in_flight_.get();
  for (const auto& open : open_) {
    if (open->sequence() == round) return open.get();
  }
  return nullptr;
}

io::Task<Result<>> Committer::wait_synced(RoundSequence sequence) {
  while (synced_ < sequence) {
    if (context_.failure.has_value()) co_return context_.failed_error();
    Round* round = find(sequence);
    if (round == nullptr) co_return Error(ErrorCode::kInvalidArgument, "no such round");
    (void)co_await round->waiters().wait();
  }
  co_return Result<>();
}

void Committer::wake_all() {
  work_.notify_all();
  if (in_flight_ != nullptr) in_flight_->waiters().notify_all();
  for (const auto& open : open_) open->waiters().notify_all();
}

}  // namespace pyralog::storage
