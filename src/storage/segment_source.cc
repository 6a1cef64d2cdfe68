#include "storage/segment_source.h"

#include <algorithm>
#include <cstring>

namespace pyralog::storage {
namespace {

constexpr std::size_t kLookupBytes = 4096;
constexpr std::size_t kScanBytes = 64u << 10;

}  // namespace

io::Task<Result<SharedFile>> SegmentSource::file() {
  if (partition_ == nullptr) co_return file_;
  const Segment* segment = partition_->find_segment(base_);
  if (segment == nullptr) co_return ErrorCode::kNotFound;
  const FileKey key{partition_->incarnation(), base_, FileKind::kLog, segment->edition};
  if (SharedFile open = cache_->find(key)) co_return open;
  co_return co_await cache_->open(key, file_path(directory_, base_, FileKind::kLog, key.edition));
}

Slice SegmentSource::resident(std::uint64_t position, std::uint64_t bytes_max) {
  if (partition_ == nullptr) return {};
  partition_->locate(base_, position, bytes_max, parts_);
  if (parts_.empty() || parts_.front().slice.empty()) return {};
  return parts_.front().slice;
}

io::Task<Result<std::size_t>> SegmentSource::read(std::uint64_t position, MutableBytes into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const MutableBytes rest = into.subspan(done);
    std::size_t wanted = rest.size();
    if (partition_ != nullptr) {
      partition_->locate(base_, position + done, rest.size(), parts_);
      if (parts_.empty()) break;
      const StoredPart& part = parts_.front();
      if (!part.slice.empty()) {
        const std::size_t bytes = std::min(part.slice.size(), rest.size());
        std::memcpy(rest.data(), part.slice.data(), bytes);
        done += bytes;
        continue;
      }
      wanted = static_cast<std::size_t>(std::min<std::uint64_t>(part.bytes, rest.size()));
    }
    PYRALOG_CO_ASSIGN(const SharedFile from, co_await file());
    PYRALOG_CO_ASSIGN(const std::size_t got, co_await from->read(position + done, rest.first(wanted)));
    done += got;
    if (got < wanted) break;
  }
  co_return done;
}

BatchCursor::BatchCursor(SegmentSource source, Window window)
    : source_(std::move(source)), read_bytes_(window == Window::kScan ? kScanBytes : kLookupBytes) {}

io::Task<Result<>> BatchCursor::load(std::uint64_t position) {
  resident_ = source_.resident(position, read_bytes_);
  window_begin_ = position;
  if (resident_.size() >= record::format::kHeaderBytes) {
    window_ = resident_.view();
    co_return Result<>();
  }
  window_ = {};
  buffer_.resize(read_bytes_);
  PYRALOG_CO_ASSIGN(const std::size_t got, co_await source_.read(position, buffer_));
  window_ = ByteView(buffer_).first(got);
  if (got < record::format::kHeaderBytes) co_return ErrorCode::kTruncated;
  co_return Result<>();
}

io::Task<Result<Slice>> BatchCursor::read_batch(std::uint64_t position, std::size_t batch_bytes) {
  Slice bytes = source_.resident(position, batch_bytes);
  if (bytes.size() >= batch_bytes) {
    bytes = bytes.part(0, batch_bytes);
  } else {
    bytes = Slice::allocate(batch_bytes);
    PYRALOG_CO_ASSIGN(const std::size_t got, co_await source_.read(position, bytes.mutable_view()));
    if (got < batch_bytes) co_return ErrorCode::kTruncated;
  }
  PYRALOG_CO_ASSIGN(const record::BatchView view, record::BatchView::parse(bytes.view()));
  PYRALOG_CO_TRY(view.verify_crc());
  co_return bytes;
}

}  // namespace pyralog::storage
