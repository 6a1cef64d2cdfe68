#include "storage/log_walk.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <tuple>

#include "io/disk.h"
#include "io/reactor.h"
#include "storage/segment_source.h"

namespace pyralog::storage {
namespace {

bool all_zero(ByteView bytes) noexcept {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

std::string_view walk_end_text(WalkEnd end) noexcept {
  switch (end) {
    case WalkEnd::kEndOfFile: return "end of file";
    case WalkEnd::kZeros: return "zeros";
    case WalkEnd::kNotABatch: return "no batch";
    case WalkEnd::kCutOff: return "a batch that is cut off";
    case WalkEnd::kBadChecksum: return "a batch with a bad checksum";
    case WalkEnd::kOutOfOrder: return "a batch of an earlier offset or epoch";
  }
  return "?";
}

io::Task<Result<WalkedSegment>> walk_segment(SharedFile file, Offset base, LeaderEpoch epoch_min, BatchVisitor visitor) {
  WalkedSegment walked{.base = base, .end = base, .epoch = epoch_min};
  PYRALOG_CO_ASSIGN(walked.file_bytes, file->size());
  BatchCursor cursor(SegmentSource(file, base), BatchCursor::Window::kScan);
  while (walked.position < walked.file_bytes) {
    const auto stop = [&walked](WalkEnd why) {
      walked.why = why;
      return walked;
    };
    if (!cursor.covers(walked.position)) {
      const auto loaded = co_await cursor.load(walked.position);
      if (!loaded.ok() && loaded.error() == ErrorCode::kTruncated) {
        std::vector<std::byte> rest(static_cast<std::size_t>(walked.file_bytes - walked.position));
        PYRALOG_CO_TRY(co_await file->read(walked.position, rest));
        co_return stop(all_zero(rest) ? WalkEnd::kZeros : WalkEnd::kCutOff);
      }
      PYRALOG_CO_TRY(loaded);
    }
    const auto header = cursor.header_at(walked.position);
    if (!header.ok()) {
      const bool zeros = all_zero(cursor.bytes_at(walked.position).first(record::format::kHeaderBytes));
      co_return stop(zeros ? WalkEnd::kZeros : WalkEnd::kNotABatch);
    }
    const std::size_t batch_bytes = header->batch_bytes();
    if (batch_bytes > walked.file_bytes - walked.position) co_return stop(WalkEnd::kCutOff);
    const auto batch = co_await cursor.read_batch(walked.position, batch_bytes);
    if (!batch.ok() && batch.error() == ErrorCode::kIo) co_return batch.error();
    if (!batch.ok()) co_return stop(WalkEnd::kBadChecksum);
    PYRALOG_CO_ASSIGN(const record::BatchView view, record::BatchView::parse(batch->view()));
    if (view.base_offset() < walked.end || view.leader_epoch() < walked.epoch) co_return stop(WalkEnd::kOutOfOrder);
    if (!visitor(view, walked.position)) co_return walked;
    walked.end = view.end_offset();
    walked.epoch = view.leader_epoch();
    walked.position += batch_bytes;
  }
  co_return walked;
}

io::Task<Result<std::vector<FileName>>> list_partition(std::string directory) {
  PYRALOG_CO_ASSIGN(const std::vector<io::DirectoryEntry> entries, co_await io::Reactor::current().disk().list(directory));
  std::vector<FileName> names;
  for (const io::DirectoryEntry& entry : entries) {
    if (const auto name = parse_file_name(entry.name)) names.push_back(*name);
  }
  // What compaction had not finished is nobody's yet; of a segment's editions, which a crash leaves side by side, the last
  // one counts.
  std::erase_if(names, [](const FileName& name) { return name.kind == FileKind::kCompacting; });
  std::ranges::sort(names, {}, [](const FileName& name) { return std::tuple(name.kind, name.offset, name.edition); });
  const auto is_superseded = [&names](const FileName& name) {
    const FileName* next = &name + 1;
    return next != names.data() + names.size() && next->kind == name.kind && next->offset == name.offset;
  };
  std::vector<FileName> newest;
  std::ranges::copy_if(names, std::back_inserter(newest), std::not_fn(is_superseded));
  co_return newest;
}

io::Task<Result<SharedFile>> open_for_reading(std::string directory, FileName name) {
  io::OpenOptions options{.access = io::Access::kRead};
  std::string path = file_path(directory, name.offset, name.kind, name.edition);
  PYRALOG_CO_ASSIGN(std::unique_ptr<io::File> file, co_await io::Reactor::current().disk().open(std::move(path), options));
  co_return SharedFile(std::move(file));
}

}  // namespace pyralog::storage
