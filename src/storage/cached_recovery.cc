#include "storage/cached_recovery.h"

#include <fmt/format.h>

#include <algorithm>

#include "record/batch_view.h"
#include "storage/file_names.h"
#include "storage/planted.h"
#include "storage/recovery.h"

namespace pyralog::storage {
namespace {

Error bad_below(const std::string& path, std::uint64_t position, std::uint64_t solid_end) {
  return Error(ErrorCode::kCorrupt, fmt::format("{}: no batch of this log at byte {}, though it was synced up to byte {}",
                                                path, position, solid_end));
}

}  // namespace

io::Task<Result<std::map<SegmentName, std::uint64_t>>> CachedRecovery::list(const PartitionFiles& partition) const {
  std::map<SegmentName, std::uint64_t> sizes;
  auto listed = co_await context_.reactor.disk().list(directory(partition));
  if (!listed.ok() && listed.error() == ErrorCode::kNotFound) co_return sizes;
  PYRALOG_CO_TRY(listed);
  for (const io::DirectoryEntry& entry : *listed) {
    const auto name = parse_file_name(entry.name);
    if (name.has_value() && name->kind == FileKind::kLog) sizes[{name->offset, name->edition}] = entry.size;
  }
  co_return sizes;
}

bool CachedRecovery::continues(const PartitionFiles& partition, ByteView bytes) const {
  const auto batch = record::BatchView::parse(bytes);
  if (!batch.ok() || !batch->verify_crc().ok()) return false;
  // Offsets and epochs lie outside of the checksum: only a batch that follows exactly is believed. Compacted segments, which
  // have gaps, are never scanned.
  if (batch->leader_epoch() < partition.state().epochs().latest()) return false;
  return batch->base_offset() == partition.log_end();
}

io::Task<Result<std::uint64_t>> CachedRecovery::scan(PartitionFiles& partition, LogPosition from, std::uint64_t end,
                                                     std::uint64_t solid_end) const {
  const std::string path = file_path(directory(partition), from.segment, FileKind::kLog);
  const io::OpenOptions options{.caching = io::Caching::kDirect};
  auto opened = co_await context_.reactor.disk().open(path, options);
  if (!opened.ok() && opened.error() == ErrorCode::kNotFound) co_return from.position;
  if (!opened.ok()) co_return std::move(opened).error();
  io::File& file = **opened;
  // What the page cache alone has must be on the disk before it is served, and it may have what the disk lacks.
  if (!planted(Bug::kScanNotSynced)) PYRALOG_CO_TRY(co_await file.sync());
  PYRALOG_CO_ASSIGN(const std::uint64_t size, file.size());
  end = std::min(end, size);
  FileWindow window(file, context_.geometry().block_bytes, size);
  while (from.position + record::format::kHeaderBytes <= end) {
    PYRALOG_CO_ASSIGN(ByteView bytes, co_await window.get(from.position, record::format::kHeaderBytes));
    const auto header = record::BatchHeader::parse(bytes);
    if (!header.ok() || header->batch_bytes() > end - from.position) break;
    PYRALOG_CO_ASSIGN(bytes, co_await window.get(from.position, header->batch_bytes()));
    if (!continues(partition, bytes)) break;
    const record::BatchView batch = record::BatchView::parse(bytes).value();
    partition.state().apply(batch, from.segment, context_.reactor.wall_now());
    from.position += batch.batch_bytes();
  }
  if (from.position < solid_end) co_return bad_below(path, from.position, solid_end);
  co_return from.position;
}

io::Task<Result<>> CachedRecovery::run(PartitionFiles& partition, CachedMark mark) {
  PYRALOG_CO_ASSIGN(const auto sizes, co_await list(partition));
  const std::vector<Segment> known(partition.segments().begin(), partition.segments().end());
  std::vector<Segment> found;
  auto next = known.begin();
  for (; next != known.end() && next->base < mark.scan_from.segment; ++next) {
    const auto size = sizes.find(next->name());
    if (next->end > 0 && (size == sizes.end() || size->second < next->end)) {
      const std::string path = file_path(directory(partition), next->base, FileKind::kLog, next->edition);
      co_return Error(ErrorCode::kCorrupt,
                      fmt::format("{} is missing or too short: {} bytes of it are needed", path, next->end));
    }
    found.push_back(*next);
  }
  LogPosition at = mark.scan_from;
  for (;;) {
    const bool is_known = next != known.end() && next->base == at.segment;
    // One that another follows was finished when the mark was made; what its file may have beyond is nobody's.
    const bool finished = is_known && next + 1 != known.end();
    const std::uint64_t end = finished ? next->end : UINT64_MAX;
    const std::uint64_t solid_end = at.segment < mark.solid_end.segment ? (finished ? end : 0)
                                    : at.segment == mark.solid_end.segment ? mark.solid_end.position : 0;
    PYRALOG_CO_ASSIGN(const std::uint64_t good, co_await scan(partition, at, end, solid_end));
    found.push_back({.base = at.segment, .end = good, .clean_end = good, .named = sizes.contains({at.segment})});
    if (is_known) ++next;
    if (finished ? (good < end || next->base != partition.log_end()) : !sizes.contains({partition.log_end()})) break;
    if (partition.log_end() <= at.segment) break;
    at = {partition.log_end(), 0};
  }
  if (LogPosition{found.back().base, found.back().end} < mark.solid_end) {
    co_return bad_below(file_path(directory(partition), mark.solid_end.segment, FileKind::kLog), 0, mark.solid_end.position);
  }
  for (Segment& segment : found) segment.clean_end = segment.end;
  PartitionLedger ledger = context_.ledger(partition);
  ledger.segments() = std::move(found);
  PYRALOG_CO_TRY(co_await remove_unnamed(partition));
  if (partition.log_end() < partition.start()) {
    // Deleted records count as deleted, also where the end of what was deleted is lost. What is left of them stays for now:
    // this start may be cut short, and then the next one begins with the same mark.
    ledger.segments().assign(1, Segment{.base = partition.start()});
    outdated_.push_back(&partition);
  }
  partition.state().drop_front(partition.start(), ledger.segments().front().base);
  context_.tracked(partition, [&] { ledger.restored(ledger.end()); });
  co_return Result<>();
}

io::Task<Result<>> CachedRecovery::finish() {
  for (PartitionFiles* partition : outdated_) PYRALOG_CO_TRY(co_await remove_unnamed(*partition));
  outdated_.clear();
  co_return Result<>();
}

io::Task<Result<>> CachedRecovery::remove_unnamed(PartitionFiles& partition) {
  auto listed = co_await context_.reactor.disk().list(directory(partition));
  if (!listed.ok() && listed.error() == ErrorCode::kNotFound) co_return Result<>();
  PYRALOG_CO_TRY(listed);
  for (const io::DirectoryEntry& entry : *listed) {
    const auto name = parse_file_name(entry.name);
    if (!name.has_value()) continue;
    const Segment* segment = partition.find_segment(name->offset);
    // A snapshot of what was lost would tell of other records, once there are any.
    const bool wanted = name->kind == FileKind::kSnapshot ? name->offset <= partition.log_end()
                                                          : segment != nullptr && segment->end > 0 &&
                                                                name->kind != FileKind::kCompacting &&
                                                                segment->edition == name->edition;
    if (wanted) continue;
    context_.files.forget({partition.incarnation(), name->offset, name->kind, name->edition});
    const std::string path = directory(partition) + "/" + entry.name;
    PYRALOG_CO_TRY(co_await context_.reactor.disk().remove(path));
  }
  PYRALOG_CO_TRY(co_await segments_.sync_directory(partition));
  for (Segment& segment : context_.ledger(partition).segments()) segment.named = segment.end > 0;
  co_return Result<>();
}

Result<> CachedRecovery::begin(PartitionFiles& partition) {
  PartitionLedger ledger = context_.ledger(partition);
  if (partition.active().end > 0) {
    const Offset base = partition.log_end();
    ledger.roll(base);
    partition.state().begin_segment(base);
  }
  if (partition.active().end > 0 || ledger.dirty()) {
    return Error(ErrorCode::kCorrupt, fmt::format("{}: the log's state says that it ends at offset {}, its segments differ",
                                                  directory(partition), partition.log_end().value));
  }
  ledger.begin_cached();
  return {};
}

}  // namespace pyralog::storage
