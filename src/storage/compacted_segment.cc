#include "storage/compacted_segment.h"

#include <algorithm>

#include "io/reactor.h"
#include "storage/file_names.h"
#include "storage/planted.h"

namespace pyralog::storage {

CompactedSegment::CompactedSegment(ShardStore& store, const PartitionFiles& partition, SegmentName name)
    : store_(store), partition_(partition), name_(name) {
  PYRALOG_ASSERT(name.edition > 0, "a segment that was written anew has an edition");
}

std::string CompactedSegment::path(FileKind kind) const {
  return file_path(store_.options().data_directory + "/" + partition_.directory(), name_.base, kind, name_.edition);
}

io::Task<Result<>> CompactedSegment::begin() {
  const io::OpenOptions options{.existence = io::Existence::kMayCreate};
  PYRALOG_CO_ASSIGN(file_, co_await io::Reactor::current().disk().open(path(FileKind::kCompacting), options));
  co_return co_await file_->truncate(0);
}

io::Task<Result<>> CompactedSegment::append(ByteView bytes) {
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), kBufferBytes - buffer_.size());
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    if (buffer_.size() == kBufferBytes) PYRALOG_CO_TRY(co_await flush());
  }
  co_return Result<>();
}

io::Task<Result<>> CompactedSegment::flush() {
  std::vector<ByteView> pieces{buffer_};
  if (planted(Bug::kCompactedFileNotSynced)) {
    PYRALOG_CO_TRY(file_->write_now(written_, pieces));
  } else {
    PYRALOG_CO_TRY(co_await file_->write_and_sync(written_, std::move(pieces)));
  }
  written_ += buffer_.size();
  buffer_.clear();
  co_return Result<>();
}

io::Task<Result<Segment>> CompactedSegment::finish() {
  if (!buffer_.empty()) PYRALOG_CO_TRY(co_await flush());
  file_.reset();
  PYRALOG_CO_TRY(co_await io::Reactor::current().disk().rename(path(FileKind::kCompacting), path(FileKind::kLog)));
  if (!planted(Bug::kCompactedNameNotSynced)) PYRALOG_CO_TRY(co_await store_.sync_directory(partition_));
  Segment segment{.base = name_.base, .end = written_, .clean_end = written_, .named = true};
  segment.edition = name_.edition;
  co_return segment;
}

io::Task<> CompactedSegment::discard() {
  file_.reset();
  for (const FileKind kind : {FileKind::kCompacting, FileKind::kLog}) {
    // What stays is nobody's, and the next start removes it.
    (void)co_await io::Reactor::current().disk().remove(path(kind));
  }
}

}  // namespace pyralog::storage
