#include "journal_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>

namespace limit {
namespace {

using pyralog::align_down;
using pyralog::align_up;
using pyralog::Slice;

constexpr std::uint64_t kJournalBytes = 256u << 20;
constexpr std::uint64_t kSegmentBytesMax = 1u << 30;
constexpr std::uint64_t kSegmentSyncBytes = 32u << 20;
constexpr std::size_t kSegmentWriteBytes = 4u << 20;
constexpr std::size_t kSectorBytes = 512;
constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kHeaderBytes = 4096;

alignas(4096) std::byte header[kHeaderBytes];
alignas(4096) const std::byte padding[kBlockBytes]{};

int open_or_die(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    std::perror(path.c_str());
    std::exit(1);
  }
  return fd;
}

void die(const char* what, int error) {
  std::fprintf(stderr, "limit: %s: %s\n", what, std::strerror(error));
  std::exit(1);
}

/// Writes of the segment have their buffer's number behind the last.
enum Done : std::uint64_t { kRound = 1, kSegmentSync = 2, kSegmentWrite = 3 };

}  // namespace

JournalWriter::JournalWriter(const std::string& directory, bool writes_twice) {
  if (const int error = io_uring_queue_init(64, &ring_, 0); error != 0) die("io_uring", -error);
  journal_ = open_or_die(directory + "/journal", O_RDWR | O_DIRECT);
  void* zeros = std::aligned_alloc(kBlockBytes, 1u << 20);
  std::memset(zeros, 0, 1u << 20);
  for (std::uint64_t at = 0; at < kJournalBytes; at += 1u << 20) {
    if (::pwrite(journal_, zeros, 1u << 20, static_cast<off_t>(at)) != (1 << 20)) die("zeroing the journal", errno);
  }
  std::free(zeros);
  if (::fdatasync(journal_) != 0) die("sync", errno);
  segment_path_ = directory + "/segment";
  if (!writes_twice) return;
  open_segment();
  for (SegmentBuffer& buffer : buffers_) {
    buffer.bytes = static_cast<std::byte*>(std::aligned_alloc(kBlockBytes, kSegmentWriteBytes));
    std::memset(buffer.bytes, 0, kSegmentWriteBytes);
  }
}

void JournalWriter::open_segment() {
  segment_ = open_or_die(segment_path_, O_RDWR | O_DIRECT);
  segment_position_ = 0;
}

JournalWriter::~JournalWriter() {
  io_uring_queue_exit(&ring_);
  ::close(journal_);
  if (segment_ >= 0) ::close(segment_);
  for (const SegmentBuffer& buffer : buffers_) std::free(buffer.bytes);
}

void JournalWriter::start(std::vector<Slice> batches) {
  batches_ = std::move(batches);
  pieces_.clear();
  pieces_.push_back({header, kHeaderBytes});
  std::size_t bytes = kHeaderBytes;
  for (const Slice& batch : batches_) {
    // Whole sectors of the memory it was received into; neighbours share the sector between them.
    const auto begin = align_down(reinterpret_cast<std::uintptr_t>(batch.data()), kSectorBytes);
    const auto end = align_up(reinterpret_cast<std::uintptr_t>(batch.data()) + batch.size(), kSectorBytes);
    iovec& last = pieces_.back();
    const auto last_end = reinterpret_cast<std::uintptr_t>(last.iov_base) + last.iov_len;
    if (last.iov_base != header && begin <= last_end && begin >= reinterpret_cast<std::uintptr_t>(last.iov_base)) {
      if (end > last_end) bytes += end - last_end, last.iov_len += end - last_end;
      continue;
    }
    pieces_.push_back({reinterpret_cast<void*>(begin), end - begin});
    bytes += end - begin;
  }
  const std::size_t whole = align_up(bytes, kBlockBytes);
  if (whole > bytes) pieces_.push_back({const_cast<std::byte*>(padding), whole - bytes});
  if (pieces_.size() > IOV_MAX) die("too many pieces in a round", E2BIG);
  if (position_ + whole > kJournalBytes) position_ = 0;
  round_bytes_ = whole;
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  io_uring_prep_writev(entry, journal_, pieces_.data(), static_cast<unsigned>(pieces_.size()), position_);
  entry->rw_flags = RWF_DSYNC;
  io_uring_sqe_set_data64(entry, kRound);
  position_ += whole;
  busy_ = true;
  io_uring_submit(&ring_);
}

bool JournalWriter::finished() {
  io_uring_cqe* done = nullptr;
  while (io_uring_peek_cqe(&ring_, &done) == 0) {
    if (done->res < 0) die("write", -done->res);
    const std::uint64_t what = io_uring_cqe_get_data64(done);
    if (what == kRound) {
      if (static_cast<std::size_t>(done->res) != round_bytes_) die("short write", EIO);
      durable_ = true;
    } else if (what == kSegmentSync) {
      syncing_ = false;
    } else {
      if (static_cast<std::size_t>(done->res) != kSegmentWriteBytes) die("short write of the segment", EIO);
      buffers_[what - kSegmentWrite].writing = false;
    }
    io_uring_cqe_seen(&ring_, done);
  }
  if (!durable_) return false;
  // A round ends when the segment's buffers have taken it, so a slow second write slows the first.
  if (segment_ >= 0 && !fill_segment()) return false;
  durable_ = busy_ = false;
  ++rounds_;
  batches_.clear();
  placed_batches_ = placed_bytes_ = 0;
  return true;
}

bool JournalWriter::fill_segment() {
  for (; placed_batches_ < batches_.size(); ++placed_batches_, placed_bytes_ = 0) {
    const Slice& batch = batches_[placed_batches_];
    while (placed_bytes_ < batch.size()) {
      SegmentBuffer& buffer = buffers_[filling_];
      if (buffer.writing) return false;
      const std::size_t count = std::min(batch.size() - placed_bytes_, kSegmentWriteBytes - buffer.used);
      std::memcpy(buffer.bytes + buffer.used, batch.data() + placed_bytes_, count);
      buffer.used += count;
      placed_bytes_ += count;
      if (buffer.used == kSegmentWriteBytes) write_segment(buffer);
    }
  }
  return true;
}

void JournalWriter::write_segment(SegmentBuffer& buffer) {
  const bool none_written = std::ranges::none_of(buffers_, [](const SegmentBuffer& other) { return other.writing; });
  if (segment_position_ >= kSegmentBytesMax && !syncing_ && none_written) {
    // The next segment: a log of one retention's length.
    ::close(segment_);
    ::unlink(segment_path_.c_str());
    open_segment();
  }
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  io_uring_prep_write(entry, segment_, buffer.bytes, kSegmentWriteBytes, segment_position_);
  io_uring_sqe_set_data64(entry, kSegmentWrite + filling_);
  buffer.writing = true;
  buffer.used = 0;
  filling_ = (filling_ + 1) % buffers_.size();
  segment_position_ += kSegmentWriteBytes;
  unsynced_bytes_ += kSegmentWriteBytes;
  if (unsynced_bytes_ >= kSegmentSyncBytes && !syncing_) {
    unsynced_bytes_ = 0;
    syncing_ = true;
    entry = io_uring_get_sqe(&ring_);
    io_uring_prep_fsync(entry, segment_, IORING_FSYNC_DATASYNC);
    io_uring_sqe_set_data64(entry, kSegmentSync);
  }
  io_uring_submit(&ring_);
}

}  // namespace limit
