// The log's last block, before an append continues it: where only the disk has its start, the journal repeats that, with a
// checksum of its own. A damaged block would look whole there, so it is read and checked first. That happens to the first
// append after the bytes have left memory (seconds without one), and costs a look-up in the index and reading one block
// with the batch that reaches into it.
#include "io/reactor.h"
#include "storage/partition_log.h"

namespace pyralog::storage {
namespace {

bool is_damage(ErrorCode code) noexcept {
  return code == ErrorCode::kCorrupt || code == ErrorCode::kTruncated || code == ErrorCode::kInvalidRecord;
}

}  // namespace

bool PartitionLog::tail_is_unchecked() const {
  if (!shard_.store.repeats_from_disk(files_)) return false;
  return tail_checked_ != LogPosition{files_.active().base, files_.active().end};
}

/// The caller holds the gate of changes.
io::Task<Result<>> PartitionLog::check_tail() {
  const LogPosition end{files_.active().base, files_.active().end};
  const std::uint64_t begin = align_down(end.position, shard_.store.options().geometry.block_bytes);
  const Result<> checked = co_await verify_tail(end, begin);
  if (checked.ok()) {
    tail_checked_ = end;
    co_return checked;
  }
  if (!is_damage(checked.error().code())) co_return checked;
  shard_.store.report_damage({.path = file_path(directory_path(), end.segment, FileKind::kLog),
                              .position = begin,
                              .what = checked.error().to_string()});
  // The block stays as it is, for readers to notice; the log goes on elsewhere.
  roll();
  co_return Result<>();
}

/// Checks every batch that has bytes in [begin, end) of its segment, as the disk has them.
io::Task<Result<>> PartitionLog::verify_tail(LogPosition end, std::uint64_t begin) {
  const SparseEntry::Bound bound{.offset_max = log_end(), .position_max = begin};
  PYRALOG_CO_ASSIGN(SegmentMark at, co_await find_mark(end.segment, bound));
  BatchCursor cursor(source(end.segment), BatchCursor::Window::kLookup);
  for (;;) {
    if (!cursor.covers(at.position)) PYRALOG_CO_TRY(co_await cursor.load(at.position));
    PYRALOG_CO_ASSIGN(const record::BatchHeader header, cursor.header_at(at.position));
    if (at.position + header.batch_bytes() > begin) break;
    at = {header.end_offset(), at.position + header.batch_bytes()};
  }
  Slice bytes = Slice::allocate(end.position - at.position);
  PYRALOG_CO_ASSIGN(const SharedFile file, co_await cursor.source().file());
  PYRALOG_CO_ASSIGN(const std::size_t got, co_await file->read(at.position, bytes.mutable_view()));
  if (got < bytes.size()) co_return Error(ErrorCode::kCorrupt, "the file is shorter than its segment");
  for (ByteView rest = bytes.view(); !rest.empty();) {
    PYRALOG_CO_ASSIGN(const record::BatchView batch, record::BatchView::parse(rest));
    PYRALOG_CO_TRY(batch.verify_crc());
    if (batch.base_offset() < at.offset) co_return Error(ErrorCode::kCorrupt, "a batch's offsets are out of order");
    at.offset = batch.end_offset();
    rest = rest.subspan(batch.batch_bytes());
  }
  if (at.offset != log_end()) co_return Error(ErrorCode::kCorrupt, "the last batch's offsets are not the log's");
  co_return Result<>();
}

}  // namespace pyralog::storage
