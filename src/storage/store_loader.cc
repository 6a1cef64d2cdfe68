#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "record/format.h"
#include "storage/file_names.h"
#include "storage/store_parts.h"

namespace pyralog::storage {

io::Task<Result<>> StoreLoader::load() {
  StoreContext& context = parts_.context;
  const JournalNames& names = parts_.journal.names();
  PYRALOG_CO_TRY(co_await context.reactor.disk().make_directories(names.directory));
  PYRALOG_CO_TRY(co_await recovery_.open_files());
  // A file that is there for us may still be nameless for the disk, and the older one of a pair is about to be overwritten.
  PYRALOG_CO_TRY(co_await context.reactor.disk().sync_directory(names.directory));
  PYRALOG_CO_ASSIGN(auto checkpoint, co_await parts_.checkpoint_files.load());
  if (checkpoint.has_value()) {
    PYRALOG_CO_TRY(co_await recover(std::move(*checkpoint)));
  } else if (recovery_.any_file()) {
    // The first checkpoint is durable before the first journal file exists.
    const auto& damage = parts_.checkpoint_files.damage();
    co_return Error(ErrorCode::kCorrupt, damage.has_value() ? damage->detail()
                                                            : names.directory + ": there is a journal, but no checkpoint");
  } else {
    PYRALOG_CO_TRY(co_await begin_empty());
  }
  // From here on the directory may change: what was found is durable and known to be complete.
  PYRALOG_CO_TRY(co_await parts_.checkpointer.store_now(false));
  co_return co_await cached_recovery_.finish();
}

io::Task<Result<>> StoreLoader::begin_empty() {
  io::Disk& disk = parts_.context.reactor.disk();
  const std::string& root = parts_.context.options.data_directory;
  PYRALOG_CO_TRY(co_await disk.sync_directory(root));
  PYRALOG_CO_TRY(co_await disk.sync_directory(root + "/journal"));
  parts_.committer.begin(RoundSequence(1));
  co_return Result<>();
}

io::Task<Result<>> StoreLoader::recover(Checkpoint checkpoint) {
  StoreContext& context = parts_.context;
  const bool clean_stop = checkpoint.clean_stop;
  Replay replay(checkpoint, context.geometry().block_bytes);
  PYRALOG_CO_TRY(co_await recovery_.run(checkpoint, replay));
  checkpoint = {};
  PYRALOG_CO_ASSIGN(auto replayed, replay.finish());
  context.states = std::move(replay.states());
  for (ReplayedPartition& partition : replayed) make_partition(std::move(partition));
  for (Loading& loading : loading_) PYRALOG_CO_TRY(co_await check_segments(loading));
  parts_.committer.begin(recovery_.next_sequence());
  PYRALOG_CO_TRY(co_await load_bytes(replay.rounds()));
  PYRALOG_CO_TRY(co_await finish_partitions());
  for (const std::string& path : recovery_.unfinished_files()) PYRALOG_CO_TRY(co_await context.reactor.disk().remove(path));
  const RoundSequence last(recovery_.next_sequence().value - 1);
  const auto current = recovery_.current_file();
  parts_.journal.adopt(recovery_.take_files(), current, last);
  co_return co_await recover_cached(clean_stop);
}

io::Task<Result<>> StoreLoader::recover_cached(bool clean_stop) {
  for (PartitionFiles* partition : cached_) {
    if (const auto mark = marks_.find(partition->incarnation()); mark != marks_.end()) {
      // After a clean stop the mark is the log's end.
      if (!clean_stop) PYRALOG_CO_TRY(co_await cached_recovery_.run(*partition, mark->second));
    } else {
      PYRALOG_CO_TRY(co_await parts_.cleaner.clean(*partition));
      PYRALOG_CO_TRY(co_await cached_recovery_.remove_unnamed(*partition));
    }
    PYRALOG_CO_TRY(cached_recovery_.begin(*partition));
  }
  co_return Result<>();
}

void StoreLoader::make_partition(ReplayedPartition replayed) {
  StoreContext& context = parts_.context;
  auto partition = std::make_unique<PartitionFiles>();
  CheckpointPartition& base = replayed.base;
  PartitionLedger::create(*partition, base.incarnation, std::move(base.directory), base.durability, base.start);
  PartitionLedger ledger = context.ledger(*partition);
  ledger.set_cached_bounds(base.cached_bounds);
  ledger.segments() = std::move(base.segments);
  partition->state() = std::move(base.state);
  Loading loading;
  loading.partition = partition.get();
  loading.header_at = replayed.state_at;
  if (base.durability == DurabilityClass::kCached) cached_.push_back(partition.get());
  if (base.cached.has_value()) marks_.emplace(base.incarnation, *base.cached);
  loading.replayed = std::move(replayed);
  context.partitions.emplace(partition->incarnation(), std::move(partition));
  loading_.push_back(std::move(loading));
}

io::Task<Result<>> StoreLoader::check_segments(Loading& loading) {
  StoreContext& context = parts_.context;
  PartitionFiles& partition = *loading.partition;
  if (marks_.contains(partition.incarnation())) co_return Result<>();  // what belongs to it comes out later
  const std::string directory = context.options.data_directory + "/" + partition.directory();
  auto listed = co_await context.reactor.disk().list(directory);
  if (!listed.ok() && listed.error().code() != ErrorCode::kNotFound) co_return std::move(listed).error();
  std::map<SegmentName, std::uint64_t> sizes;
  std::vector<SegmentName> unnamed;
  for (const io::DirectoryEntry& entry : listed.ok() ? *listed : std::vector<io::DirectoryEntry>()) {
    const auto name = parse_file_name(entry.name);
    if (!name.has_value() || name->kind == FileKind::kSnapshot) continue;
    const SegmentName segment_name{name->offset, name->edition};
    const Segment* segment = partition.find_segment(name->offset);
    if (name->kind == FileKind::kLog) sizes[segment_name] = entry.size;
    if (segment == nullptr || segment->name() != segment_name) unnamed.push_back(segment_name);
  }
  for (const Segment& segment : partition.segments()) {
    const auto size = sizes.find(segment.name());
    if (segment.clean_end == 0) {
      context.ledger(partition).segment(segment.base)->named = segment.named && size != sizes.end();
      continue;
    }
    if (size == sizes.end() || size->second < segment.clean_end) {
      const std::string path = file_path(directory, segment.base, FileKind::kLog, segment.edition);
      co_return Error(ErrorCode::kCorrupt,
                      fmt::format("{} {}: {} bytes of it are needed", path,
                                  size == sizes.end() ? "is missing" : "is too short", segment.clean_end));
    }
  }
  std::sort(unnamed.begin(), unnamed.end());
  unnamed.erase(std::unique(unnamed.begin(), unnamed.end()), unnamed.end());
  co_return co_await parts_.segments.remove(partition, std::move(unnamed));
}

io::Task<Result<>> StoreLoader::load_bytes(const std::vector<RoundPlace>& rounds) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < loading_.size(); ++i) {
    const auto& ranges = loading_[i].replayed.ranges;
    for (std::size_t range = 0; range < ranges.size(); ++range) {
      if (!ranges[range].is_body) pieces.push_back({ranges[range].round, i, range});
    }
  }
  // One round after the other, and each log from front to back; places in a round follow no such order.
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
    return std::tuple(a.round, a.partition, a.range) < std::tuple(b.round, b.partition, b.range);
  });
  Slice round;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (i == 0 || pieces[i].round != pieces[i - 1].round) {
      PYRALOG_CO_ASSIGN(round, co_await recovery_.read_round(rounds[pieces[i].round]));
    }
    PYRALOG_CO_TRY(co_await load_piece(pieces[i], round));
  }
  co_return Result<>();
}

io::Task<Result<>> StoreLoader::load_piece(const Piece& piece, const Slice& round) {
  StoreContext& context = parts_.context;
  Loading& loading = loading_[piece.partition];
  PYRALOG_CO_TRY(co_await pass_bodies(loading, piece.range));
  const ReplayRange& range = loading.replayed.ranges[piece.range];
  Slice bytes = round.part(range.place, range.bytes);
  // Small payloads would pin the whole round.
  if (range.bytes < context.geometry().batch_copied_bytes_below) bytes = Slice::copy_of(bytes.view());
  PYRALOG_CO_TRY(co_await feed(loading, range, bytes));
  context.tracked(*loading.partition, [&] { context.ledger(*loading.partition).restore(range.at, range.bytes, bytes); });
  loading.next_range = piece.range + 1;
  co_return Result<>();
}

io::Task<Result<>> StoreLoader::pass_bodies(Loading& loading, std::size_t end_range) {
  for (; loading.next_range < end_range; ++loading.next_range) {
    const ReplayRange& range = loading.replayed.ranges[loading.next_range];
    PYRALOG_CO_TRY(co_await feed(loading, range, Slice()));
    parts_.context.ledger(*loading.partition).restore(range.at, range.bytes, Slice());
  }
  co_return Result<>();
}

io::Task<Result<>> StoreLoader::feed(Loading& loading, const ReplayRange& range, const Slice& bytes) {
  using record::format::kHeaderBytes;
  const std::uint64_t end = range.at.position + range.bytes;
  if (loading.header_at.segment < range.at.segment) {
    if (!loading.header.empty()) co_return Error(ErrorCode::kCorrupt, "a segment ends inside of a batch");
    loading.header_at = {range.at.segment, 0};
  }
  while (loading.header_at.segment == range.at.segment && loading.header_at.position + loading.header.size() < end) {
    const std::uint64_t from = loading.header_at.position + loading.header.size();
    if (from < range.at.position) co_return Error(ErrorCode::kCorrupt, "bytes of a batch are missing");
    const std::uint64_t count = std::min<std::uint64_t>(kHeaderBytes - loading.header.size(), end - from);
    const std::size_t had = loading.header.size();
    loading.header.resize(had + count);
    const MutableBytes into = MutableBytes(loading.header).subspan(had);
    if (!bytes.empty()) {
      std::memcpy(into.data(), bytes.data() + (from - range.at.position), count);
    } else {
      PYRALOG_CO_ASSIGN(const SharedFile file, co_await parts_.segments.open(*loading.partition, range.at.segment));
      PYRALOG_CO_ASSIGN(const std::size_t got, file->read_now(from, into));
      if (got < count) co_return Error(ErrorCode::kCorrupt, "a segment is too short for its body");
    }
    if (loading.header.size() == kHeaderBytes) PYRALOG_CO_TRY(apply_header(loading));
  }
  co_return Result<>();
}

Result<> StoreLoader::apply_header(Loading& loading) {
  const auto header = record::BatchHeader::parse(loading.header);
  PartitionFiles& partition = *loading.partition;
  if (!header.ok() || header->base_offset() < partition.log_end()) {
    return Error(ErrorCode::kCorrupt, fmt::format("{}: no batch of this log at byte {} of segment {}",
                                                  partition.directory(), loading.header_at.position,
                                                  loading.header_at.segment.value));
  }
  partition.state().apply(*header, loading.header_at.segment, parts_.context.reactor.wall_now());
  loading.header_at.position += header->batch_bytes();
  loading.header.clear();
  return {};
}

io::Task<Result<>> StoreLoader::finish_partitions() {
  for (Loading& loading : loading_) {
    PYRALOG_CO_TRY(co_await pass_bodies(loading, loading.replayed.ranges.size()));
    PartitionFiles& partition = *loading.partition;
    PartitionLedger ledger = parts_.context.ledger(partition);
    // A truncation to a segment's start leaves it empty: no batch leads there.
    const Segment* segment = partition.find_segment(loading.header_at.segment);
    while (segment != nullptr && loading.header_at.position == segment->end && segment != &partition.active()) {
      ++segment;
      loading.header_at = {segment->base, 0};
    }
    if (!loading.header.empty() || loading.header_at < ledger.end()) {
      co_return Error(ErrorCode::kCorrupt, partition.directory() + ": the log ends inside of a batch");
    }
    if (!marks_.contains(partition.incarnation())) partition.state().trim(partition.start());
    for (const auto& [round, end] : loading.replayed.journaled) ledger.restore_journaled(round, end);
    parts_.context.tracked(partition, [&] { ledger.restored(loading.replayed.clean); });
    parts_.cleaner.update(partition);
  }
  loading_.clear();
  co_return Result<>();
}

}  // namespace pyralog::storage
