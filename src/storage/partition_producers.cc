// Producer snapshots: files from which the producers' windows are rebuilt, with the batches after them.
#include <algorithm>
#include <ranges>

#include "io/disk.h"
#include "io/reactor.h"
#include "storage/partition_log.h"

namespace pyralog::storage {
namespace {

// Older ones serve only truncations that reach behind the newest.
constexpr std::size_t kSnapshotsKept = 3;
constexpr std::uint64_t kSnapshotFileBytesMax = 64u << 20;
static_assert(limits::kProducersPerPartitionMax *
                      (log_format::kProducerBytes + limits::kProducerBatchesRemembered * log_format::kProducerBatchBytes) <
                  kSnapshotFileBytesMax,
              "a full table fits into a snapshot that will be read again");

io::Task<Result<std::vector<std::byte>>> read_whole(std::string path) {
  io::OpenOptions options{.access = io::Access::kRead};
  PYRALOG_CO_ASSIGN(const auto file, co_await io::Reactor::current().disk().open(std::move(path), options));
  PYRALOG_CO_ASSIGN(const std::uint64_t size, file->size());
  if (size > kSnapshotFileBytesMax) co_return ErrorCode::kCorrupt;
  std::vector<std::byte> bytes(size);
  PYRALOG_CO_ASSIGN(const std::size_t got, co_await file->read(0, bytes));
  bytes.resize(got);
  co_return bytes;
}

}  // namespace

bool PartitionLog::snapshot_due() const noexcept {
  const LogState& state = files_.state();
  return !is_taking_snapshot_ && state.bytes_since_snapshot() >= snapshot_bytes_next_ &&
         state.producers().encoded_bytes() > LogState::kProducerBytesInlineMax;
}

void PartitionLog::start_snapshot() {
  const LogState& state = files_.state();
  if (is_taking_snapshot_ || !state.producers_known() || state.producers().empty()) return;
  ProducerSnapshot snapshot{log_end(), state.epochs().epoch_at(log_end() - OffsetDelta(1)), state.producers()};
  is_taking_snapshot_ = true;
  tasks_.spawn(take_snapshot(std::move(snapshot), newest_round_, state.bytes_since_snapshot()));
}

io::Task<> PartitionLog::take_snapshot(ProducerSnapshot snapshot, RoundSequence round, std::uint64_t bytes_covered) {
  const Offset offset = snapshot.offset;
  const std::uint32_t cuts = cuts_;
  Result<> written = co_await wait_durable(round);
  // A truncation while the file is written would not see it, and leave it with what is no longer true.
  const Gate::Pass pass = co_await changes_.enter();
  if (cuts != cuts_) written = ErrorCode::kAborted;
  if (written.ok()) written = co_await write_snapshot(std::move(snapshot));
  is_taking_snapshot_ = false;
  // A failure leaves more to read again, no more than that. The next attempt is not made at once.
  snapshot_bytes_next_ = files_.state().bytes_since_snapshot() + kSnapshotBytesApart;
  if (!written.ok()) co_return;
  files_.state().set_snapshot(offset, bytes_covered);
  snapshot_bytes_next_ = kSnapshotBytesApart;
  const auto kept = co_await list_snapshots();
  if (!kept.ok() || kept->size() <= kSnapshotsKept) co_return;
  for (std::size_t i = 0; i + kSnapshotsKept < kept->size(); ++i) {
    (void)co_await remove_file((*kept)[i], FileKind::kSnapshot);
  }
}

/// What was appended up to `round` survives a crash.
io::Task<Result<>> PartitionLog::wait_durable(RoundSequence round) {
  if (files_.durability() == DurabilityClass::kCached) co_return co_await shard_.store.sync_cached(files_);
  co_return co_await shard_.store.wait_synced(round);
}

/// The caller holds the gate of changes.
io::Task<Result<>> PartitionLog::write_snapshot(ProducerSnapshot snapshot) {
  const std::vector<std::byte> bytes = snapshot.encode();
  io::Disk& disk = io::Reactor::current().disk();
  io::OpenOptions options{.access = io::Access::kReadWrite, .existence = io::Existence::kMayCreate};
  PYRALOG_CO_TRY(co_await shard_.store.make_directory(files_));
  std::string path = file_path(directory_path(), snapshot.offset, FileKind::kSnapshot);
  PYRALOG_CO_ASSIGN(const auto file, co_await disk.open(std::move(path), options));
  PYRALOG_CO_TRY(co_await file->truncate(0));
  std::vector<ByteView> pieces{bytes};
  PYRALOG_CO_TRY(co_await file->write_and_sync(0, std::move(pieces)));
  co_return co_await shard_.store.sync_directory(files_);
}

/// Ascending.
io::Task<Result<std::vector<Offset>>> PartitionLog::list_snapshots() {
  auto listed = co_await io::Reactor::current().disk().list(directory_path());
  std::vector<Offset> offsets;
  if (!listed.ok() && listed.error() == ErrorCode::kNotFound) co_return offsets;
  PYRALOG_CO_TRY(listed);
  for (const io::DirectoryEntry& entry : *listed) {
    const auto name = parse_file_name(entry.name);
    if (name.has_value() && name->kind == FileKind::kSnapshot) offsets.push_back(name->offset);
  }
  std::ranges::sort(offsets);
  co_return offsets;
}

/// The newest snapshot that tells of this very log.
io::Task<Result<std::optional<ProducerSnapshot>>> PartitionLog::usable_snapshot() {
  PYRALOG_CO_ASSIGN(std::vector<Offset> offsets, co_await list_snapshots());
  for (const Offset offset : std::views::reverse(offsets)) {
    // Batches after the snapshot must all be there still.
    if (offset > log_end() || offset < files_.segments().front().base) continue;
    const auto bytes = co_await read_whole(file_path(directory_path(), offset, FileKind::kSnapshot));
    if (!bytes.ok()) continue;
    auto snapshot = ProducerSnapshot::decode(*bytes);
    if (!snapshot.ok() || snapshot->offset != offset) continue;
    // One that the log's state names is of this very log. Others must agree with it on the record before.
    const bool is_named = files_.state().snapshot() == offset;
    const bool agrees = offset > start() && files_.state().epochs().epoch_at(offset - OffsetDelta(1)) == snapshot->epoch;
    if (!is_named && !agrees) continue;
    co_return std::optional(std::move(*snapshot));
  }
  co_return std::optional<ProducerSnapshot>();
}

/// The caller holds the gate of changes; appends are refused until this is done.
io::Task<Result<>> PartitionLog::rebuild_producers() {
  PYRALOG_CO_ASSIGN(std::optional<ProducerSnapshot> snapshot, co_await usable_snapshot());
  ProducerTable table;
  Offset from = files_.segments().front().base;
  if (snapshot.has_value()) {
    table = std::move(snapshot->producers);
    from = snapshot->offset;
  }
  PYRALOG_CO_TRY(co_await replay_producers(table, from));
  files_.state().set_producers(std::move(table));
  ++shard_.counters.producers_rebuilt;
  co_return Result<>();
}

io::Task<Result<>> PartitionLog::replay_producers(ProducerTable& table, Offset from) {
  const WallTime now = io::Reactor::current().wall_now();
  while (from < log_end()) {
    const Offset base = segment_at(from).base;
    PYRALOG_CO_ASSIGN(SegmentMark at, co_await find_batch(base, from));
    BatchCursor cursor(source(base), BatchCursor::Window::kScan);
    for (;;) {
      const Segment* segment = files_.find_segment(base);
      if (segment == nullptr) co_return ErrorCode::kAborted;
      if (at.position >= segment->end) break;
      if (!cursor.covers(at.position)) PYRALOG_CO_TRY(co_await cursor.load(at.position));
      PYRALOG_CO_ASSIGN(const record::BatchHeader header, cursor.header_at(at.position));
      table.apply(header, now);
      at = {header.end_offset(), at.position + header.batch_bytes()};
    }
    from = segment_end(base);
  }
  co_return Result<>();
}

}  // namespace pyralog::storage
